"""The values that only the store takes and returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.speakers import Turn
from speechsearch.domain.values import Passage, PhonemeTrack, Transcript, Vectors

JournalState = Literal["stored", "done", "failed", "deleting"]
JOURNAL_STATES: tuple[str, ...] = get_args(JournalState)
JobState = Literal["queued", "running", "paused", "done", "failed", "cancelled"]
ENDED: tuple[JobState, ...] = ("done", "failed", "cancelled")
JoinedBy = Literal["sound", "name", "person"]
"""How a voice came to its speaker: it sounds so, what is said about the recording names him, or somebody said so."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredPassage:
    """A passage with vectors that were made of it, and the phonemes heard in it; no vectors: those there are stay."""

    passage: Passage
    vectors: Vectors
    track: PhonemeTrack | None = None


@dataclass(frozen=True, slots=True)
class TranscriptOf:
    """A recogniser's transcript of a passage, and the fingerprint of the recogniser."""

    passage_id: str
    fingerprint: str
    transcript: Transcript


@dataclass(frozen=True, slots=True)
class Encoding:
    """What made a recording's vectors in a channel, and how many of its passages have one."""

    recording_id: str
    channel: str
    fingerprint: str
    passages: int


@dataclass(frozen=True, slots=True)
class PassageCount:
    """A recording's collection, speaker and language, and how many passages it has, together how long."""

    collection: str
    speaker: str
    language: str
    passages: int
    duration_s: float


@dataclass(frozen=True, slots=True, eq=False)
class StoredVoice:
    """A voice of a recording and whose it is.

    ``vector`` (dim,) float32 of unit length, by the speaker encoder of this ``fingerprint``.
    """

    recording_id: str
    number: int
    speaker_id: str
    vector: NDArray[np.float32]
    speech_s: float
    fingerprint: str
    joined_by: JoinedBy = "sound"

    @property
    def key(self) -> tuple[str, int]:
        """Which voice it is."""
        return self.recording_id, self.number


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """Who speaks in a recording: ``fingerprint`` of what heard it, turns, voices, and which are whose not.

    ``refusals``: (number of the voice, speaker id), as somebody said of an earlier hearing; ``names``: speaker id ->
    name that he gets.
    """

    fingerprint: str
    turns: Sequence[Turn]
    voices: Sequence[StoredVoice]
    refusals: frozenset[tuple[int, str]] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """The passages that a recording consists of, and what is new of them.

    Args:
        passages: all, as ``Recordings.save`` takes them.
        made_by: the channels of their vectors -> the fingerprint of what made them.
        written: (recogniser, fingerprint) -> passage id -> transcript, of those that are new.
        fingerprint: of the cut; empty where it is as before.
    """

    passages: Sequence[StoredPassage]
    made_by: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[tuple[str, str], Mapping[str, Transcript]] = field(default_factory=dict)
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """That a voice goes to a speaker, who is made if there is none of this id.

    ``refuses``: a speaker whose it is not, as somebody said; it is remembered.
    """

    recording_id: str
    number: int
    speaker_id: str
    joined_by: JoinedBy = "sound"
    refuses: str = ""


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
    ``fingerprint`` is that of the way it was cut, empty when it never was; ``updated_at`` is UTC in ISO 8601.
    """

    recording_id: str
    file_name: str
    collection: str
    state: JournalState
    fingerprint: str
    message: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a visitor says of a passage as an answer to a question: ``relevance`` 1 or 0; ``created_at`` UTC, ISO 8601.

    ``engine`` and ``rank``: which engine had found it, at which place.
    """

    visitor_id: str
    question: str
    passage_id: str
    relevance: int
    engine: str
    rank: int
    created_at: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A task of the queue: what to do for whom, and how far it is.

    ``task`` says all that its runner must know (JSON); ``message`` what it is about, or why it failed. Times are UTC in
    ISO 8601. ``crashes``: how many processes ended while it ran.
    """

    job_id: str
    visitor_id: str
    kind: str
    collection: str
    task: Mapping[str, Any] = field(default_factory=dict)
    state: JobState = "queued"
    message: str = ""
    created_at: str = ""
    updated_at: str = ""
    crashes: int = 0

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class JobFile:
    """What became of one file of a job, and which recording it is.

    ``state``: indexed, updated (only what is said about it), unchanged, duplicate, failed, warning or skipped.
    """

    name: str
    state: str
    passages: int = 0
    duration_s: float = 0.0
    message: str = ""
    recording_id: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """What came of asking for a recording: it is held now, another works on it, or it failed too often.

    ``tries``: how often it failed; ``message``: why it did last.
    """

    state: Literal["held", "busy", "set aside"]
    tries: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class LeaseEntry:
    """Who works on a recording, until when (seconds since 1970), how often it failed and why it did last."""

    recording_id: str
    holder: str
    expires_s: float
    tries: int
    message: str
