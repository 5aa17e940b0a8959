"""Tell from a file's first bytes, never from its name, what it is and who reads it."""

from __future__ import annotations

import os
from typing import BinaryIO, Literal, NamedTuple

from speechsearch.domain.errors import DecodeError

HEAD_BYTES = 8192
OGG_PAGE_BYTES = 65_307
READABLE = "Readable are wav, flac, mp3, ogg, opus, m4a, mp4, webm and aac."
CUT_OFF = "Copy it again, or turn what is there into a new file: ffmpeg -i broken new.wav."


class Container(NamedTuple):
    """Who reads a file and as what; ``is_seekable``, ``has_length``: its time stamps and its stated length are true."""

    reader: Literal["libsndfile", "ffmpeg"]
    name: str
    is_seekable: bool = True
    has_length: bool = True


def identify(file: BinaryIO, name: str) -> Container:
    """Return what a file holds, by content; the file is left at its start.

    Only what is on this list is opened: ffmpeg is never left to guess, since a play list can make it read other files.

    Raises:
        DecodeError: it is empty, not sound, or cut off in a way that its first or last bytes show.
    """
    size_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if not head:
        raise DecodeError(f"{name} is empty.", "Copy it again.")
    container = _mpeg(file, head) or _by_magic(head)
    if container is None:
        raise DecodeError(f"{name} is not sound in a format that we read.", READABLE)
    if is_cut_off(file, head, size_bytes):
        raise DecodeError(f"{name} is cut off: it ends before its own header says.", CUT_OFF)
    return container


def _by_magic(head: bytes) -> Container | None:
    if head[:4] in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE":
        return Container("libsndfile", "wav")
    if head[:4] == b"OggS":
        # ffmpeg decodes Opus about twice as fast as libsndfile does.
        return Container("ffmpeg", "ogg") if b"OpusHead" in head[:128] else Container("libsndfile", "ogg")
    if head[:4] in (b"fLaC", b"FORM", b"caff", b".snd", b"riff"):
        return Container("libsndfile", head[:4].decode().lower().strip("."))
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return Container("ffmpeg", "mov")
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return Container("ffmpeg", "matroska")
    return None


def _mpeg(file: BinaryIO, head: bytes) -> Container | None:
    """Return how to read MPEG audio, None for anything else."""
    if head[:3] == b"ID3" and len(head) > 10:
        high, upper, lower, low = head[6:10]  # seven bits each
        file.seek(10 + (high << 21 | upper << 14 | lower << 7 | low))
        head = file.read(HEAD_BYTES)
        file.seek(0)
        if head[:4] == b"fLaC":
            return Container("libsndfile", "flac")
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    layer = head[1] >> 1 & 3
    if layer == 0 and head[1] & 0xF0 == 0xF0:
        return Container("ffmpeg", "aac", is_seekable=False, has_length=False)
    if layer not in (1, 2):  # III and II; text in UTF-16 looks like layer I
        return None
    if any(tag in head for tag in (b"Xing", b"Info", b"VBRI")):
        return Container("libsndfile", "mp3")
    # Without that header every reader guesses the length from the first frames, and libsndfile stops at its guess.
    return Container("ffmpeg", "mp3", is_seekable=False, has_length=False)


def is_cut_off(file: BinaryIO, head: bytes, size_bytes: int) -> bool:
    """Say whether a WAV file is clearly shorter than its header says, or an Ogg file ends in the middle of a page."""
    if head[:4] == b"RIFF":
        promised_bytes = int.from_bytes(head[4:8], "little") + 8
        is_streamed = promised_bytes >= 0x7FFF0000  # a writer that could not know the length
        return not is_streamed and promised_bytes > size_bytes * 1.01 + 8
    if head[:4] == b"OggS":
        file.seek(max(0, size_bytes - 2 * OGG_PAGE_BYTES))
        tail = file.read()
        file.seek(0)
        page = tail[tail.rfind(b"OggS") :]
        return len(page) < 27 or len(page) < 27 + page[26] or len(page) < 27 + page[26] + sum(page[27 : 27 + page[26]])
    return False
