"""The database: recordings, passages, vectors, transcripts and the journal. It is the source of truth."""

from speechsearch.store.records import (
    Claim,
    CollectionSummary,
    Encoding,
    Job,
    JobFile,
    JobState,
    JournalEntry,
    JournalState,
    Judgement,
    LeaseEntry,
    Move,
    StoredPassage,
    StoredVoice,
)
from speechsearch.store.store import Store

__all__ = [
    "Claim", "CollectionSummary", "Encoding", "Job", "JobFile", "JobState", "JournalEntry", "JournalState", "Judgement",
    "LeaseEntry", "Move",
    "Store", "StoredPassage", "StoredVoice",
]  # fmt: skip
