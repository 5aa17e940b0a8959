"""What processes of a cluster share, and the folder that each has alone."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from speechsearch.domain.errors import ConfigurationError, DataFolderInUseError
from speechsearch.domain.folder_lock import DataFolderLock
from speechsearch.service.open import Service
from speechsearch.service.settings import Settings

FOLDER = "cluster"
LONGEST_WAIT_S = 60.0
Opener: TypeAlias = Callable[[Settings], Service]


def open_shared(settings: Settings) -> Service:
    """Open the service as one of several processes."""
    return Service.open(settings, "share")


def checked(settings: Settings, address: str) -> Settings:
    """Return settings by which several processes can work together.

    Raises:
        ConfigurationError: database, index or sound files are in the data folder, which is one process's alone.
    """
    shared = {
        "SPEECHSEARCH_STORE__URL": settings.store.url.get_secret_value(),
        "SPEECHSEARCH_INDEX__URL": settings.index.url,
        "SPEECHSEARCH_MEDIA__URL": settings.media.url,
    }
    if lacking := [name for name, value in shared.items() if not value]:
        raise ConfigurationError(
            f"On Ray several processes work together, and a data folder is one process's alone; not set: "
            f"{', '.join(lacking)}.",
            "Name a database (postgresql://...), a Qdrant server, and a shared folder or bucket for the sound files.",
        )
    if address and shared["SPEECHSEARCH_STORE__URL"].startswith("sqlite"):
        hint = "Set SPEECHSEARCH_STORE__URL to postgresql://..., or leave --address out: then Ray runs on this machine."
        raise ConfigurationError("A SQLite database cannot be used by several machines.", hint)
    return settings


@contextmanager
def own_settings(settings: Settings) -> Iterator[Settings]:
    """Give a process settings with a data folder of its own, below the data folder, which goes with it.

    Those that killed processes left are removed. Models that were put together are shared by a machine's processes.
    """
    above = settings.data_dir.expanduser().resolve() / FOLDER
    models = above.parent / "models"
    models.mkdir(parents=True, exist_ok=True)
    own = above / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
    with _one_at_a_time(above):
        for folder in (one for one in above.iterdir() if one.is_dir()):
            _remove_left(folder)
        own.mkdir()
        held = DataFolderLock(own)
    data_dir = own / "data"
    data_dir.mkdir()
    (data_dir / "models").symlink_to(models, target_is_directory=True)
    media = settings.media.model_copy(update={"kept_bytes": 1})  # what an actor has done it does not read again
    engines = settings.engines.model_copy(update={"threads": settings.cluster.cpus})
    try:
        yield settings.model_copy(update={"data_dir": data_dir, "media": media, "engines": engines})
    finally:
        held.release()
        shutil.rmtree(own, ignore_errors=True)


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, and wait for it. Raises DataFolderInUseError: for too long."""
    until_s = time.monotonic() + LONGEST_WAIT_S
    while True:
        try:
            lock = DataFolderLock(folder)
            break
        except DataFolderInUseError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.05)
    with lock:
        yield


def _remove_left(folder: Path) -> None:
    """Remove a process's folder if the process is gone."""
    try:
        with DataFolderLock(folder):
            pass
    except DataFolderInUseError:
        return
    shutil.rmtree(folder, ignore_errors=True)
