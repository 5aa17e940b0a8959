"""What is like what: the senses in which recordings are alike, what is kept of them for that, and the answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.values import SAMPLE_RATE_HZ, FloatMatrix, Recording, Span

Sense = Literal["recording", "words", "sound"]
"""The same recording, the same words, or what sounds alike."""
SENSES: tuple[Sense, ...] = get_args(Sense)
WINDOW, HOP = 1024, 512
"""Samples of a frame of a constellation, and between two frames: 64 and 32 ms."""
FRAME_S = HOP / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True, eq=False)
class Constellation:
    """The spectral peaks of a sound: ``frames`` (n,) uint32 ascending, ``bins`` (n,) uint8, and how many frames it has.

    A bin is 15.6 Hz wide.
    """

    frames: NDArray[np.uint32]
    bins: NDArray[np.uint8]
    length: int

    @property
    def duration_s(self) -> float:
        """Length of the sound in seconds, to a frame."""
        return self.length * FRAME_S

    def between(self, start_s: float, end_s: float) -> Constellation:
        """Return the peaks of a stretch, as if it were a recording of its own.

        >>> peaks = Constellation(np.array([0, 40, 90], np.uint32), np.array([7, 8, 9], np.uint8), 100)
        >>> part = peaks.between(1.0, 2.0)
        >>> part.frames.tolist(), part.bins.tolist(), part.length
        ([9], [8], 31)
        """
        first, last = (min(round(time_s / FRAME_S), self.length) for time_s in (start_s, end_s))
        low, high = np.searchsorted(self.frames, (first, last))
        return Constellation(self.frames[low:high] - np.uint32(first), self.bins[low:high], last - first)


@dataclass(frozen=True, slots=True, eq=False)
class SoundWindows:
    """What the windows of a recording sound like: ``vectors`` (n, dim) float32 of unit length, one every ``hop_s``.

    A silent window has a vector of zeros.
    """

    vectors: FloatMatrix
    hop_s: float


@dataclass(frozen=True, slots=True)
class Nearest:
    """Two windows that sound alike: when they begin in what was asked and in what was found, and their cosine."""

    asked_s: float
    found_s: float
    cosine: float


@dataclass(frozen=True, slots=True, eq=False)
class SimilarHit:
    """A recording that is alike, and where.

    Args:
        rank: 1 is best.
        recording: that was found.
        span: the stretch of it that is alike.
        score: higher is better; of the same recording how many of its moments agree, else a cosine.
        likelihood: the calibrated chance that it is right; None where that was never measured.
        passage_id: the passage that was found by its words; else empty.
        offset_s: of the same recording: its second at which what was asked begins.
        speed: of the same recording: so many times as fast it was played in what was asked.
        points: (n, 2) float32, moments that agree: seconds in what was asked, and in the recording.
        shared: words that stand in both transcripts, rare ones first.
        nearest: windows that sound most alike.
        transcript: of the passage; None where there is none.
    """

    rank: int
    recording: Recording
    span: Span
    score: float
    likelihood: float | None = None
    passage_id: str = ""
    offset_s: float | None = None
    speed: float = 1.0
    points: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    shared: tuple[str, ...] = ()
    nearest: tuple[Nearest, ...] = ()
    transcript: str | None = None

    @property
    def is_likely(self) -> bool:
        """Whether it is more likely right than wrong, or nobody knows."""
        return self.likelihood is None or self.likelihood >= 0.5


@dataclass(frozen=True, slots=True, eq=False)
class SimilarResults:
    """What is alike in one sense, best first.

    ``asked_s``: how long what was asked is. ``recordings``: among so many it was looked for, of so many that may be
    seen; the others are not prepared yet.
    """

    sense: Sense
    hits: tuple[SimilarHit, ...]
    asked_s: float
    recordings: int
    of_recordings: int
    total_ms: float = 0.0


Verdict = Literal["keep both"]
"""What an owner said of a pair; of two of which one is deleted nothing is kept."""
Vote = Literal["yes", "no", "abstains"]


@dataclass(frozen=True, slots=True, eq=False)
class DuplicatePair:
    """Two recordings that are one, whole or in part.

    Args:
        first: the longer one.
        second: the other one, which stands in it.
        offset_s: the first one's second at which the second begins.
        shared_s: for how long they agree.
        likelihood: the calibrated chance that they are the same.
        votes: what says so, by name: "offsets", "length", "fingerprint", "sound".
        points: (n, 2) float32, moments that agree: seconds in the second, and in the first.
        may_change: the ids of those that the visitor may delete.
    """

    first: Recording
    second: Recording
    offset_s: float
    shared_s: float
    likelihood: float
    votes: Mapping[str, Vote]
    points: NDArray[np.float32]
    may_change: frozenset[str] = frozenset()

    @property
    def is_whole(self) -> bool:
        """Whether both are as long, so that one is a copy of the other and not a part of it.

        >>> one, other = Recording("a", "talks", "A", 100.0), Recording("b", "talks", "B", 98.5)
        >>> DuplicatePair(one, other, 0.0, 98.0, 0.99, {}, np.zeros((0, 2), np.float32)).is_whole
        True
        """
        return self.second.duration_s >= 0.95 * self.first.duration_s
