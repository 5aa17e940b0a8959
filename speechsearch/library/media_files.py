"""Where the sound files of recordings lie: in the data folder, in a folder that machines share, or in a bucket.

Each is named after its content and never changes. What reads a recording gets a path on this machine; from a bucket a
file is fetched first and kept for a while, so that a player that jumps about in it asks the bucket once.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from speechsearch.domain.errors import ConfigurationError, NotFoundError, StoreError
from speechsearch.library.addresses import address_errors, files_at, is_address

log = logging.getLogger(__name__)

UNFINISHED = ".unfinished"
MOST_LEFT = 1
"""So many files that the database does not know a killed process may leave."""
LISTED_FOR_S = 60.0
"""So long a bucket's list of files counts: sizes are shown, and nothing else goes by them."""


class MediaFiles(Protocol):
    """Keeps sound files by name. Every method raises StoreError when they cannot be reached.

    ``is_shared``: other processes put files into it too, so that one nobody knows may be what they work on.
    """

    @property
    def is_shared(self) -> bool: ...  # noqa: D102

    def keep(self, path: Path, name: str) -> None:
        """Copy a file to the others, under a name; one that is there stays. All of it is there, or nothing."""

    def path(self, name: str) -> Path:
        """Return where a file lies on this machine. Raises NotFoundError: it is gone."""

    def remove(self, name: str) -> None:
        """Remove a file; one that is gone is no error."""

    def sizes(self, names: Sequence[str]) -> list[int]:
        """Return the bytes of each file; 0 of one that is gone."""

    def sweep(self, known: Collection[str]) -> None:
        """Remove what a killed process left: files of none of these recordings, unless others put files into it too.

        Raises:
            ConfigurationError: there are no recordings, but files: it is the database that is lost, or another's.
        """


class MediaFolder:
    """A folder, of one process alone or shared."""

    def __init__(self, folder: Path, is_shared: bool = False) -> None:
        self.folder, self.is_shared = folder, is_shared
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            hint = "Make it, or set SPEECHSEARCH_MEDIA__URL."
            raise ConfigurationError(f"The folder {folder} for sound files cannot be used: {error}", hint) from error

    def keep(self, path: Path, name: str) -> None:
        """Copy a file to the others."""
        if not (self.folder / name).exists():
            unfinished = self.folder / (name + UNFINISHED)
            try:
                shutil.copyfile(path, unfinished)
            except BaseException:
                unfinished.unlink(missing_ok=True)  # on a full disk, the database needs the room to say so
                raise
            unfinished.replace(self.folder / name)

    def path(self, name: str) -> Path:
        """Return where a file lies. Raises NotFoundError: it is gone."""
        found = self.folder / name
        if not found.exists():
            raise NotFoundError("The audio of this recording is gone.", "Run: speechsearch doctor")
        return found

    def remove(self, name: str) -> None:
        """Remove a file, and what of it was not finished."""
        for one in (name, name + UNFINISHED):
            (self.folder / one).unlink(missing_ok=True)

    def sizes(self, names: Sequence[str]) -> list[int]:
        """Return the bytes of each file."""
        return [found.stat().st_size if (found := self.folder / name).exists() else 0 for name in names]

    def sweep(self, known: Collection[str]) -> None:
        """Remove what a killed process left, which is one file of no recording at most; where there are more, none."""
        if self.is_shared:
            return
        files = [file for file in self.folder.iterdir() if file.is_file()]
        unfinished = [file for file in files if file.name.endswith(UNFINISHED)]
        unknown = [file for file in files if file not in unfinished and file.stem not in known]
        if len(unknown) > MOST_LEFT:
            if not known:
                raise ConfigurationError(
                    f"The database has no recordings, but there are {len(unknown):,} sound files in {self.folder}.",
                    "Name their database (SPEECHSEARCH_STORE__URL) or restore it from a backup; if it is lost, move"
                    " them to another place and take them in again.",
                )
            log.warning("%d files in %s belong to no recording; they stay.", len(unknown), self.folder)
            unknown = []
        for file in (*unfinished, *unknown):
            file.unlink()


