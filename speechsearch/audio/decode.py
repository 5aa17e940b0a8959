"""Read sound files as 16 kHz mono float32, in bounded memory and within the limits of the settings.

All of this runs in the calling process. Files that come from outside are read by ``untrusted``, which runs it in a
child; ``read_span`` is also called directly, for clips of recordings that were decoded whole when they were taken in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from math import ceil, floor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechsearch.audio.container import CUT_OFF
from speechsearch.audio.readers import Reader, SoundInfo, name_of, open_reader
from speechsearch.audio.resample import resample
from speechsearch.domain.errors import DecodeError, TooLargeError, TooLongError
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, Span

EDGE_S = 0.1  # the resampler needs sound on both sides of a span


def probe(path: Path, limits: Limits) -> SoundInfo:
    """Return what a file holds; where its header does not tell the length, the file is decoded to measure it.

    Raises:
        DecodeError: it is not readable sound.
        TooLongError: it is longer than ``limits.duration_s``.
        TooLargeError: it has too many bytes, channels or samples a second.
    """
    check_bytes(path, limits)
    with open_reader(path) as reader:
        _check(reader.info, limits, limits.duration_s, path.name)
        if reader.info.duration_s:
            return reader.info
    return replace(
        reader.info, duration_s=sum(block.duration_s for block in blocks(path, limits, limits.duration_s, block_s=30.0))
    )


def read_span(path: Path, span: Span) -> Audio:
    """Return a stretch of a recording; what lies past the end of the file is left out.

    Raises:
        DecodeError: the file is not readable sound.
    """
    # From a whole second on, source and target samples lie at the same instants, whatever the rates.
    start_s = floor(max(0.0, span.start_s - EDGE_S))
    with open_reader(path) as reader:
        source = islice(reader.blocks(start_s), ceil(span.end_s + EDGE_S - start_s) + 1)
        parts = list(resample(source, reader.info.sample_rate_hz))
    samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    begin, end = (round((time_s - start_s) * SAMPLE_RATE_HZ) for time_s in (span.start_s, span.end_s))
    return Audio(samples[begin:end])


def blocks(source: Path | bytes, limits: Limits, longest_s: float, block_s: float) -> Iterator[Audio]:
    """Yield the sound of a file, or of its content, in consecutive blocks; the last one may be shorter.

    Raises:
        DecodeError: it is not readable sound, is cut off, or holds samples that are not numbers.
        TooLongError: it is longer than ``longest_s``.
        TooLargeError: it has too many bytes, channels or samples a second.
    """
    name = name_of(source)
    check_bytes(source, limits)
    with open_reader(source) as reader:
        _check(reader.info, limits, longest_s, name)
        total_samples = 0
        for block in regrouped(_resampled(reader), round(block_s * SAMPLE_RATE_HZ)):
            total_samples += len(block)
            _check_length(total_samples / SAMPLE_RATE_HZ, longest_s, name)
            yield Audio(block)
        _check_whole(total_samples / SAMPLE_RATE_HZ, reader.info.duration_s, name)


def _resampled(reader: Reader) -> Iterator[NDArray[np.float32]]:
    return resample(reader.blocks(), reader.info.sample_rate_hz)


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


def check_bytes(source: Path | bytes, limits: Limits) -> None:
    """Refuse a file or its content for the number of its bytes. Raises TooLargeError."""
    is_readable = not isinstance(source, Path) or source.is_file()
    size_bytes = (source.stat().st_size if isinstance(source, Path) else len(source)) if is_readable else 0
    if size_bytes > limits.file_bytes:
        raise TooLargeError(f"{name_of(source)} has {size_bytes:,} bytes; {limits.file_bytes:,} are allowed.")


def _check(info: SoundInfo, limits: Limits, longest_s: float, name: str) -> None:
    if info.channels > limits.channels:
        raise TooLargeError(f"{name} has {info.channels} channels; {limits.channels} are allowed.")
    if info.sample_rate_hz > limits.sample_rate_hz:
        raise TooLargeError(f"{name} has {info.sample_rate_hz} samples a second; {limits.sample_rate_hz} are allowed.")
    _check_length(info.duration_s, longest_s, name)


def _check_length(duration_s: float, longest_s: float, name: str) -> None:
    if duration_s > longest_s:
        raise TooLongError(f"{name} is longer than {longest_s:g} seconds.", "Cut it into shorter recordings.")


def _check_whole(decoded_s: float, promised_s: float, name: str) -> None:
    if not decoded_s:
        raise DecodeError(f"{name} holds no sound.")
    if decoded_s < promised_s - max(0.5, 0.01 * promised_s):
        raise DecodeError(
            f"{name} is cut off or damaged: {decoded_s:.1f} of {promised_s:.1f} seconds can be read.", CUT_OFF
        )
