"""What ``decode`` does, done in a child process with limited memory and time: for files that come from outside."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechsearch.audio import decode
from speechsearch.audio.children import Allowance, in_child
from speechsearch.audio.decode import BLOCK_S
from speechsearch.audio.readers import name_of
from speechsearch.audio.track import SoundInfo
from speechsearch.domain.errors import DecodeError
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, Span

MEMORY_BYTES = 1 << 30
"""Decoding an hour of any format took 15 MB besides the libraries; large pictures and indexes of films take more."""


def allowance(longest_s: float) -> Allowance:
    """Return what reading a sound of at most so many seconds may take.

    One core decodes common formats at 100 times real time and more; this asks for 20.
    """
    cpu_s = 20.0 + longest_s / 20
    return Allowance(MEMORY_BYTES, cpu_s, wait_s=60.0 + 4 * cpu_s)


def probe(path: Path, limits: Limits, name: str = "") -> SoundInfo:
    """Return what a file holds; its length is measured, not believed. ``name``: how messages call the file.

    Raises:
        DecodeError: it is not readable sound, or takes too much memory or time.
        TooLongError: it is longer than ``limits.duration_s``.
        TooLargeError: it has too many bytes, channels or samples a second.
    """
    (found,) = _task("probed_in_child", path, name, limits.duration_s, limits=limits.model_dump())
    return SoundInfo(**found)


def stream(
    path: Path, limits: Limits, block_s: float = BLOCK_S, name: str = "", on_note: decode.OnNote = decode.ignore
) -> Iterator[Audio]:
    """Yield the sound of a file in consecutive blocks of ``block_s`` seconds; the last one may be shorter.

    What can be decoded is taken, whatever the header says; ``on_note`` is told at the end what was left out.

    Raises:
        DecodeError: it is not readable sound, holds samples that are not numbers, or takes too much.
        TooLongError: it is longer than ``limits.duration_s``.
        TooLargeError: it has too many bytes, channels or samples a second.
    """
    size = round(block_s * SAMPLE_RATE_HZ)
    return map(Audio, decode.regrouped(_sent(path, limits, limits.duration_s, name, on_note), size))


def stream_channels(path: Path, limits: Limits, name: str = "") -> Iterator[tuple[Audio, ...]]:
    """Yield the sound of a file in consecutive blocks: of both channels where it is stereo, else the mean of all.

    Raises:
        DecodeError: it is not readable sound, holds samples that are not numbers, or takes too much.
        TooLongError: it is longer than ``limits.duration_s``.
        TooLargeError: it has too many bytes, channels or samples a second.
    """
    decode.check_bytes(path, limits, name)
    allowed = {"limits": limits.model_dump(), "longest_s": limits.duration_s}
    channels = 1
    for value in _task("channels_in_child", path, name, limits.duration_s, **allowed):
        if isinstance(value, int):
            channels = value
        else:
            yield tuple(map(Audio, _samples(value).reshape(channels, -1)))


def load(source: Path | bytes, limits: Limits, longest_s: float, name: str = "") -> Audio:
    """Return a short sound whole.

    Raises:
        DecodeError: it is not readable sound, holds samples that are not numbers, or takes too much.
        TooLongError: it is longer than ``longest_s``.
        TooLargeError: it has too many bytes, channels or samples a second.
    """
    return Audio(np.concatenate(list(_sent(source, limits, longest_s, name))))


def read_span(path: Path, span: Span, name: str = "") -> Audio:
    """Return a stretch of a recording; what lies past the end of the file is left out.

    Raises:
        DecodeError: the file is not readable sound, or takes too much.
    """
    parts = _task("span_in_child", path, name, span.end_s, start_s=span.start_s, end_s=span.end_s)
    return Audio(np.concatenate([np.zeros(0, np.float32), *map(_samples, parts)]))


def _sent(
    source: Path | bytes, limits: Limits, longest_s: float, name: str, on_note: decode.OnNote = decode.ignore
) -> Iterator[NDArray[np.float32]]:
    decode.check_bytes(source, limits, name)
    allowed = {"limits": limits.model_dump(), "longest_s": longest_s}
    for value in _task("blocks_in_child", source, name, longest_s, **allowed):
        if isinstance(value, bytes):
            yield _samples(value)
        else:
            on_note(value)


def _task(
    function: str, source: Path | bytes, name: str, allowed_s: float, **arguments: Any
) -> Generator[Any, None, None]:
    # A path is made absolute, because the child's folder is where it was started.
    path, content = (str(source.absolute()), b"") if isinstance(source, Path) else ("", source)
    name = name or name_of(source)
    arguments = {"path": path, "name": name, **arguments}
    return in_child(f"{__name__}:{function}", arguments, allowance(allowed_s), name, DecodeError, content)


def _samples(content: bytes) -> NDArray[np.float32]:
    return np.frombuffer(content, np.float32)


def probed_in_child(content: bytes, path: str, name: str, limits: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what a file holds."""
    yield asdict(decode.probe(Path(path), Limits(**limits), name))


def blocks_in_child(
    content: bytes, path: str, name: str, limits: dict[str, Any], longest_s: float
) -> Iterator[bytes | str]:
    """Yield the samples of a file or, without a path, of its content, and then what was left out of it."""
    notes: list[str] = []
    source = Path(path) if path else content
    for block in decode.blocks(source, Limits(**limits), longest_s, BLOCK_S, name, notes.append):
        yield block.samples.tobytes()
    yield from notes


def channels_in_child(
    content: bytes, path: str, name: str, limits: dict[str, Any], longest_s: float
) -> Iterator[bytes | int]:
    """Yield how many channels there are, and then the samples of each block, channel by channel."""
    for place, block in enumerate(decode.channel_blocks(Path(path), Limits(**limits), longest_s, name)):
        if not place:
            yield len(block)
        yield b"".join(channel.tobytes() for channel in block)


def span_in_child(content: bytes, path: str, name: str, start_s: float, end_s: float) -> Iterator[bytes]:
    """Yield the samples of a stretch of a file, in parts that fit into a frame."""
    samples = decode.read_span(Path(path), Span(start_s, end_s), name).samples
    size = round(BLOCK_S * SAMPLE_RATE_HZ)
    for start in range(0, len(samples), size):
        yield samples[start : start + size].tobytes()