class MediaBucket:
    """Files at an address that fsspec knows, such as ``s3://bucket/speech``.

    Args:
        url: where they lie.
        folder: where on this machine those lie that were fetched.
        kept_bytes: how much may lie there; the ones that were used longest ago go first.

    Raises:
        MissingDependencyError: fsspec, or what it needs for such an address, is not installed.
        ConfigurationError: it is no address.
    """

    is_shared = True

    def __init__(self, url: str, folder: Path, kept_bytes: int) -> None:
        self._files, self._root = files_at(url)
        self.folder, self._kept_bytes = folder, kept_bytes
        folder.mkdir(parents=True, exist_ok=True)
        self._changing = threading.Lock()
        """Held while the folder changes, so that no file goes that is just being fetched."""
        self._listed: tuple[float, dict[str, int]] = (-LISTED_FOR_S, {})

    def keep(self, path: Path, name: str) -> None:
        """Copy a file to the others, and keep it here: it is read next."""
        with self._changing:
            unfinished = self.folder / (name + UNFINISHED)
            shutil.copyfile(path, unfinished)
            unfinished.replace(self.folder / name)
            self._make_room(name)
        try:
            with address_errors(self._root):
                if self._size_bytes(name) != path.stat().st_size:  # where copies take time, half of one may be there
                    self._files.put_file(str(path), self._at(name))
        except FileNotFoundError as error:
            raise StoreError(f"There is no {self._root!r:.200} to keep sound files in.", "Make the bucket.") from error

    def path(self, name: str) -> Path:
        """Return where a file lies, fetched first if need be. Raises NotFoundError: it is gone."""
        found = self.folder / name
        with suppress(FileNotFoundError):
            os.utime(found)  # used now
            return found
        with self._changing:
            if not found.exists():
                unfinished = self.folder / (name + UNFINISHED)
                try:
                    with address_errors(self._root):
                        self._files.get_file(self._at(name), str(unfinished))
                except FileNotFoundError:
                    unfinished.unlink(missing_ok=True)
                    raise NotFoundError("The audio of this recording is gone.", "Run: speechsearch doctor") from None
                unfinished.replace(found)
                self._make_room(name)
        return found

    def remove(self, name: str) -> None:
        """Remove a file there and here."""
        with self._changing:
            (self.folder / name).unlink(missing_ok=True)
        with address_errors(self._root), suppress(FileNotFoundError):
            self._files.rm_file(self._at(name))
        self._listed[1].pop(name, None)

    def sizes(self, names: Sequence[str]) -> list[int]:
        """Return the bytes of each file, as they were a minute ago at most."""
        at_s, found = self._listed
        if time.monotonic() - at_s > LISTED_FOR_S:
            with address_errors(self._root):
                listed = self._files.find(self._root, maxdepth=1, detail=True)
            found = {path.rpartition("/")[2]: int(about["size"] or 0) for path, about in listed.items()}
            self._listed = (time.monotonic(), found)
        return [found.get(name, 0) for name in names]

    def sweep(self, known: Collection[str]) -> None:
        """Remove what a killed process had not yet fetched; the bucket has files of others."""
        for unfinished in self.folder.glob(f"*{UNFINISHED}"):
            unfinished.unlink()

    def _size_bytes(self, name: str) -> int:
        """Return how large a file is there; -1 if it is not."""
        try:
            return int(self._files.info(self._at(name))["size"] or 0)
        except FileNotFoundError:
            return -1

    def _at(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    def _make_room(self, but: str) -> None:
        """Remove fetched files, the ones used longest ago first, until the others have room."""
        kept = sorted(((one.stat().st_mtime, one.stat().st_size, one) for one in self.folder.iterdir()), reverse=True)
        total = 0
        for _, size, file in kept:
            total += size
            if total > self._kept_bytes and file.name != but:
                file.unlink(missing_ok=True)


def media_files(data_dir: Path, url: str, kept_bytes: int) -> MediaFiles:
    """Return where sound files lie: in the data folder without a ``url``, else in a shared folder or a bucket.

    Raises:
        ConfigurationError: it is no folder that can be used, and no address.
        MissingDependencyError: what reaches such an address is not installed.
    """
    if not url:
        return MediaFolder(data_dir / "media")
    if is_address(url):
        return MediaBucket(url, data_dir / "media", kept_bytes)
    return MediaFolder(Path(url).expanduser().resolve(), is_shared=True)
