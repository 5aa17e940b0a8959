"""The frozen values that cross from room to room."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.question_syntax import Question

SAMPLE_RATE_HZ = 16_000
"""Every ``Audio`` in the program is mono at this rate."""

NAMESPACE = uuid.UUID("6b1f0d5e-8c0a-5b8e-9d2c-0a6c1f6f7a11")


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """Mono sound at 16 kHz: ``samples`` (n,) float32 in [-1, 1]."""

    samples: NDArray[np.float32]

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of time in a recording, end not included."""

    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s

    def shared_s(self, other: Span) -> float:
        """Return for how long both last, in seconds; less than 0: how far they are apart.

        >>> Span(0, 9).shared_s(Span(2, 3)), Span(0, 1).shared_s(Span(3, 4))
        (1, -2)
        """
        return min(self.end_s, other.end_s) - max(self.start_s, other.start_s)


@dataclass(frozen=True, slots=True)
class Recording:
    """One file, identified by the hash of its content."""

    recording_id: str
    collection: str
    title: str
    duration_s: float
    file_name: str = ""
    speaker: str = ""
    date: str = ""
    language: str = ""
    licence: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a recording that is found as one."""

    passage_id: str
    recording_id: str
    span: Span


def passage_id(recording_id: str, span: Span) -> str:
    """Return the id of a passage: UUIDv5 of content hash and span in milliseconds, the same on every run.

    >>> passage_id("ab", Span(0.0, 1.5))
    'd469fbfb-b469-59bd-b109-0aa052084b09'
    """
    return str(uuid.uuid5(NAMESPACE, f"{recording_id}:{round(span.start_s * 1000)}-{round(span.end_s * 1000)}"))


@dataclass(frozen=True, slots=True, eq=False)
class SparseVector:
    """Term numbers and weights: ``indices`` (n,) uint32 ascending, ``values`` (n,) float32."""

    indices: NDArray[np.uint32]
    values: NDArray[np.float32]


FloatMatrix = NDArray[np.float32]
"""Rows of numbers, (rows, dim) float32."""

Vector = NDArray[np.float32] | SparseVector
"""A dense vector (dim,) float32 of unit length, or a sparse one."""

Vectors = Mapping[str, Vector]
"""The named vectors of one passage (point) or one query."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One named vector that passages have: dense (cosine, ``dim`` wide) or sparse (dot product).

    ``has_idf``: the index multiplies a sparse query's weights by the inverse document frequency of the term,
    ``ln((N - n + 0.5) / (n + 0.5) + 1)`` with ``N`` points that have the vector, ``n`` of them with the term.
    ``title`` is what people read; the name where it is empty. ``is_phonetic``: its terms are sounds, so a hit can show
    which words of a question were heard.
    """

    name: str
    kind: Literal["dense", "sparse"]
    dim: int = 0
    has_idf: bool = False
    title: str = ""
    is_phonetic: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word and when it is said, in seconds from the start of the passage."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a recogniser made of a passage; ``words`` is empty when it gives no times.

    ``language``: what it heard, as ISO 639 writes it; empty where it does not say. ``confidence``: the mean probability
    of what it wrote, 0 to 1; None where it does not say.
    """

    text: str
    recognizer: str
    words: tuple[Word, ...] = ()
    language: str = ""
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Speaker:
    """A person of a library, known by voice: in how many recordings it is heard, and for how long.

    ``name`` is empty until somebody gives one; then ``number`` tells speakers apart.
    """

    speaker_id: str
    number: int
    name: str = ""
    recordings: int = 0
    speech_s: float = 0.0

    @property
    def label(self) -> str:
        """What people read.

        >>> Speaker("a", 3).label, Speaker("a", 3, "Ann").label
        ('Speaker 3', 'Ann')
        """
        return self.name or f"Speaker {self.number}"


