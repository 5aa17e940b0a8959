"""Compare the stated length of uncompressed sound with the file: recorders that crash never write it.

WAV, RF64, W64, AIFF, AU and CAF are rows of chunks, each with a name and a size; the sound is one of them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

UNKNOWN = (0, 0xFFFFFFFF, (1 << 63) - 1, (1 << 64) - 1)
"""Sizes that say that the writer could not tell."""
LAST_STREAMED = 0x7FFF0000
"""From here on a size of 32 bits is that of a writer that could not tell either."""
MOST_CHUNKS = 10_000
FARTHEST = 1 << 62
"""A size may point to a place that no file has."""
TAGS = (b"ID3", b"TAG", b"APETAGEX")


class Layout(NamedTuple):
    """Where the chunks of a format begin, and what one looks like."""

    first: int
    name_bytes: int
    size: struct.Struct
    counts_itself: bool  # whether the size is that of the whole chunk
    align: int
    sound: bytes


LAYOUTS = {
    "wav": Layout(12, 4, struct.Struct("<I"), False, 2, b"data"),
    "rifx": Layout(12, 4, struct.Struct(">I"), False, 2, b"data"),
    "w64": Layout(40, 16, struct.Struct("<Q"), True, 8, b"data"),
    "aiff": Layout(12, 4, struct.Struct(">I"), False, 2, b"SSND"),
    "caf": Layout(8, 4, struct.Struct(">Q"), False, 1, b"data"),
}


@dataclass(frozen=True, slots=True)
class Repair:
    """What must be read in place of the file's own bytes, and which part of the sound is missing (0 to 1)."""

    patches: Mapping[int, bytes] = field(default_factory=dict)
    missing: float = 0.0
    note: str = ""


def repaired(file: BinaryIO, format_name: str, size_bytes: int) -> Repair:
    """Return how a file must be read so that all its sound is; for other formats than these, as it is."""
    head = _read(file, 0, 12)
    if format_name == "au":
        return _repaired_au(head, size_bytes)
    layout = LAYOUTS.get("rifx" if head[:4] == b"RIFX" else format_name)
    if layout is None:
        return Repair()
    place, long_size, long_place, sample_format = layout.first, None, 0, b""
    for _ in range(MOST_CHUNKS):
        chunk = _chunk(file, place, layout)
        if chunk is None:
            return Repair()
        name, size, begin = chunk
        if name == b"ds64":  # of RF64, where the sizes of 32 bits say nothing
            long_place = begin + 8
            long_size = int.from_bytes(_read(file, long_place, 8), "little")
        elif name == b"fmt ":
            sample_format = _read(file, begin, min(size, 40))
        elif name == layout.sound:
            stated = long_size if long_size is not None and size == 0xFFFFFFFF else size
            rest = size_bytes - begin
            note = _note_of_other(file, begin, begin + stated, layout, sample_format)
            if 0 < stated <= rest and (note or not _has_more(file, begin + stated, layout, size_bytes)):
                return Repair(_outer_patch(head, size_bytes), note=note)
            is_unknown = stated in UNKNOWN or stated >= LAST_STREAMED > rest
            patches = {long_place: struct.pack("<Q", rest)} if long_place else _patch(place, layout, rest)
            is_told_elsewhere = layout.sound == b"SSND"  # an AIFF counts its samples in another chunk
            missing = 0.0 if is_unknown or is_told_elsewhere or stated <= rest else 1 - rest / stated
            return Repair({**patches, **_outer_patch(head, size_bytes)}, missing)
        place = begin + size + -size % layout.align
    return Repair()


def _repaired_au(head: bytes, size_bytes: int) -> Repair:
    start, stated = struct.unpack(">II", head[4:12]) if len(head) == 12 else (0, 0)
    rest = max(1, size_bytes - start)
    is_unknown = stated in UNKNOWN
    if is_unknown or stated == rest:
        return Repair()
    return Repair({8: b"\xff\xff\xff\xff"}, 0.0 if stated <= rest else 1 - rest / stated)


def _chunk(file: BinaryIO, place: int, layout: Layout) -> tuple[bytes, int, int] | None:
    """Return the name and size of the chunk at a place, and where its content begins; None if there is none."""
    header_bytes = layout.name_bytes + layout.size.size
    header = _read(file, place, header_bytes)
    if len(header) < header_bytes or not all(32 <= one < 127 for one in header[:4]):
        return None
    (size,) = layout.size.unpack(header[layout.name_bytes :])
    return header[:4], max(0, size - header_bytes) if layout.counts_itself else size, place + header_bytes


def _has_more(file: BinaryIO, end: int, layout: Layout, size_bytes: int) -> bool:
    """Say whether what follows the sound is more of it: it is neither chunks nor a tag, or another file joined on."""
    place = end + -end % layout.align
    for _ in range(MOST_CHUNKS):
        left = _read(file, place, 16)
        if len(left) < 8 or left.startswith(TAGS) or left == bytes(16):
            return False
        if left[:4] in (b"RIFF", b"FORM", b"RF64"):
            return True
        chunk = _chunk(file, place, layout)
        if chunk is None or chunk[2] + chunk[1] > size_bytes + 1:
            return True
        place = chunk[2] + chunk[1] + -chunk[1] % layout.align
    return True


def _note_of_other(file: BinaryIO, begin: int, end: int, layout: Layout, sample_format: bytes) -> str:
    """Return that a file is joined on which cannot be read as more of the same, if one is.

    It can if its samples are of the same kind and do not begin in the middle of one, counted from ``begin``.
    """
    place = end + -end % layout.align
    if len(sample_format) < 16 or _read(file, place, 4) != b"RIFF":
        return ""
    other_format, place = b"", place + layout.first
    for _ in range(MOST_CHUNKS):
        chunk = _chunk(file, place, layout)
        if chunk is None:
            break
        name, size, place = chunk
        if name == b"fmt ":
            other_format = _read(file, place, 16)
        elif name == layout.sound:
            frame_bytes = max(1, int.from_bytes(sample_format[12:14], "little"))
            if other_format == sample_format[:16] and (place - begin) % frame_bytes == 0:
                return ""
            break
        place += size + -size % layout.align
    return "A second file that is joined to its end has another format and was left out."


def _outer_patch(head: bytes, size_bytes: int) -> dict[int, bytes]:
    """Return what makes an AIFF as long as its file is, by which ffmpeg ends it."""
    true_size = struct.pack(">I", min(size_bytes - 8, 0xFFFFFFFF))
    return {4: true_size} if head[:4] == b"FORM" and head[4:8] != true_size else {}


def _patch(place: int, layout: Layout, rest: int) -> dict[int, bytes]:
    """Return what makes the sound's chunk go to the end of the file."""
    size = rest + (layout.name_bytes + layout.size.size if layout.counts_itself else 0)
    most = (1 << 8 * layout.size.size) - 1
    return {place + layout.name_bytes: layout.size.pack(min(size, most))}


def _read(file: BinaryIO, place: int, count: int) -> bytes:
    file.seek(min(place, FARTHEST))
    return file.read(count)
