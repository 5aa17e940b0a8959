"""Read packed bytes with bounded memory, and count them while they come."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from speechsearch.domain.errors import ArchiveError
from speechsearch.domain.limits import Limits

CHUNK_BYTES = 1 << 20
LARGEST_READ_BYTES = 2 * CHUNK_BYTES
FREE_BYTES = 4 << 20
"""So much may always be unpacked: the ratio says nothing about very small archives."""

XZ_MEMORY_BYTES = 256 << 20
"""What ``xz -9`` asks for is 65 MB."""


PACKED_BYTES = 1 << 16
"""So much of packed data is read at a time."""

LARGEST_HEADER_BYTES = 1 << 16
"""What a tar may say of one member besides its 512 bytes: names, links, attributes."""

LONGEST_NUMBER = re.compile(rb"\d{1000}")


class Decoder(Protocol):
    """What the decoders of ``lzma`` and ``bz2`` have in common."""

    @property
    def eof(self) -> bool: ...  # noqa: D102
    @property
    def needs_input(self) -> bool: ...  # noqa: D102
    @property
    def unused_data(self) -> bytes: ...  # noqa: D102
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...  # noqa: D102


class ExhaustedError(ArchiveError):
    """An archive is past its limits and must not be read further."""


class Meter:
    """Counts what comes out of an archive and stops it at the limits."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.name = path.name
        self.packed_bytes = path.stat().st_size
        self.limits = limits
        self.unpacked_bytes = 0
        self.files = 0

    def add_bytes(self, count: int) -> None:
        """Count bytes that were unpacked, or raise ArchiveError."""
        self.unpacked_bytes += count
        if self.unpacked_bytes > self.limits.archive_bytes:
            raise ExhaustedError(
                f"'{self.name}' holds more than {self.limits.archive_bytes:,} bytes.", "Split it into smaller archives."
            )
        if self.unpacked_bytes > max(FREE_BYTES, self.limits.archive_ratio * self.packed_bytes):
            raise ExhaustedError(
                f"'{self.name}' unpacks to more than {self.limits.archive_ratio:g} times its size.",
                "Unpack it yourself if you trust it, and take in the folder.",
            )

    def add_file(self) -> None:
        """Count one entry, or raise ArchiveError."""
        self.files += 1
        if self.files > self.limits.archive_files:
            raise ExhaustedError(
                f"'{self.name}' has more than {self.limits.archive_files:,} entries.", "Split it into smaller archives."
            )


class CarefulFile(io.FileIO):
    """A file that refuses to be read in one piece larger than any honest archive asks for.

    Both libraries read directories and extended headers whole, with a size that the archive itself names.
    """

    def __init__(self, path: Path, largest_read_bytes: int) -> None:
        super().__init__(path)
        self.largest_read_bytes = max(largest_read_bytes, LARGEST_READ_BYTES)

    def read(self, size: int | None = -1) -> bytes:
        """Read up to ``size`` bytes, or what is left."""
        wanted = self.largest_read_bytes + 1 if size is None or size < 0 else size
        content = super().read(min(wanted, self.largest_read_bytes + 1))
        if len(content) > self.largest_read_bytes:
            raise ExhaustedError(f"'{Path(str(self.name)).name}' has a directory that is too large.")
        return content


def unpacked(raw: CarefulFile) -> BinaryIO:
    """Return the stream inside gzip, bzip2 or xz, by the first bytes; anything else as it is."""
    magic = raw.read(6)
    raw.seek(0)
    if magic[:2] == b"\x1f\x8b":
        return cast(BinaryIO, gzip.GzipFile(fileobj=raw))
    if magic[:3] == b"BZh":
        return unpacking(cast(BinaryIO, raw), bz2.BZ2Decompressor)
    if magic == b"\xfd7zXZ\0":
        return unpacking(cast(BinaryIO, raw), xz_decoder)
    return cast(BinaryIO, raw)


class Unpacker(io.RawIOBase):
    """Unpacks xz or bzip2 with bounded memory, which ``lzma.LZMAFile`` and ``zipfile`` do not."""

    def __init__(self, raw: BinaryIO, new_decoder: Callable[[], Decoder]) -> None:
        self.raw = raw
        self.new_decoder = new_decoder
        self.decoder = new_decoder()

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill ``buffer`` with unpacked bytes and return their number."""
        while True:
            packed = b""
            if self.decoder.eof:
                packed = self.decoder.unused_data.lstrip(b"\0") or self.raw.read(PACKED_BYTES).lstrip(b"\0")
                if not packed:
                    return 0
                self.decoder = self.new_decoder()
            elif self.decoder.needs_input:
                packed = self.raw.read(PACKED_BYTES)
                if not packed:
                    raise EOFError("the packed data ends too early")
            data = self.decoder.decompress(packed, len(buffer))
            if data:
                buffer[: len(data)] = data
                return len(data)


def unpacking(raw: BinaryIO, new_decoder: Callable[[], Decoder]) -> BinaryIO:
    """Return the stream inside a packed one."""
    return cast(BinaryIO, io.BufferedReader(Unpacker(raw, new_decoder), CHUNK_BYTES))


def xz_decoder() -> lzma.LZMADecompressor:
    """Return a decoder that does not take all the memory that a file asks for."""
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY_BYTES)


class Checked(io.RawIOBase):
    """Passes bytes on and compares their checksum with the one they should have."""

    def __init__(self, stream: BinaryIO, crc: int) -> None:
        self.stream = stream
        self.expected = crc
        self.found = 0

    def read(self, size: int = -1) -> bytes:
        """Read up to ``size`` bytes."""
        content = self.stream.read(size)
        self.found = zlib.crc32(content, self.found)
        if not content and size and self.found != self.expected:
            raise ValueError("its checksum (CRC) is wrong")
        return content


class Metered(io.RawIOBase):
    """Passes bytes on and counts them; refuses large single reads as ``CarefulFile`` does."""

    def __init__(self, stream: BinaryIO, meter: Meter) -> None:
        self.stream = stream
        self.meter = meter
        self.position = 0
        self.last = b""
        self.is_header = False

    def expect_header(self, size_bytes: int) -> None:
        """Be told that ``tarfile`` reads more of a header next, of so many bytes."""
        if size_bytes > LARGEST_HEADER_BYTES:
            raise ExhaustedError(f"'{self.meter.name}' has a header that is too large.")
        self.is_header = True

    def read(self, size: int = -1) -> bytes:
        """Read up to ``size`` bytes."""
        if size < 0 or size > LARGEST_READ_BYTES:
            raise ExhaustedError(f"'{self.meter.name}' has a header that is too large.")
        self.last = self.stream.read(size)
        # Up to Python 3.11.9 a regular expression tries every digit of a number as its first (CVE-2024-6232).
        if self.is_header and LONGEST_NUMBER.search(self.last):
            raise ExhaustedError(f"'{self.meter.name}' has a header with a number of more than 1,000 digits.")
        self.is_header = False
        self.position += len(self.last)
        self.meter.add_bytes(len(self.last))
        return self.last

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go forward by reading; a packed stream has no other way, and going back would unpack it again."""
        if whence != 0 or offset < self.position:
            raise ArchiveError(f"'{self.meter.name}' is damaged: its entries overlap.")
        while self.position < offset and self.read(min(CHUNK_BYTES, offset - self.position)):
            pass
        return self.position

    def tell(self) -> int:
        """Return how far it was read."""
        return self.position
