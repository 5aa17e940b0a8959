"""Cut speech into short windows and let a speaker encoder hear each.

Pauses are left out: windows lie on the time line of the speech alone, so that each holds as much speech as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from speechsearch.audio.passages import Recent
from speechsearch.audio.voice_activity import speech_spans
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, FloatMatrix, Span

Encode = Callable[[Sequence[Audio]], FloatMatrix]
"""A speaker encoder: one unit vector a sound, (sounds, dim) float32."""

WINDOW_S = 1.6
STEP_S = 0.4
BATCH_WINDOWS = 64
LONGEST_S = 30.0
"""Speech without a pause is looked at in parts of this length, so that memory stays bounded."""
KEPT_S = 90.0
DELAY_S = 0.05
"""By so much what the voice activity finds lags behind the speech, at both ends; measured on the tuning mixtures."""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """The speech of a recording, and what the encoder made of its windows.

    ``vectors``: (windows, dim) float32 of unit length; window i begins i ``STEP_S`` after the start of the speech,
    pauses not counted.
    """

    speech: tuple[Span, ...]
    vectors: FloatMatrix


def hear(blocks: Iterable[Audio], encode: Encode) -> Heard:
    """Return what is heard in consecutive blocks; of the sound only the last minutes are kept."""
    speech: list[Span] = []
    vectors: list[FloatMatrix] = []
    windows = windows_of(_speech(Recent(blocks, KEPT_S), speech))
    while batch := list(islice(windows, BATCH_WINDOWS)):
        vectors.append(encode([Audio(samples) for samples in batch]))
    return Heard(tuple(speech), np.concatenate(vectors) if vectors else np.zeros((0, 1), np.float32))


def _speech(recent: Recent, speech: list[Span]) -> Iterator[NDArray[np.float32]]:
    """Yield the sound of each stretch of speech, and note when it is."""
    for span in speech_spans(recent, LONGEST_S):
        span = undelayed(Span(span.start_s, min(span.end_s, recent.end_s)))
        sound = recent.part(span)
        if sound is not None:
            speech.append(span)
            yield sound.samples


def undelayed(span: Span) -> Span:
    """Return when speech is that the voice activity finds in a span.

    >>> undelayed(Span(1.0, 2.0)), undelayed(Span(0.0, 1.0))
    (Span(start_s=0.95, end_s=1.95), Span(start_s=0.0, end_s=0.95))
    """
    return Span(max(0.0, span.start_s - DELAY_S), span.end_s - DELAY_S)


def windows_of(
    parts: Iterable[NDArray[np.float32]],
    size: int = round(WINDOW_S * SAMPLE_RATE_HZ),
    step: int = round(STEP_S * SAMPLE_RATE_HZ),
) -> Iterator[NDArray[np.float32]]:
    """Yield windows of ``size`` samples, one every ``step``, over parts that follow each other.

    The last one is what is left, if the window before it does not reach the end; it may be shorter.

    >>> [window.tolist() for window in windows_of([np.arange(3), np.arange(3, 6)], 4, 1)]
    [[0.0, 1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0], [2.0, 3.0, 4.0, 5.0]]
    >>> [window.tolist() for window in windows_of([np.arange(5)], 4, 2)], [*windows_of([np.arange(2)], 4, 2)]
    ([[0.0, 1.0, 2.0, 3.0], [2.0, 3.0, 4.0]], [array([0., 1.])])
    """
    rest = np.zeros(0, np.float32)
    covered = 0
    for part in parts:
        rest = np.concatenate([rest, part])
        while len(rest) >= size:
            yield rest[:size]
            rest, covered = rest[step:], size - step
    if len(rest) > covered:
        yield rest
