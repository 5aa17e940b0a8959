"""Who speaks when: turns and voices of a recording, and the people of a library whose voices they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.values import Span, Speaker


@dataclass(frozen=True, slots=True, order=True)
class Turn:
    """A stretch in which one voice of a recording speaks; ``voice`` is its number there, the first to speak is 1.

    ``is_overlap``: another voice speaks at the same time.
    """

    span: Span
    voice: int
    is_overlap: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Voice:
    """A voice of a recording: ``vector`` (dim,) float32 of unit length, and for how long it is heard."""

    number: int
    vector: NDArray[np.float32]
    speech_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Diarization:
    """Who speaks when in a recording: turns in the order of their starts, and the voices in that of their numbers."""

    turns: tuple[Turn, ...]
    voices: tuple[Voice, ...]


@dataclass(frozen=True, slots=True)
class RecordedVoice:
    """A voice of a recording and whose it is.

    ``is_confirmed``: somebody said so; else it was matched by how it sounds.
    """

    number: int
    speaker: Speaker
    speech_s: float
    is_confirmed: bool = False


@dataclass(frozen=True, slots=True)
class RecordedSpeakers:
    """Who speaks when in a recording; nothing where the third pass has not heard it yet (``is_heard``)."""

    is_heard: bool = False
    voices: tuple[RecordedVoice, ...] = ()
    turns: tuple[Turn, ...] = ()
