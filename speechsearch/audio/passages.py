"""The whole chain from a file to its passages, as a stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from speechsearch.audio.decode import OnNote, ignore
from speechsearch.audio.readers import name_of
from speechsearch.audio.segmentation import passage_spans
from speechsearch.audio.untrusted import read_span, stream
from speechsearch.audio.voice_activity import speech_spans
from speechsearch.domain.errors import SilentError
from speechsearch.domain.limits import Limits, Segmentation
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, Span

SILENCE = 1e-4  # -80 dB: a recorder's dither


def passages(
    path: Path,
    segmentation: Segmentation,
    limits: Limits,
    on_block: Callable[[Audio], None] = lambda block: None,
    name: str = "",
    on_note: OnNote = ignore,
) -> Iterator[tuple[Span, Audio]]:
    """Yield the passages of a file and their sound while it is read; memory does not grow with its length.

    It is decoded in a child process. ``on_block`` gets all of the sound, block by block; ``name`` is how messages call
    the file; ``on_note`` is told at the end what of it was left out.

    Raises:
        DecodeError: it is not readable sound, holds samples that are not numbers, or takes too much memory
            or time.
        TooLongError: it is longer than the limits or, uncut, than ``segmentation.longest_whole_s``.
        TooLargeError: it has too many bytes, channels or samples a second.
        SilentError: there is no speech in it or, uncut, no sound.
    """
    if segmentation.method == "none":
        span, whole = _whole(path, segmentation, limits, name, on_note)
        on_block(whole)
        yield span, whole
        return
    recent = Recent(stream(path, limits, name=name, on_note=on_note), 5 * segmentation.longest_s, on_block)
    speech = speech_spans(recent, segmentation.longest_s)
    is_silent = True
    for span in passage_spans(speech, segmentation.shortest_s, segmentation.longest_s):
        is_silent = False
        span = Span(span.start_s, min(span.end_s, recent.end_s))
        # A passage that waited through a long silence for a neighbour is read again.
        yield span, recent.part(span) or read_span(path, span, name)
    if is_silent:
        raise SilentError(f"There is no speech in {name or name_of(path)}.")


def _whole(path: Path, segmentation: Segmentation, limits: Limits, name: str, on_note: OnNote) -> tuple[Span, Audio]:
    longest_s = min(segmentation.longest_whole_s, limits.duration_s)
    blocks = stream(path, limits.model_copy(update={"duration_s": longest_s}), name=name, on_note=on_note)
    audio = Audio(np.concatenate([block.samples for block in blocks]))
    if np.abs(audio.samples).max() < SILENCE:
        raise SilentError(f"There is no sound in {name or name_of(path)}.")
    return Span(0.0, audio.duration_s), audio


class Recent:
    """Passes blocks on, shows each to ``on_block`` and remembers the last ``kept_s`` seconds of them."""

    def __init__(
        self, blocks: Iterable[Audio], kept_s: float, on_block: Callable[[Audio], None] = lambda block: None
    ) -> None:
        self._blocks = blocks
        self._kept_s = kept_s
        self._on_block = on_block
        self._kept: deque[Audio] = deque()
        self._start_samples = 0
        self._end_samples = 0

    def __iter__(self) -> Iterator[Audio]:
        """Yield the blocks."""
        for block in self._blocks:
            self._on_block(block)
            self._kept.append(block)
            self._end_samples += len(block.samples)
            while self._end_samples - self._start_samples - len(self._kept[0].samples) > self._kept_s * SAMPLE_RATE_HZ:
                self._start_samples += len(self._kept.popleft().samples)
            yield block

    @property
    def end_s(self) -> float:
        """How much has passed, in seconds."""
        return self._end_samples / SAMPLE_RATE_HZ

    def part(self, span: Span) -> Audio | None:
        """Return the sound of a span, None if its start is forgotten."""
        begin, end = (round(time_s * SAMPLE_RATE_HZ) - self._start_samples for time_s in (span.start_s, span.end_s))
        if begin < 0:
            return None
        parts, offset = [], 0
        for block in self._kept:
            parts.append(block.samples[max(0, begin - offset) : max(0, end - offset)])
            offset += len(block.samples)
        return Audio(np.concatenate(parts))
