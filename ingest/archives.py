"""Zip and tar archives, read one member at a time and never trusted.

Nothing is unpacked under a name from the archive. Sizes in headers are not believed: bytes are counted as they come.
``contents`` runs this in a child process, for what the libraries do with memory and time in spite of the care here.
"""

from __future__ import annotations

import bz2
import copy
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from ingest.sources import LONGEST_NAME, clean
from ingest.unpacking import CHUNK_BYTES, CarefulFile, Checked, Meter, Metered, unpacked, unpacking
from speechsearch.domain.errors import ArchiveError, SpeechSearchError
from speechsearch.domain.limits import Limits

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz", ".tbz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz")
OTHER_ARCHIVES = (*ARCHIVE_SUFFIXES, ".gz", ".bz2", ".xz", ".7z", ".rar", ".tar.zst", ".zst")
"""Endings of archives, those that cannot be opened included."""

HEADER_BYTES = 1000
"""A directory entry with a long name; more an entry is refused before it is read into memory."""

LONGEST_PATH, DEEPEST_PATH = 4096, 100
"""Characters and folders; every folder above a file is looked at for its metadata."""

ZIP_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2}
"""LZMA is left out because a zip can ask it for 4 GB of memory."""

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


def is_archive(name: str) -> bool:
    """Tell whether a file is to be opened as an archive, by its name.

    >>> is_archive("Talks.TAR.GZ"), is_archive("talk.mp3")
    (True, False)
    """
    return name.lower().endswith(ARCHIVE_SUFFIXES)


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


def is_hidden(path: PurePosixPath) -> bool:
    """Tell whether a file or a folder above it is hidden, or kept by macOS for itself.

    >>> [is_hidden(PurePosixPath(path)) for path in ("__MACOSX/a.mp3", "a/.b/c.mp3", "a/b.mp3")]
    [True, True, False]
    """
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


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
        if error.errno is not None:
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
        for entry in archive.infolist():
            meter.add_file()
            yield from _checked(
                entry.filename,
                entry.is_dir(),
                _zip_error(entry),
                entry.file_size,
                meter,
                partial(_open_zip, archive, entry, meter),
            )


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
