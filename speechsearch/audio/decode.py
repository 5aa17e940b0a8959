"""Read sound files as 16 kHz mono float32, in bounded memory and within the limits of the settings.

All of this runs in the calling process. Files that come from outside are read by ``untrusted``, which runs it in a
child; ``read_span`` is also called directly, for clips of recordings that were decoded whole when they were taken in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, tee, zip_longest
from math import ceil, floor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechsearch.audio.readers import name_of, open_sound
from speechsearch.audio.resample import resample
from speechsearch.audio.track import SoundInfo, Track
from speechsearch.domain.errors import DecodeError, TooLargeError, TooLongError
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, Span

BLOCK_S = 30.0
EDGE_S = 0.1  # the resampler needs sound on both sides of a span


OnNote = Callable[[str], None]
"""Told, once all is decoded, what of a file was left out, in sentences for its owner."""


def ignore(note: str) -> None:
    """Let a note go."""


def probe(path: Path, limits: Limits, name: str = "") -> SoundInfo:
    """Return what a file holds; its length is measured without decoding it, so the header is not believed.

    Raises:
        DecodeError: it is not readable sound.
        TooLongError: it is longer than ``limits.duration_s``.
        TooLargeError: it has too many bytes, channels or samples a second.
    """
    name = name or name_of(path)
    check_bytes(path, limits, name)
    with open_sound(path, name) as sound:
        for track in sound.tracks:
            _check(track.info, limits, name)
        first = sound.tracks[0].info
        duration_s = max(track.measured_s() for track in sound.tracks)
    if not duration_s:
        raise DecodeError(f"{name} holds no sound.")
    if duration_s > limits.duration_s:  # counted, unless a header tells it: then decoding must agree
        duration_s = sum(block.duration_s for block in blocks(path, limits, limits.duration_s, BLOCK_S, name))
    return SoundInfo(duration_s, first.sample_rate_hz, first.channels, first.format)


def read_span(path: Path, span: Span, name: str = "") -> Audio:
    """Return a stretch of a recording; what lies past the end of the file is left out.

    Raises:
        DecodeError: the file is not readable sound.
    """
    # From a whole second on, source and target samples lie at the same instants, whatever the rates.
    start_s = floor(max(0.0, span.start_s - EDGE_S))
    count = ceil(span.end_s + EDGE_S - start_s) + 1
    with open_sound(path, name) as sound:
        tracks = [resample(islice(one.blocks(start_s), count), one.info.sample_rate_hz) for one in sound.tracks]
        parts = list(mixed(tracks))
    samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    begin, end = (round((time_s - start_s) * SAMPLE_RATE_HZ) for time_s in (span.start_s, span.end_s))
    return Audio(samples[begin:end])


def blocks(
    source: Path | bytes, limits: Limits, longest_s: float, block_s: float, name: str = "", on_note: OnNote = ignore
) -> Iterator[Audio]:
    """Yield the sound of a file, or of its content, in consecutive blocks; the last one may be shorter.

    What can be decoded is taken, whatever the header says; ``on_note`` is told what was left out.

    Raises:
        DecodeError: it is not readable sound, or holds samples that are not numbers.
        TooLongError: it is longer than ``longest_s``.
        TooLargeError: it has too many bytes, channels or samples a second.
    """
    name = name or name_of(source)
    check_bytes(source, limits, name)
    with open_sound(source, name) as sound:
        for track in sound.tracks:
            _check(track.info, limits, name)
        total_samples = 0
        for block in regrouped(
            mixed([_resampled(track, name) for track in sound.tracks]), round(block_s * SAMPLE_RATE_HZ)
        ):
            total_samples += len(block)
            _check_length(total_samples / SAMPLE_RATE_HZ, longest_s, name)
            yield Audio(block)
        if not total_samples:
            raise DecodeError(f"{name} holds no sound.")
        for note in sound.left_out(total_samples / SAMPLE_RATE_HZ):
            on_note(note)


def channel_blocks(
    source: Path | bytes, limits: Limits, longest_s: float, name: str = ""
) -> Iterator[tuple[NDArray[np.float32], ...]]:
    """Yield the sound of both channels of a stereo file, and the mean of all that is heard in any other.

    All blocks have as many channels as the first, each (samples,) float32.

    Raises:
        DecodeError: it is not readable sound, or holds samples that are not numbers.
        TooLongError: it is longer than ``longest_s``.
        TooLargeError: it has too many bytes, channels or samples a second.
    """
    name = name or name_of(source)
    check_bytes(source, limits, name)
    with open_sound(source, name) as sound:
        track = sound.tracks[0]
        if len(sound.tracks) > 1 or track.info.channels != 2:
            yield from ((block.samples,) for block in blocks(source, limits, longest_s, BLOCK_S, name))
            return
        _check(track.info, limits, name)
        total_samples = 0
        both = enumerate(tee(track.blocks()))
        sides = [resample(_side(one, side), track.info.sample_rate_hz, name) for side, one in both]
        for left, right in zip(*sides, strict=True):
            total_samples += len(left)
            _check_length(total_samples / SAMPLE_RATE_HZ, longest_s, name)
            yield left, right
        if not total_samples:
            raise DecodeError(f"{name} holds no sound.")


def _side(blocks: Iterable[NDArray[np.float32]], side: int) -> Iterator[NDArray[np.float32]]:
    """Yield one channel of blocks; the last one where there are fewer on the way."""
    for block in blocks:
        place = min(side, block.shape[1] - 1)
        yield block[:, place : place + 1]


def _resampled(track: Track, name: str) -> Iterator[NDArray[np.float32]]:
    return resample(track.blocks(), track.info.sample_rate_hz, name)


def mixed(tracks: Sequence[Iterator[NDArray[np.float32]]]) -> Iterator[NDArray[np.float32]]:
    """Yield the mean of tracks that are heard at the same time; the shorter ones end in silence.

    >>> long, short = np.ones(SAMPLE_RATE_HZ + 1, np.float32), np.ones(1, np.float32)
    >>> [block[:2].tolist() for block in mixed([iter([long]), iter([short])])]
    [[1.0, 0.5], [0.5]]
    """
    if len(tracks) == 1:
        yield from tracks[0]
        return
    nothing = np.zeros(0, np.float32)
    for parts in zip_longest(*(regrouped(track, SAMPLE_RATE_HZ) for track in tracks), fillvalue=nothing):
        total = np.zeros(max(map(len, parts)), np.float32)
        for part in parts:
            total[: len(part)] += part
        yield total / np.float32(len(tracks))


def regrouped(parts: Iterable[NDArray[np.float32]], size: int) -> Iterator[NDArray[np.float32]]:
    """Yield the same samples in arrays of ``size``, the last one shorter.

    >>> [block.tolist() for block in regrouped([np.arange(3), np.arange(2)], 2)]
    [[0, 1], [2, 0], [1]]
    """
    waiting: list[NDArray[np.float32]] = []
    count = 0
    for part in parts:
        waiting.append(part)
        count += len(part)
        if count >= size:
            joined = np.concatenate(waiting)
            whole = count - count % size
            yield from np.split(joined[:whole], whole // size)
            waiting, count = [joined[whole:]], count - whole
    if count:
        yield np.concatenate(waiting)


def check_bytes(source: Path | bytes, limits: Limits, name: str = "") -> None:
    """Refuse a file or its content for the number of its bytes. Raises TooLargeError."""
    is_readable = not isinstance(source, Path) or source.is_file()
    size_bytes = (source.stat().st_size if isinstance(source, Path) else len(source)) if is_readable else 0
    if size_bytes > limits.file_bytes:
        raise TooLargeError(f"{name or name_of(source)} has {size_bytes:,} bytes; {limits.file_bytes:,} are allowed.")


def _check(info: SoundInfo, limits: Limits, name: str) -> None:
    if info.channels > limits.channels:
        raise TooLargeError(f"{name} has {info.channels} channels; {limits.channels} are allowed.")
    if info.sample_rate_hz > limits.sample_rate_hz:
        raise TooLargeError(f"{name} has {info.sample_rate_hz} samples a second; {limits.sample_rate_hz} are allowed.")


def _check_length(duration_s: float, longest_s: float, name: str) -> None:
    if duration_s > longest_s:
        raise TooLongError(f"{name} is longer than {longest_s:g} seconds.", "Cut it into shorter recordings.")
