"""The values that only the store takes and returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from speechsearch.datatypes import Passage, PhonemeTrack, Transcript, Vectors

JournalState = Literal["stored", "done", "failed", "deleting"]
JOURNAL_STATES: tuple[str, ...] = get_args(JournalState)


@dataclass(frozen=True, slots=True, eq=False)
class StoredPassage:
    """A passage with everything that was computed from its sound."""

    passage: Passage
    vectors: Vectors
    transcript: Transcript | None = None
    track: PhonemeTrack | None = None


@dataclass(frozen=True, slots=True)
class CollectionSummary:
    """A collection and how much is in it."""

    name: str
    description: str
    licence: str
    source: str
    recordings: int
    passages: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """How far one recording has come.

    ``state``: stored (in the database, perhaps not in the index), done, failed (``message`` says why) or deleting.
    ``fingerprint`` is that of the pipeline it was last stored with, empty when it never was; ``updated_at`` is UTC in
    ISO 8601.
    """

    recording_id: str
    file_name: str
    collection: str
    state: JournalState
    fingerprint: str
    message: str
    updated_at: str
