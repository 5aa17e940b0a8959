"""One process at a time works on a data folder.

The operating system holds the lock for as long as the process lives, so one that a killed process left is free.
The file's text only says who holds it.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO

from speechsearch.domain.errors import ConfigurationError, DataFolderInUseError

LOCK_FILE = "in-use.lock"
LARGEST_TEXT = 4096


class DataFolderLock:
    """Holds a data folder for this process; a context manager.

    Raises:
        DataFolderInUseError: another process (or another lock of this one) holds it; the message names it.
        ConfigurationError: the folder cannot be made or written.
    """

    def __init__(self, path: Path) -> None:
        import portalocker

        self._file: IO[str] | None = None
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = open(path / LOCK_FILE, "a+", encoding="utf-8", errors="replace")
        except OSError as error:
            raise ConfigurationError(f"The data folder {path} cannot be used: {error}", "Set data_dir.") from error
        try:
            portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
        except portalocker.LockException as error:
            holder = _holder(file)
            file.close()
            raise DataFolderInUseError(
                f"The data folder {path} is in use by {holder}.", "Stop it first, or set another data_dir."
            ) from error
        except BaseException:
            file.close()
            raise
        file.truncate(0)
        file.write(json.dumps(_ourselves()))
        file.flush()
        self._file = file

    def release(self) -> None:
        """Let go of the folder; letting go twice is fine.

        The file stays: were it deleted, two processes could hold locks on two files of the same name.
        """
        if self._file is not None:
            self._file.truncate(0)
            self._file.close()
            self._file = None

    def __enter__(self) -> DataFolderLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _ourselves() -> dict[str, str | int]:
    """Return what another process is told about this one."""
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    command = shlex.join(sys.argv)[: LARGEST_TEXT // 4]
    return {"pid": os.getpid(), "command": command, "host": socket.gethostname(), "started_at": started_at}


def _holder(file: IO[str]) -> str:
    """Return in words who holds a lock file, or what is known when its text is not readable yet."""
    try:
        file.seek(0)
        told = json.loads(file.read(LARGEST_TEXT))
        return f"process {told['pid']} ({told['command']}) on {told['host']} since {told['started_at']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
