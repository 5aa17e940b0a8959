"""The database: recordings, passages, vectors, transcripts and the journal. It is the source of truth."""

from speechsearch.store.records import (
    CollectionSummary,
    Job,
    JobFile,
    JobState,
    JournalEntry,
    JournalState,
    Judgement,
    StoredPassage,
)
from speechsearch.store.repository import Repository

__all__ = [
    "CollectionSummary", "Job", "JobFile", "JobState", "JournalEntry", "JournalState", "Judgement", "Repository",
    "StoredPassage",
]  # fmt: skip
