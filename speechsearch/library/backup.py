"""A copy of the data folder in another folder, such as a mounted bucket, and the way back.

The database and the audio are kept; the index is made anew from the database. One file, ``current.json``, names the
database that counts and is replaced last, so a process killed at any point leaves the old copy or the new one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from speechsearch.domain.errors import ConfigurationError, StoreError
from speechsearch.domain.folder_lock import DataFolderLock
from speechsearch.store import Store

DATABASE = "speechsearch.db"
CURRENT = "current.json"
UNFINISHED = ".unfinished"
LOOK_EVERY_S = 3.0
LONGEST_UNSAVED_S = 300.0


@dataclass(frozen=True, slots=True)
class Saved:
    """What a backup holds."""

    recordings: int
    database_bytes: int
    copied_media: int


def checked_folder(folder: str, data_dir: Path, is_database_here: bool) -> Path | None:
    """Return where the backup is kept; None for nowhere, when ``folder`` is empty.

    Raises:
        ConfigurationError: the database is not in the data folder, so its copy is not ours to make, or they overlap.
    """
    if not folder:
        return None
    if not is_database_here:
        raise ConfigurationError(
            "SPEECHSEARCH_BACKUP__FOLDER saves the database of the data folder, but SPEECHSEARCH_STORE__URL is set.",
            "Unset one of them, and save a database server with its own tools.",
        )
    chosen = Path(folder).expanduser().resolve()
    if chosen == data_dir or data_dir in chosen.parents or chosen in data_dir.parents:
        raise ConfigurationError(f"The backup {chosen} and the data folder {data_dir} overlap.", "Choose another one.")
    return chosen


@contextlib.contextmanager
def kept_safe(folder: Path | None, data_dir: Path, say: Callable[[str], None] = print) -> Iterator[None]:
    """Restore the data folder from the backup where that is due, and keep the backup up to date during the block.

    Raises:
        StoreError: as ``restore`` does.
    """
    if folder is None:
        yield
        return
    restored = restore(folder, data_dir)
    if restored is not None:
        say(f"Restored {restored} recordings from {folder}.")
    with BackupKeeper(data_dir, folder, say):
        yield


def save(data_dir: Path, folder: Path) -> Saved:
    """Copy database and audio to the backup and return what it holds; deleted recordings leave it."""
    media = folder / "media"
    media.mkdir(parents=True, exist_ok=True)
    snapshot = data_dir / f"backup.db{UNFINISHED}"
    try:
        _snapshot(data_dir / DATABASE, snapshot)
        names = _media_names(snapshot)
        copied = sum(_copy(data_dir / "media" / name, media / name) for name in sorted(names))
        digest = _sha256(snapshot)
        database = folder / f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{digest[:16]}.db"
        _copy(snapshot, database)
        size_bytes = snapshot.stat().st_size
    finally:
        snapshot.unlink(missing_ok=True)
    _write(folder / CURRENT, json.dumps({"database": database.name, "sha256": digest, "recordings": len(names)}))
    for file in [*folder.glob("*.db"), *folder.glob(f"*{UNFINISHED}")]:
        if file != database:
            file.unlink(missing_ok=True)
    for file in media.iterdir():
        if file.name not in names:
            file.unlink(missing_ok=True)
    return Saved(len(names), size_bytes, copied)


def restore(folder: Path, data_dir: Path) -> int | None:
    """Fill an empty data folder from the backup and return its number of recordings; None when there is nothing to do.

    The recordings are marked as not indexed yet, so that the service writes their vectors to the index when it opens.

    Raises:
        StoreError: the backup is damaged.
    """
    if (data_dir / DATABASE).exists() or not (folder / CURRENT).exists():
        return None
    with DataFolderLock(data_dir):
        database, digest = _current(folder)
        unfinished = data_dir / f"{DATABASE}{UNFINISHED}"
        shutil.copyfile(database, unfinished)
        if _sha256(unfinished) != digest:
            raise StoreError(
                f"The backup's database {database} is damaged.", "Empty the backup's folder to start anew."
            )
        store = Store(f"sqlite:///{unfinished}")
        try:
            done = [entry.recording_id for entry in store.journal.entries("done")]
            store.journal.mark_all(done, "stored")
        finally:
            store.close()
        (data_dir / "media").mkdir(exist_ok=True)
        for name in _media_names(unfinished):
            _copy(folder / "media" / name, data_dir / "media" / name)
        shutil.rmtree(data_dir / "index", ignore_errors=True)
        unfinished.replace(data_dir / DATABASE)
    return len(done)


class BackupKeeper:
    """Saves the data folder in the background whenever its database has changed and then rested, and at the end."""

    def __init__(self, data_dir: Path, folder: Path, say: Callable[[str], None] = print) -> None:
        self._data_dir, self._folder, self._say = data_dir, folder, say
        self._saved: list[tuple[str, int, int]] = []
        self._saved_s = time.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="backup", daemon=True)

    def __enter__(self) -> BackupKeeper:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._save(self._state())

    def _state(self) -> list[tuple[str, int, int]]:
        """Return what differs after every commit: time and length of the database and its log."""
        found = []
        for name in (DATABASE, f"{DATABASE}-wal"):
            with contextlib.suppress(FileNotFoundError):
                status = (self._data_dir / name).stat()
                found.append((name, status.st_mtime_ns, status.st_size))
        return found

    def _watch(self) -> None:
        before = self._state()
        while not self._stopping.wait(LOOK_EVERY_S):
            now = self._state()
            if now == before or time.monotonic() - self._saved_s > LONGEST_UNSAVED_S:
                self._save(now)
            before = now

    def _save(self, state: list[tuple[str, int, int]]) -> None:
        if not state or state == self._saved:
            return
        try:
            save(self._data_dir, self._folder)
            self._saved = state
        except (OSError, sqlite3.Error, StoreError) as error:  # the next look tries again; the page goes on
            self._say(f"The backup in {self._folder} could not be written: {error}")
        self._saved_s = time.monotonic()


def _snapshot(database: Path, target: Path) -> None:
    """Copy a database that is in use, at one point in time."""
    target.unlink(missing_ok=True)
    source = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    copy = sqlite3.connect(target)
    with contextlib.closing(source), contextlib.closing(copy):
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, nothing beside it


def _media_names(database: Path) -> set[str]:
    store = Store(f"sqlite:///{database}")
    try:
        return set(store.recordings.media_names().values())
    finally:
        store.close()


def _current(folder: Path) -> tuple[Path, str]:
    """Return the backup's database and its SHA-256."""
    try:
        told = json.loads((folder / CURRENT).read_text(encoding="utf-8"))
        database, digest = folder / Path(told["database"]).name, str(told["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{folder / CURRENT} is damaged.", "Empty the backup's folder to start anew.") from error
    if not database.exists():
        raise StoreError(f"The backup's database {database} is gone.", "Empty the backup's folder to start anew.")
    return database, digest


def _copy(source: Path, target: Path) -> bool:
    """Copy a file whole or not at all, and say whether that was necessary; one deleted meanwhile is left out."""
    try:
        if target.exists() and target.stat().st_size == source.stat().st_size:
            return False
        unfinished = target.with_name(target.name + UNFINISHED)
        shutil.copyfile(source, unfinished)
    except FileNotFoundError:
        return False
    _sync(unfinished)
    unfinished.replace(target)
    return True


def _write(path: Path, text: str) -> None:
    unfinished = path.with_name(path.name + UNFINISHED)
    unfinished.write_text(text, encoding="utf-8")
    _sync(unfinished)
    unfinished.replace(path)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
