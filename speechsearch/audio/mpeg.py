"""The headers of MPEG audio: where the first frame is, and whether the table in it tells the truth.

Source: ISO/IEC 11172-3 and 13818-3, the frame header; 2.5 is the usual extension to low rates. The table is the usual
one of LAME and others: "Info" where all frames have one bit rate, "Xing" where they do not.
"""

from __future__ import annotations

import re
from typing import NamedTuple

RATES_HZ = (44_100, 48_000, 32_000)
DIVISORS = {3: 1, 2: 2, 0: 4}  # of the rate, by version: 1, 2 and 2.5
KBITS_A_S = {
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}  # by version (2 and 2.5 are alike) and layer
IN_A_ROW = 3
"""So many frames that follow each other are no accident."""
LONGEST_ADTS_BYTES = IN_A_ROW * 8191
_SYNC = re.compile(rb"\xff[\xe2-\xff]")


class Table(NamedTuple):
    """What the first frame tells of all; 0 for what it leaves out."""

    kind: str
    frames: int
    size_bytes: int


def frame(header: bytes) -> tuple[int, int, int] | None:
    r"""Return the bytes, samples and rate of the frame that a header begins; None if it is none of layer II or III.

    >>> frame(b"\xff\xfb\x90\xc4"), frame(b"\xff\xf3\x40\xc4"), frame(b"ID3\x03")
    ((417, 1152, 44100), (104, 576, 22050), None)
    """
    if len(header) < 3 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    bits, rate = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer not in (2, 3) or bits in (0, 15) or rate == 3:
        return None
    rate_hz = RATES_HZ[rate] // DIVISORS[version]
    samples = 576 if layer == 3 and version != 3 else 1152
    bits_a_s = 1000 * KBITS_A_S[(1 if version == 3 else 2, layer)][bits - 1]
    return samples // 8 * bits_a_s // rate_hz + (header[2] >> 1 & 1), samples, rate_hz


def follows(content: bytes, place: int) -> bool:
    """Say whether frames of one rate follow each other from a place on, ``IN_A_ROW`` or up to the end."""
    first = frame(content[place : place + 3])
    for _ in range(IN_A_ROW):
        found = frame(content[place : place + 3])
        if found is None or first is None or found[2] != first[2]:
            return False
        place += found[0]
        if place >= len(content):
            return True
    return True


def first_frame(content: bytes) -> int | None:
    r"""Return where the first of some frames in a row is, of MPEG audio or AAC, None if there are none.

    >>> first_frame(b"no sound"), first_frame(b"no sound" + 4 * (b"\xff\xfb\x90\xc4" + bytes(413)))
    (None, 8)
    """
    places = (match.start() for match in _SYNC.finditer(content))
    return next((place for place in places if len(content) - place > 1024 and _begins(content, place)), None)


def _begins(content: bytes, place: int) -> bool:
    return follows(content, place) or is_adts(content[place : place + LONGEST_ADTS_BYTES])


def table_of(content: bytes) -> Table | None:
    """Return the table in the frame that ``content`` begins with; None if it has none."""
    found = frame(content[:3])
    if found is None:
        return None
    match = re.search(rb"Xing|Info", content[: found[0]])
    if match is None:
        return None
    fields = content[match.end() : match.end() + 12]
    flags, at, values = int.from_bytes(fields[:4], "big"), 4, []
    for bit in (1, 2):
        values.append(int.from_bytes(fields[at : at + 4], "big") if flags & bit else 0)
        at += 4 if flags & bit else 0
    return Table(match.group().decode(), *values)


def duration_s(content: bytes) -> float:
    """Return the length that the table tells, 0 without one."""
    found, table = frame(content[:3]), table_of(content)
    return table.frames * found[1] / found[2] if found and table else 0.0


def has_true_table(content: bytes, size_bytes: int) -> bool:
    """Say whether all frames have one bit rate and the table tells of all of them: then a second is found by its bytes.

    ``size_bytes``: from the first frame on; tags behind the last one may make a hundredth of it.
    """
    table = table_of(content)
    return table is not None and table.kind == "Info" and abs(size_bytes - table.size_bytes) <= 0.01 * size_bytes + 4096


def is_adts(head: bytes) -> bool:
    """Say whether frames of AAC begin here, ``IN_A_ROW`` or up to the end."""
    place = 0
    for _ in range(IN_A_ROW):
        header = head[place : place + 6]
        if len(header) < 6 or header[0] != 0xFF or header[1] & 0xF6 != 0xF0:
            return False
        length = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
        place += max(length, 1)
        if length < 7:
            return False
        if place >= len(head):
            return True
    return True