@dataclass(frozen=True, slots=True, eq=False)
class PhonemeTrack:
    """The phonemes that may have been heard in a passage, frame by frame; frames that are surely silent are left out.

    ``symbols`` (frames, kept) uint8, the likeliest first, 0 for none; ``losses`` (frames, kept) uint8, how much less
    likely each is than the first, in 1/32 nat; ``starts_s`` (frames,) float32, from the passage's start.
    """

    symbols: NDArray[np.uint8]
    losses: NDArray[np.uint8]
    starts_s: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word of a question and how it may sound: pronunciations in the symbols of the tracks, the likeliest first.

    Several words with spaces between are looked for as one. ``confirmed`` and ``rejected`` are the ids of passages in
    which somebody has heard that it is said, or that it is not.
    """

    text: str
    pronunciations: tuple[tuple[int, ...], ...]
    confirmed: frozenset[str] = frozenset()
    rejected: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Filters:
    """Which passages may be found; an empty field allows all.

    Dates are text as in the recordings' metadata (ISO 8601, compared as text); ``date_to`` may be a year or a month and
    then includes all of it.
    """

    collections: tuple[str, ...] = ()
    recording_ids: tuple[str, ...] = ()
    speakers: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    date_from: str = ""
    date_to: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """What to look for: words, or spoken ``audio`` instead of them.

    ``sounds``: how some of its words, alone or in a row, may sound besides the usual.
    """

    text: str = ""
    audio: Audio | None = None
    top_k: int = 5
    filters: Filters = field(default_factory=Filters)
    sounds: tuple[SpokenWord, ...] = ()


@dataclass(frozen=True, slots=True)
class ScoredPassage:
    """A passage as an index or a retriever ranks it; higher is better."""

    passage_id: str
    score: float


@dataclass(frozen=True, slots=True)
class ChannelRank:
    """At which rank (1 is first) and with which score one channel found a passage."""

    channel: str
    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what could be searched was there to be searched: passages, and their length in seconds."""

    passages: int
    of_passages: int
    duration_s: float
    of_duration_s: float

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing.

        >>> Coverage(41, 67, 700.0, 1200.0).is_whole
        False
        """
        return self.passages >= self.of_passages


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer: a passage, where it lies, what found it.

    ``is_confident`` by the engine's threshold; ``likelihood`` is the calibrated chance that the passage is relevant,
    None where it was never measured for these models.
    ``transcript`` is None where none was made, empty where nothing was recognised.
    ``heard`` are the question's words that the phonetic index found in the sound, in seconds from the passage's start;
    ``marked`` the stretches of the transcript that match the question, as (start, end) character positions.
    ``speakers``: who speaks in the passage, who says most of it first; nobody where that is not known.
    """

    rank: int
    score: float
    passage: Passage
    recording: Recording
    channels: tuple[ChannelRank, ...]
    is_confident: bool = True
    transcript: str | None = None
    likelihood: float | None = None
    heard: tuple[Word, ...] = ()
    marked: tuple[tuple[int, int], ...] = ()
    speakers: tuple[Speaker, ...] = ()


@dataclass(frozen=True, slots=True)
class Results:
    """The answers of one engine to one query and the time they took.

    ``total_ms``: encoding, searching and reading what is known of the hits. ``coverage``: how much of the recordings
    the engine could search. ``recognizer``: whose transcripts it searched, empty for sound. ``is_calibrated``: whether
    the hits have likelihoods. ``question``: what was asked, as it was understood; empty where it was spoken.
    ``searches``: what the engine looks at; for both, ``transcripts`` says how much had a transcript too.
    """

    engine: str
    hits: tuple[Hit, ...]
    has_confident_hit: bool
    encode_ms: float
    search_ms: float
    total_ms: float = 0.0
    coverage: Coverage = Coverage(0, 0, 0.0, 0.0)
    recognizer: str = ""
    is_calibrated: bool = True
    question: Question = field(default_factory=Question)
    searches: Literal["sound", "transcript", "both"] = "sound"
    transcripts: Coverage = Coverage(0, 0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two engines' answers to the same query."""

    left: Results
    right: Results
