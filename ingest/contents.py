"""What an archive holds, read in a child process: it may be made to take all memory, or hours (see ``children``)."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Sequence, Set
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from ingest import transcripts
from ingest.archives import Member, chunks, errors_of, members
from ingest.bags import LARGEST_MANIFEST_BYTES, MANIFEST
from ingest.beside import is_recording, may_be_beside
from ingest.endings import is_table
from ingest.metadata import LARGEST_BYTES
from ingest.sources import LONGEST_NAME, clean
from ingest.unpacking import FREE_BYTES, ExhaustedError
from speechsearch.audio.children import Allowance, described, error_of, in_child
from speechsearch.domain.errors import ArchiveError, InputError, TooLargeError
from speechsearch.domain.limits import Limits

Wanted = Literal["tables", "sounds"]
"""What describes recordings (metadata, transcripts, chapters), or the recordings."""

MEMORY_BYTES = 512 << 20
"""An xz may ask for half of it; the directory of a zip with 10,000 entries takes 20 MB."""
SLOWEST_BYTES_A_S = 10e6
"""bzip2, the slowest of all, unpacks about 30 MB a second."""


@dataclass(slots=True)
class Entry:
    """A file in an archive.

    ``chunks``: what it holds, if that was asked for; to be read before the next entry is. ``error``: why it cannot be
    used, complete only after the chunks. ``size_bytes`` is what the archive says.
    """

    path: PurePosixPath
    size_bytes: int
    error: InputError | None
    chunks: Iterator[bytes]


def allowance(packed_bytes: int, limits: Limits) -> Allowance:
    """Return what reading an archive of so many bytes may take."""
    unpacked_bytes = min(limits.archive_bytes, max(FREE_BYTES, limits.archive_ratio * packed_bytes))
    cpu_s = 20.0 + unpacked_bytes / SLOWEST_BYTES_A_S
    return Allowance(MEMORY_BYTES, cpu_s, wait_s=60.0 + 4 * cpu_s)


def entries(
    path: Path, name: str, limits: Limits, wanted: Wanted, folders: Collection[PurePosixPath] = ()
) -> Generator[Entry, None, None]:
    """Yield the files of an archive in its order, with the contents of those that are wanted.

    ``name``: how the archive is called in messages about its members; those about all of it have its name on the disk.
    ``folders``: in these, files are recordings whatever their ending is.

    Raises:
        ArchiveError: it is damaged, not an archive, or past the limits, those of memory and time included.
        OSError: it cannot be read.
    """
    arguments = {"path": str(path.absolute()), "name": name, "limits": limits.model_dump(), "wanted": wanted}
    arguments["folders"] = list(map(str, folders))
    allowed = allowance(path.stat().st_size, limits)
    with closing(in_child(f"{__name__}:read_in_child", arguments, allowed, f"'{path.name}'", ArchiveError)) as values:
        for value in values:
            entry = Entry(PurePosixPath(value["path"]), value["size_bytes"], _error(value), iter(()))
            if value["has_content"]:
                entry.chunks = _chunks(values, entry)
            yield entry
            for _ in entry.chunks:
                pass


def _chunks(values: Iterator[Any], entry: Entry) -> Iterator[bytes]:
    """Yield the content of an entry and note what went wrong with it."""
    for value in values:
        if not isinstance(value, bytes):
            entry.error = _error(value)
            return
        yield value


def _error(value: dict[str, Any]) -> InputError | None:
    if value["error"] is None:
        return None
    error = error_of(value["error"])
    return error if isinstance(error, InputError) else ArchiveError(str(error))


def read_in_child(
    content: bytes, path: str, name: str, limits: dict[str, Any], wanted: Wanted, folders: Sequence[str]
) -> Iterator[dict[str, Any] | bytes]:
    """Yield, for each member, what is known of it and, where it is wanted, its content and how that ended."""
    allowed, places = Limits(**limits), set(map(PurePosixPath, folders))
    for member in members(Path(path), allowed):
        most_bytes = _wanted_bytes(member.path, wanted, places, allowed)
        has_content = member.error is None and most_bytes > 0
        error = member.error and described(member.error)
        yield {
            "path": str(member.path),
            "size_bytes": member.size_bytes,
            "error": error,
            "has_content": has_content,
        }
        if has_content:
            try:
                yield from _content(member, clean(f"{name}/{member.path}", 2 * LONGEST_NAME), most_bytes)
            except ExhaustedError:
                raise
            except InputError as found:
                error = described(found)
            yield {"error": error}


def _wanted_bytes(path: PurePosixPath, wanted: Wanted, folders: Set[PurePosixPath], limits: Limits) -> int:
    """Return how much is read of a member, 0 for nothing."""
    if wanted == "sounds":
        return limits.file_bytes if is_recording(path, folders) else 0
    if is_table(path):
        return LARGEST_BYTES
    if path.name == MANIFEST:
        return LARGEST_MANIFEST_BYTES
    return transcripts.LARGEST_BYTES if may_be_beside(path) else 0


def _content(member: Member, name: str, most_bytes: int) -> Iterator[bytes]:
    size_bytes = 0
    with errors_of(name), member.open() as stream:
        for chunk in chunks(stream):
            size_bytes += len(chunk)
            if size_bytes > most_bytes:
                raise TooLargeError(f"'{name}' has more than {most_bytes:,} bytes.")
            yield chunk
