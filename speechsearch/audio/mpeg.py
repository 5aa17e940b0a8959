"""Find a moment in MPEG audio that has no table of its own, by the headers of its frames.

Source: ISO/IEC 11172-3 and 13818-3, the frame header; 2.5 is the usual extension to low rates.
"""

from __future__ import annotations

import io
import mmap
import os
from typing import BinaryIO

RATES_HZ = (44_100, 48_000, 32_000)
DIVISORS = {3: 1, 2: 2, 0: 4}  # of the rate, by version: 1, 2 and 2.5
KBITS_A_S = {
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}  # by version (2 and 2.5 are alike) and layer


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


def place_of(file: BinaryIO, sample: int) -> tuple[int, int] | None:
    """Return where the frame with a sample begins, in bytes and in samples, by going from header to header.

    An hour takes a third of a second. None where the frames do not follow each other without a gap, all of one rate:
    then only decoding tells how a reader counts.
    """
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        place = 0
        if content[:3] == b"ID3" and len(content) > 10:
            high, upper, lower, low = content[6:10]  # seven bits each
            place = 10 + (high << 21 | upper << 14 | lower << 7 | low)
        first = frame(content[place : place + 3])
        if first is None:
            return None
        _, samples, rate_hz = first
        sizes: dict[bytes, int] = {}
        for begin in range(0, sample + 1, samples):
            header = content[place : place + 3]
            if header not in sizes:
                found = frame(header)
                if found is None or found[1:] != (samples, rate_hz):
                    return None
                sizes[header] = found[0]
            if begin + samples > sample:
                return place, begin
            place += sizes[header]
    return None


class Rest(io.RawIOBase):
    """A file from some place on, as if it began there."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        self._file = file
        self._start = start
        file.seek(start)

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Read up to ``size`` bytes."""
        return self._file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place and return it."""
        return self._file.seek(offset + (self._start if whence == os.SEEK_SET else 0), whence) - self._start

    def tell(self) -> int:
        """Return the place."""
        return self._file.tell() - self._start
