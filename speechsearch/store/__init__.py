"""The database: recordings, passages, vectors, transcripts and the journal. It is the source of truth."""

from speechsearch.store.base import CollectionSummary, JournalEntry, JournalState, StoredPassage
from speechsearch.store.repository import Repository

__all__ = ["CollectionSummary", "JournalEntry", "JournalState", "Repository", "StoredPassage"]
