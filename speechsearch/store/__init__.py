"""The database: recordings, passages, vectors, transcripts and the journal. It is the source of truth."""

from speechsearch.store.records import (
    CollectionSummary,
    Encoding,
    Job,
    JobFile,
    JobState,
    JournalEntry,
    JournalState,
    Judgement,
    Move,
    StoredPassage,
    StoredVoice,
)
from speechsearch.store.store import Store

__all__ = [
    "CollectionSummary", "Encoding", "Job", "JobFile", "JobState", "JournalEntry", "JournalState", "Judgement", "Move",
    "Store", "StoredPassage", "StoredVoice",
]  # fmt: skip
