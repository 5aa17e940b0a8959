"""Watch a folder: files are taken in once they have stopped growing, each once, also over restarts.

It is looked at again and again, which works on every disk and share. What was taken in is remembered with its size and
time in a file of the data folder; a file that changes, or whose transcript or metadata changes, is taken in again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ingest.bags import BAG, MANIFEST, PAYLOAD, SOUNDS
from ingest.beside import Companions, may_be_beside
from ingest.discover import discover_some
from ingest.endings import is_archive, is_sound, is_table
from ingest.folders import files_below
from ingest.sources import Found, Selection
from speechsearch.domain.errors import InputError
from speechsearch.domain.limits import Limits

if TYPE_CHECKING:
    from speechsearch.jobs.queue import JobQueue
    from speechsearch.service.open import Service

log = logging.getLogger(__name__)

MOST_IN_A_TASK = 1_000
"""So many recordings are one task: what a task is to do is one row of the database."""
Stamp = tuple[int, int]
"""Bytes and time of the last change (ns) of a file."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What is to be taken in: recordings and archives, with what describes each; the stamps to be remembered then."""

    sounds: Mapping[PurePosixPath, tuple[PurePosixPath, ...]]
    stamps: Mapping[PurePosixPath, Stamp]

    def parts(self, most: int = MOST_IN_A_TASK) -> Iterator[tuple[int, list[PurePosixPath]]]:
        """Yield it in parts: of each, the number of recordings and archives, and all its files."""
        chosen = list(self.sounds)
        for start in range(0, len(chosen), most):
            some = chosen[start : start + most]
            yield len(some), list(dict.fromkeys([*some, *(one for path in some for one in self.sounds[path])]))


class Watch:
    """A watched folder.

    Args:
        root: the folder.
        data_dir: where it is remembered what was taken in.
        settle_s: for so long a file must have stayed as it is.

    Raises:
        InputError: there is no such folder.
    """

    def __init__(self, root: Path, data_dir: Path, settle_s: float) -> None:
        self.root, self._settle_s = root.expanduser().resolve(), settle_s
        if not self.root.is_dir():
            raise InputError(f"There is no folder '{root}'.", "Make it, or name another.")
        if data_dir.resolve().is_relative_to(self.root):
            raise InputError(f"The data folder lies in '{root}'.", "Watch a folder that does not hold it.")
        name = hashlib.sha256(str(self.root).encode(errors="surrogateescape")).hexdigest()[:16]
        self._file = data_dir / "watched" / f"{name}.json"
        self._done = self._remembered()
        self._seen: dict[PurePosixPath, tuple[Stamp, float]] = {}

    def look(self, now_s: float) -> Ready:
        """Return what is ready; ``now_s``: of a clock that only goes forward."""
        stamps = self._stamps()
        self._seen = {
            path: (stamp, self._seen[path][1] if path in self._seen and self._seen[path][0] == stamp else now_s)
            for path, stamp in stamps.items()
        }
        restless = {path for path, (_, since_s) in self._seen.items() if now_s - since_s < self._settle_s}
        companions = Companions({path: self.root / path for path in stamps})
        sounds: dict[PurePosixPath, tuple[PurePosixPath, ...]] = {}
        above = [one for one in stamps if _describes_all(one)]
        for path in sorted(stamps):
            if may_be_beside(path) or _describes_all(path):
                continue
            about = [one.path.relative_to(self.root) for one in companions.of(path)]
            about_it = [PurePosixPath(one.as_posix()) for one in about]
            about_it += [one for one in above if one.parent in path.parents]
            is_new = any(self._done.get(one) != stamps[one] for one in (path, *about_it))
            if is_new and restless.isdisjoint((path, *about_it)):
                sounds[path] = tuple(about_it)
        return Ready(sounds, {one: stamps[one] for path, about_it in sounds.items() for one in (path, *about_it)})

    def selection(self, ready: Ready, limits: Limits, workspace: Path) -> Selection:
        """Return the recordings of what is ready."""
        return discover_some(self.root, tuple(ready.stamps), limits, workspace)

    def remember(self, ready: Ready) -> None:
        """Note that something was taken in, or could not be: it is not tried again before it changes."""
        self._done = {path: stamp for path, stamp in self._done.items() if (self.root / path).exists()}
        self._done.update(ready.stamps)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        written = {str(path): stamp for path, stamp in sorted(self._done.items())}
        unfinished = self._file.with_suffix(".unfinished")
        unfinished.write_text(json.dumps({"root": str(self.root), "files": written}), encoding="utf-8")
        unfinished.replace(self._file)

    def _remembered(self) -> dict[PurePosixPath, Stamp]:
        try:
            files = json.loads(self._file.read_text(encoding="utf-8"))["files"]
            return {PurePosixPath(path): (int(size), int(changed)) for path, (size, changed) in files.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, KeyError, AttributeError):
            log.warning("%s is damaged; the folder is looked at as if for the first time", self._file)
            return {}

    def _stamps(self) -> dict[PurePosixPath, Stamp]:
        """Return the files that concern us; one that goes away meanwhile is left out."""
        problems: list[Found] = []
        below = list(files_below(self.root, "", problems))
        bags = {path.parent / PAYLOAD / SOUNDS for path in below if path.name == BAG}
        found = {}
        for path in below:
            if not _concerns(path) and bags.isdisjoint(path.parents):
                continue
            try:
                status = (self.root / path).stat()
            except OSError:
                continue
            found[path] = (status.st_size, status.st_mtime_ns)
        return found


@contextmanager
def watching(service: Service, jobs: JobQueue) -> Iterator[None]:
    """Watch the folder of the settings, if they name one, beside the running page: what is ready becomes a job.

    Raises:
        InputError: there is no such folder.
    """
    wanted = service.settings.watch
    if not wanted.folder:
        yield
        return
    watched = Watch(Path(wanted.folder), service.data_dir, wanted.settle_s)
    is_over = threading.Event()

    def work() -> None:
        while not is_over.wait(wanted.every_s):
            try:
                ready = watched.look(time.monotonic())
                for recordings, files in ready.parts():
                    jobs.submit_watched(watched.root, list(map(str, files)), recordings, wanted.collection)
                if ready.sounds:
                    watched.remember(ready)  # the tasks survive restarts by themselves
            except Exception:  # the next look may go well
                log.exception("the watched folder %s", watched.root)

    thread = threading.Thread(target=work, name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _describes_all(path: PurePosixPath) -> bool:
    """Tell whether a file concerns all that is below its folder."""
    return is_table(path) or path.name in (BAG, MANIFEST)


def _concerns(path: PurePosixPath) -> bool:
    return is_sound(path) or is_archive(path.name) or may_be_beside(path) or _describes_all(path)
