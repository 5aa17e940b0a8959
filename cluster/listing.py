"""What a driver lists: sources with the places where they lie, files at addresses among them.

An address is listed, not fetched: in the driver's workspace its sound files become empty files of the same size, and
only what describes them, and archives, is fetched. So everything is found by ``ingest.discover``, as on a disk. What
exists in the workspace only (members of archives, rows of datasets) is put where the actors reach it.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from cluster.tasks import How, Task
from ingest.archives import member_path
from ingest.endings import is_archive, is_sound
from ingest.sources import LONGEST_NAME, Found, Rejected, Source, clean
from speechsearch.domain.errors import ArchiveError, InputError, NotFoundError, TooLargeError
from speechsearch.domain.limits import Limits
from speechsearch.library.addresses import address_errors, files_at, is_address

LARGEST_BESIDE_BYTES = 20_000_000
SPOOL = "spool"
LEFT_FOR_S = 3 * 24 * 3600
"""After so long, what a killed driver left of unpacked files is removed."""


@dataclass(slots=True)
class Listed:
    """Paths to discover; ``addresses``: a path -> where its file lies; ``versions``: a path -> which version of it."""

    paths: list[Path] = field(default_factory=list)
    addresses: dict[Path, str] = field(default_factory=dict)
    versions: dict[Path, str] = field(default_factory=dict)
    rejected: list[Found] = field(default_factory=list)


def listed(names: Sequence[str], limits: Limits, workspace: Path) -> Listed:
    """Return the paths among some names as they are, and those at addresses as they are listed in the workspace.

    Raises:
        NotFoundError: there is nothing at an address.
        StoreError: an address cannot be reached.
        ConfigurationError, MissingDependencyError: it is no address, or what reaches it is not installed.
    """
    found = Listed()
    for number, name in enumerate(names):
        if is_address(name):
            _list_address(found, name, limits, workspace / "addresses" / str(number))
        else:
            found.paths.append(Path(name))
    return found


def _list_address(found: Listed, url: str, limits: Limits, folder: Path) -> None:
    files, root = files_at(url)
    entries: dict[str, Any] = {}
    with address_errors(url), suppress(FileNotFoundError):
        entries = files.find(root, detail=True)
    if not entries:
        raise NotFoundError(f"There are no files at {url!r:.200}.", "Check the address, and whether it may be listed.")
    is_file = list(entries) == [root]
    top = folder / PurePosixPath(root.rstrip("/")).name
    for path, about in sorted(entries.items()):
        name = PurePosixPath(root).name if is_file else path.removeprefix(root).lstrip("/")
        try:
            inside = member_path(name)
        except ArchiveError as error:
            found.rejected.append(Rejected(clean(path, 2 * LONGEST_NAME), InputError(error.message)))
            continue
        here, size = (top if is_file else top / inside), int(about.get("size") or 0)
        here.parent.mkdir(parents=True, exist_ok=True)
        found.versions[here] = version_at(about)
        if is_file or is_sound(inside):
            with here.open("wb") as empty:
                empty.truncate(size)
            found.addresses[here] = str(files.unstrip_protocol(path))
        elif size <= (limits.file_bytes if is_archive(inside.name) else LARGEST_BESIDE_BYTES):
            with address_errors(url):
                files.get_file(path, str(here))
        else:
            message = f"'{inside.name}' has {size:,} bytes; so much is fetched of sound and archives only."
            found.rejected.append(Rejected(clean(path, 2 * LONGEST_NAME), TooLargeError(message), "skipped"))
    found.paths.append(top)


def version_at(about: dict[str, Any]) -> str:
    """Return what tells one version of a file at an address from another.

    >>> version_at({"size": 9, "ETag": "ab"}), version_at({"size": 9, "mtime": 1.5})
    ('9 ab', '9 1.5')
    """
    marks = (about.get(key) for key in ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified"))
    return f"{about.get('size')} {next((one for one in marks if one), '')}"


class Tasks:
    """Makes tasks of sources.

    Args:
        listed: where they lie.
        workspace: what lies below and is at no address exists here only, until the next source is asked for.
        spool: an address or folder that all actors reach, for what exists here only.
        how: they are taken in.
        fingerprint: of the cut: another one is another version.
    """

    def __init__(self, listed: Listed, workspace: Path, spool: str, how: How, fingerprint: str) -> None:
        self._listed, self._workspace = listed, workspace.resolve()
        self._files, root = files_at(spool)
        self._above = f"{root.rstrip('/')}/{SPOOL}"
        self._spool = f"{self._above}/{int(time.time())}-{uuid.uuid4().hex}"
        self._how, self._fingerprint, self._spooled = how, fingerprint, 0

    def is_here_only(self, path: Path) -> bool:
        """Say whether a file exists in the workspace only."""
        return path not in self._listed.addresses and path.resolve().is_relative_to(self._workspace)

    def of(self, source: Source) -> Task:
        """Return the task of a source; call ``spool`` with it if it is to be done."""
        paths = (source.path, *(one.path for one in source.beside))
        addresses = {one: self._listed.addresses[one] for one in paths if one in self._listed.addresses}
        if self.is_here_only(source.path):
            return Task(source.name, source, addresses, is_retried=self._how.is_retried)
        place = addresses.get(source.path) or str(source.path.resolve())
        try:
            versions = [self._listed.versions.get(one) or _version(one) for one in paths]
        except OSError:  # it is gone, or may not be read: the actor says so
            return Task(source.name, source, addresses, is_retried=self._how.is_retried)
        how = [self._how.collection, self._how.wants_transcripts, self._fingerprint]
        told = [versions, asdict(source.description), how]
        version = hashlib.sha256(json.dumps(told).encode()).hexdigest()
        return Task(source.name, source, addresses, place, version, is_retried=self._how.is_retried)

    def spool(self, task: Task) -> Task:
        """Return a task with what exists here only put where the actors reach it. Raises StoreError."""
        source, addresses = task.source, dict(task.addresses)
        assert source is not None, "a task of a source"
        for path in (source.path, *(one.path for one in source.beside)):
            if self.is_here_only(path):
                at = f"{self._spool}/{self._spooled}{path.suffix}"
                with address_errors(at):
                    self._files.makedirs(self._spool, exist_ok=True)
                    self._files.put_file(str(path), at)
                addresses[path] = str(self._files.unstrip_protocol(at))
                self._spooled += 1
        return replace(task, addresses=addresses)

    def done_with(self, task: Task) -> None:
        """Remove what was put down for a task. Raises StoreError."""
        for address in task.addresses.values():
            if (path := files_at(address)[1]).startswith(self._spool):
                with address_errors(address), suppress(FileNotFoundError):
                    self._files.rm_file(path)

    def sweep(self) -> None:
        """Remove what drivers put down that were killed long ago, and this one's. Raises StoreError."""
        with address_errors(self._above):
            if not self._files.exists(self._above):
                return
            for folder in self._files.ls(self._above, detail=False):
                started = PurePosixPath(folder).name.partition("-")[0]
                is_old = started.isdecimal() and int(started) < time.time() - LEFT_FOR_S
                if is_old or folder.rstrip("/") == self._spool:
                    self._files.rm(folder, recursive=True)


def _version(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns}"
