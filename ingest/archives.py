"""Zip and tar archives, read one member at a time and never trusted.

Nothing is unpacked under a name from the archive. Sizes in headers are not believed: bytes are counted as they come.
``contents`` runs this in a child process, for what the libraries do with memory and time in spite of the care here.
"""

from __future__ import annotations

import bz2
import copy
import errno
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from ingest.endings import OTHER_ARCHIVES, is_hidden
from ingest.legacy_text import OF_ARCHIVES, guess
from ingest.sources import LONGEST_NAME, clean
from ingest.unpacking import CHUNK_BYTES, CarefulFile, Checked, Meter, Metered, unpacked, unpacking
from speechsearch.domain.errors import ArchiveError, SpeechSearchError
from speechsearch.domain.limits import Limits

HEADER_BYTES = 1000
"""A directory entry with a long name; more an entry is refused before it is read into memory."""

LONGEST_PATH, DEEPEST_PATH = 4096, 100
"""Characters and folders; every folder above a file is looked at for its metadata."""

ZIP_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2}
"""LZMA is left out because a zip can ask it for 4 GB of memory."""

UTF_8_FLAG, UNICODE_PATH = 0x800, 0x7075
"""The flag of an entry, and the kind of extra field (Info-ZIP), that say that a name is UTF-8."""

LONG_HEADERS = (
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
)  # fmt: skip
"""Entries of a tar that only tell more of the next one."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive; ``error`` says why it must not be opened. Open it before the next one is asked for.

    ``size_bytes`` is what the archive says.
    """

    path: PurePosixPath
    size_bytes: int
    open: Callable[[], BinaryIO]
    error: ArchiveError | None = None


def member_path(name: str) -> PurePosixPath:
    r"""Return the path of a member inside its archive, or raise ArchiveError when it points outside.

    >>> member_path("./talks\\day 1/a.mp3")
    PurePosixPath('talks/day 1/a.mp3')
    >>> member_path("talks/../../a.mp3")
    Traceback (most recent call last):
    speechsearch.domain.errors.ArchiveError: 'talks/../../a.mp3' points outside of the archive.
    """
    text = name.replace("\\", "/")
    path = PurePosixPath(*(part for part in text.split("/") if part not in {"", "."}))
    if text.startswith("/") or ".." in path.parts or re.match(r"[A-Za-z]:/", text):
        raise ArchiveError(f"'{clean(name, LONGEST_NAME)}' points outside of the archive.")
    if len(text) > LONGEST_PATH or len(path.parts) > DEEPEST_PATH:
        raise ArchiveError(f"'{clean(name, LONGEST_NAME)}' has too long a path.")
    return path


def members(path: Path, limits: Limits) -> Generator[Member, None, None]:
    """Yield the files of a zip or tar archive in its order, hidden ones and folders left out.

    Raises:
        ArchiveError: it is damaged, not an archive, or past the limits.
        OSError: it cannot be read.
    """
    meter = Meter(path, limits)
    with errors_of(path.name), CarefulFile(path, limits.archive_files * HEADER_BYTES) as raw:
        magic = raw.read(4)
        raw.seek(0)
        yield from _zip_members(raw, meter) if magic[:2] == b"PK" else _tar_members(raw, meter)


def chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield what a member holds, piece by piece."""
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


@contextmanager
def errors_of(name: str) -> Iterator[None]:
    """Turn the many errors of damaged archives into ArchiveError; those of the disk pass."""
    try:
        yield
    except SpeechSearchError:
        raise
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # an archive may say that something lies before its beginning
            raise
        raise ArchiveError(f"'{name}' is damaged: {error}") from error
    except (
        tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError,
        ValueError, LookupError, OverflowError, RuntimeError,
    ) as error:  # fmt: skip
        raise ArchiveError(f"'{name}' is damaged or not an archive: {clean(error)}.") from error


def _zip_members(raw: CarefulFile, meter: Meter) -> Iterator[Member]:
    """Yield the members of a zip archive; encrypted and special ones with the reason."""
    with zipfile.ZipFile(raw) as archive:
        listed = archive.infolist()
        encoding = _encoding_of(listed[: meter.limits.archive_files])
        for entry in listed:
            meter.add_file()
            yield from _checked(
                _zip_name(entry, encoding),
                entry.is_dir(),
                _zip_error(entry),
                entry.file_size,
                meter,
                partial(_open_zip, archive, entry, meter),
            )


def _encoding_of(entries: Sequence[zipfile.ZipInfo]) -> str:
    """Return the encoding of the names in a zip that do not say theirs; one program has written them all.

    macOS writes UTF-8 and does not say so, others what their country's DOS or Windows had.
    """
    content = b"\n".join(_raw_name(entry) for entry in entries if not entry.flag_bits & UTF_8_FLAG)
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return guess(content, OF_ARCHIVES)
    return "utf-8"


def _zip_name(entry: zipfile.ZipInfo, encoding: str) -> str:
    """Return the path of an entry in letters."""
    if entry.flag_bits & UTF_8_FLAG:
        return entry.filename
    raw = _raw_name(entry)
    told = _unicode_path(entry.extra, raw)
    return told.decode("utf-8", "replace") if told else raw.decode(encoding, "replace")


def _raw_name(entry: zipfile.ZipInfo) -> bytes:
    """Return the bytes of a name that has no mark of UTF-8, up to a NUL as ``zipfile`` reads them."""
    return entry.orig_filename.encode("cp437", "replace").partition(b"\0")[0]


def _unicode_path(extra: bytes, raw: bytes) -> bytes:
    """Return the name in UTF-8 that Info-ZIP keeps beside the other, if it is of the same name; else nothing."""
    while len(extra) >= 4:
        kind, size_bytes = struct.unpack("<HH", extra[:4])
        field, extra = extra[4 : 4 + size_bytes], extra[4 + size_bytes :]
        if (
            kind == UNICODE_PATH
            and len(field) > 5
            and field[0] == 1
            and field[1:5] == struct.pack("<I", zlib.crc32(raw))
        ):
            return field[5:]
    return b""


def _open_zip(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, meter: Meter) -> BinaryIO:
    if entry.compress_type == zipfile.ZIP_BZIP2:
        return cast(BinaryIO, Metered(cast(BinaryIO, Checked(_unpacked_bzip2(archive, entry), entry.CRC)), meter))
    return cast(BinaryIO, Metered(cast(BinaryIO, archive.open(entry)), meter))


def _unpacked_bzip2(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> BinaryIO:
    """Return what a member holds; ``zipfile`` would unpack all that comes of 4 KB at once, which may be gigabytes."""
    packed = copy.copy(entry)
    packed.compress_type, packed.file_size = zipfile.ZIP_STORED, entry.compress_size
    del packed.CRC  # it is that of the unpacked bytes; without one, nothing is compared
    return unpacking(cast(BinaryIO, archive.open(packed)), bz2.BZ2Decompressor)


def _zip_error(entry: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return "is a link or a device"
    if entry.flag_bits & 0x1:
        return "is encrypted"
    return "" if entry.compress_type in ZIP_METHODS else "is packed by a method that is not supported"


class CarefulInfo(tarfile.TarInfo):
    """A header that announces what else of it is read, before ``tarfile`` reads it."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in LONG_HEADERS:
            cast(Metered, archive.fileobj).expect_header(self.size)
        return cast(tarfile.TarInfo, super()._proc_member(archive))  # type: ignore[misc]  # made for this


def _tar_members(raw: CarefulFile, meter: Meter) -> Iterator[Member]:
    """Yield the members of a tar archive, plain or packed; links, devices and holes with the reason."""
    stream = Metered(unpacked(raw), meter)
    with tarfile.open(fileobj=stream, mode="r:", tarinfo=CarefulInfo) as archive:
        for entry in archive:
            meter.add_file()
            archive.members.clear()  # type: ignore[attr-defined]  # it would keep every header for random access
            yield from _checked(
                entry.name,
                entry.isdir(),
                "" if entry.isreg() and not entry.issparse() else "is a link, a device or a file with holes",
                entry.size,
                meter,
                partial(_open_tar, archive, entry),
            )
    if stream.last.strip(b"\0"):
        raise ArchiveError(f"'{meter.name}' is damaged: a header cannot be read.", "What came before it was taken in.")


def _open_tar(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> BinaryIO:
    return cast(BinaryIO, archive.extractfile(entry))


def _checked(
    name: str, is_folder: bool, reason: str, size_bytes: int, meter: Meter, open_member: Callable[[], BinaryIO],
) -> Iterator[Member]:  # fmt: skip
    """Yield the member unless it is a folder or hidden."""
    if is_folder:
        return
    try:
        path = member_path(name)
    except ArchiveError as error:
        yield Member(PurePosixPath(clean(name, LONGEST_NAME)), 0, open_member, error)
        return
    if path.parts and not is_hidden(path):
        problem = (
            ArchiveError(f"'{path}' {reason} and was left out.")
            if reason
            else _entry_error(path, size_bytes, meter.limits)
        )
        yield Member(path, size_bytes, open_member, problem)


def _entry_error(path: PurePosixPath, size_bytes: int, limits: Limits) -> ArchiveError | None:
    """Return why a member must not be opened, whatever the kind of archive."""
    if path.name.lower().endswith(OTHER_ARCHIVES):
        return ArchiveError(f"'{path}' is an archive inside an archive and was not opened.", "Unpack it first.")
    if size_bytes > limits.file_bytes:
        return ArchiveError(f"'{path}' has {size_bytes:,} bytes; the limit is {limits.file_bytes:,}.")
    return None
