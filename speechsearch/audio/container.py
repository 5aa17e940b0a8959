"""Tell from a file's bytes, never from its name, what it is, where the sound begins in it, and how it is to be read.

What stands around the sound is passed over: tags of any kind and number, padding, something short that is no sound at
all. Lengths in headers are compared with the file: where they cannot be true, ffmpeg is given the true ones.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from speechsearch.audio import chunks, mpeg
from speechsearch.audio.patched import View
from speechsearch.domain.errors import DecodeError

HEAD_BYTES = 8192
SEARCHED_BYTES = 4 << 20
"""So far from the start sound is looked for, if none begins where it should."""
READABLE = (
    "Readable are wav, flac, mp3, ogg, opus, m4a, mp4, webm, aac, aiff, au, caf, wma, amr, avi, mkv and mpg. "
    "Anything else can be turned into one of them: ffmpeg -i old new.wav."
)

MAGIC = (
    (rb"fLaC", "flac"), (rb"OggS", "ogg"), (rb"(RIFF|RIFX|RF64|BW64)....WAVE", "wav"), (rb"RIFF....AVI ", "avi"),
    (rb"riff.{12}....", "w64"), (rb"FORM....AIF[FC]", "aiff"), (rb"caff", "caf"), (rb"\.snd", "au"),
    (rb"....(ftyp|moov|mdat)|\0...(wide|free|skip|pnot)", "mov"), (rb"\x1a\x45\xdf\xa3", "matroska"),
    (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"), (rb"#!AMR", "amr"), (rb"\0\0\x01\xba", "mpeg"),
    (rb"G.{187}G.{187}G", "mpegts"), (rb".{4}G.{191}G.{191}G", "mpegts"),
)  # fmt: skip
HIDDEN = re.compile(rb"fLaC|OggS\0\x02|RIFF....WAVE|....ftyp", re.DOTALL)
"""What is so unlike anything else that it may be found behind what is no sound."""
OTHERS = (
    (rb"PK\x03\x04", "a ZIP archive"), (rb"Rar!", "a RAR archive"), (rb"7z\xbc\xaf", "a 7z archive"),
    (rb"\x1f\x8b", "packed with gzip"), (rb"%PDF", "a PDF"), (rb"\x89PNG|\xff\xd8\xff|GIF8", "a picture"),
    (rb"\s*<(!doctype|html|\?xml)", "a web page: what was loaded may be a page about the sound, or an error"),
    (rb"#EXTM3U|\[playlist\]|ffconcat", "a play list, which only names where the sound is"), (rb"MThd", "MIDI notes"),
    (rb"MAC ", "Monkey's Audio"), (rb"wvpk", "WavPack"), (rb"MPCK|MP\+", "Musepack"), (rb"TTA1", "True Audio"),
    (rb"\.RMF|\.ra\xfd", "RealAudio"), (rb"DSD |FRM8", "DSD"), (rb"version https://git-lfs", "a pointer of Git LFS"),
)  # fmt: skip
CODEC_NAMES = {"matroska": rb"\x86.(A_[\x21-\x7e]{2,30})", "mov": rb"stsd.{12}([\x20-\x7e]{4})"}
"""Where a container names its codecs."""
TIMED = frozenset({"mov", "matroska", "asf", "avi", "mpegts", "mpeg"})
"""Containers with several streams, whose time stamps say when each is heard."""
ELEMENTARY = frozenset({"mp3", "aac", "flac", "ogg", "amr", "mpegts", "mpeg"})
"""Formats whose length only reading them tells for sure."""
JUMPABLE = frozenset({"wav", "w64", "aiff", "caf", "au", "flac", "ogg", "mov", "matroska"})
"""Formats in which any moment is found at once."""


@dataclass(frozen=True, slots=True)
class Container:
    """What a file is for ffmpeg, and where in the file.

    ``start``: its first byte. ``patches``: bytes to be read in place of others, by their place after ``start``.
    ``is_clean``: nothing but a common tag stands before it, and nothing had to be patched. ``missing``: the part of the
    sound that its header promises and that is not there, 0 to 1. ``table_s``: the length by the table of an MP3.
    """

    format: str
    start: int = 0
    patches: Mapping[int, bytes] = field(default_factory=dict)
    is_clean: bool = True
    can_jump: bool = False
    missing: float = 0.0
    table_s: float = 0.0
    note: str = ""


def identify(file: BinaryIO, name: str) -> Container:
    """Return what a file holds, by content.

    Only what is on our list is opened: ffmpeg is never left to guess, since a play list can make it read other files.

    Raises:
        DecodeError: it is empty or not sound.
    """
    size_bytes = file.seek(0, os.SEEK_END)
    if not size_bytes:
        raise DecodeError(f"{name} is empty.", "Copy it again.")
    start, tags = after_tags(file)
    found = _at(file, start)
    is_clean = tags <= 1
    if found is None:
        other = kind_of(_read(file, 0, HEAD_BYTES))
        place = None if other else _hidden(file)
        if place is None:
            raise DecodeError(f"{name} is not sound in a format that we read{other and f'; it is {other}'}.", READABLE)
        start, is_clean = place, False
        found = _at(file, start)
    if found is None:
        raise DecodeError(f"{name} is not sound in a format that we read.", READABLE)
    return _checked(file, found, start, size_bytes, is_clean)


def kind_of(head: bytes) -> str:
    """Return what a file that is not sound seems to be, empty if we cannot tell.

    >>> kind_of(b"%PDF-1.7"), kind_of(b"<!DOCTYPE html>")[:10], kind_of(b"?")
    ('a PDF', 'a web page', '')
    """
    return next((what for magic, what in OTHERS if re.match(magic, head, re.IGNORECASE)), "")


def codecs_named(file: BinaryIO, container: Container) -> list[str]:
    """Return the codecs that a file itself names, where ffmpeg has no name for them."""
    content = _read(file, container.start, SEARCHED_BYTES)
    if container.format == "wav" and (match := re.search(rb"fmt ....(..)", content, re.DOTALL)):
        return [f"WAV type 0x{int.from_bytes(match[1], 'little'):04x}"]
    names = re.findall(CODEC_NAMES.get(container.format, rb"$^"), content, re.DOTALL)
    return sorted({name.decode("ascii", "replace").strip() for name in names})


def after_tags(file: BinaryIO) -> tuple[int, int]:
    """Return where the sound begins behind tags (ID3v2, APEv2) and padding, and how much there was of either."""
    place, passed = 0, 0
    while True:
        head = _read(file, place, 32)
        if head[:3] == b"ID3" and len(head) > 10 and max(head[6:10]) < 128:
            high, upper, lower, low = head[6:10]  # seven bits each
            has_footer = bool(head[5] & 0x10)
            place += 10 + (high << 21 | upper << 14 | lower << 7 | low) + 10 * has_footer
            passed += 1 + has_footer
        elif head[:8] == b"APETAGEX":
            place += 32 + int.from_bytes(head[12:16], "little")
            passed += 2
        elif head[:16] == bytes(16):
            place = _after_zeros(file, place)
            passed += 2
        else:
            return place, passed


def _after_zeros(file: BinaryIO, place: int) -> int:
    while part := _read(file, place, 1 << 16):
        rest = part.lstrip(b"\0")
        place += len(part) - len(rest)
        if rest:  # some formats begin with zeros of their own
            return next((at for at in range(place - 3, place) if _at(file, at)), place)
    return place


def _at(file: BinaryIO, start: int) -> str | None:
    """Return the format of what begins at a place."""
    head = _read(file, start, HEAD_BYTES)
    for magic, format_name in MAGIC:
        if re.match(magic, head, re.DOTALL):
            return format_name
    if mpeg.is_adts(head):
        return "aac"
    return "mp3" if mpeg.follows(head, 0) else None


def _hidden(file: BinaryIO) -> int | None:
    """Return where sound begins behind something else, None if it does not."""
    content = _read(file, 0, SEARCHED_BYTES)
    places = [match.start() for match in [HIDDEN.search(content)] if match]
    place = mpeg.first_frame(content)
    return min([*places, place]) if place is not None else min(places, default=None)


def _checked(file: BinaryIO, format_name: str, start: int, size_bytes: int, is_clean: bool) -> Container:
    """Return a container with what its own header says of its length compared with the file."""
    can_jump = format_name in JUMPABLE
    if format_name == "mp3":
        head = _read(file, start, HEAD_BYTES)
        jumps = mpeg.has_true_table(head, size_bytes - start)
        return Container("mp3", start, is_clean=is_clean, can_jump=jumps, table_s=mpeg.duration_s(head))
    found = chunks.repaired(cast(BinaryIO, View(file, start)), format_name, size_bytes - start)
    is_usual = _read(file, start, 4) not in (b"RIFX", b"RF64", b"BW64")
    is_clean = is_clean and is_usual and not start and not found.patches
    return Container(format_name, start, found.patches, is_clean, can_jump, found.missing, note=found.note)


def _read(file: BinaryIO, place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)
