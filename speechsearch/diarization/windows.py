"""Cut speech into short windows and let a speaker encoder hear each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from speechsearch.audio.passages import Recent
from speechsearch.audio.voice_activity import speech_spans
from speechsearch.domain.values import Audio, FloatMatrix, Span

Encode = Callable[[Sequence[Audio]], FloatMatrix]
"""A speaker encoder: one unit vector a sound, (sounds, dim) float32."""

WINDOW_S = 1.6
STEP_S = 0.4
BATCH_WINDOWS = 64
LONGEST_S = 30.0
"""Speech without a pause is looked at in parts of this length, so that memory stays bounded."""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """The speech of a recording and its windows in order: ``vectors`` (windows, dim) float32 of unit length."""

    speech: tuple[Span, ...]
    windows: tuple[Span, ...]
    vectors: FloatMatrix


def hear(blocks: Iterable[Audio], encode: Encode) -> Heard:
    """Return what is heard in consecutive blocks; of the sound only the last minutes are kept."""
    recent = Recent(blocks, 2 * LONGEST_S + 60.0)
    speech: list[Span] = []
    windows: list[Span] = []
    vectors: list[FloatMatrix] = []
    pieces = _pieces(recent, speech)
    while batch := list(islice(pieces, BATCH_WINDOWS)):
        windows += [span for span, _ in batch]
        vectors.append(encode([sound for _, sound in batch]))
    return Heard(tuple(speech), tuple(windows), np.concatenate(vectors) if vectors else np.zeros((0, 1), np.float32))


def _pieces(recent: Recent, speech: list[Span]) -> Iterator[tuple[Span, Audio]]:
    """Yield all windows and their sound; the stretches of speech are added to ``speech``."""
    for span in speech_spans(recent, LONGEST_S):
        span = Span(span.start_s, min(span.end_s, recent.end_s))
        speech.append(span)
        for window in windows_of(span):
            sound = recent.part(window)
            if sound is not None:
                yield window, sound


def windows_of(span: Span) -> list[Span]:
    """Return the windows of a stretch of speech; they overlap, the last one ends where it does.

    >>> [(round(one.start_s, 1), round(one.end_s, 1)) for one in windows_of(Span(10.0, 12.1))]
    [(10.0, 11.6), (10.4, 12.0), (10.5, 12.1)]
    >>> windows_of(Span(1.0, 1.5))
    [Span(start_s=1.0, end_s=1.5)]
    """
    if span.duration_s <= WINDOW_S:
        return [span]
    last_s = span.end_s - WINDOW_S
    starts = [*np.arange(span.start_s, last_s - 1e-6, STEP_S).tolist(), last_s]
    return [Span(start_s, start_s + WINDOW_S) for start_s in starts]
