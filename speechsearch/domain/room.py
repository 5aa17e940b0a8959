"""Whether a disk has room, asked before what cannot fail halfway.

The embedded index writes through memory. Where the disk is full, the system ends a process that does so (SIGBUS), and
no error can be told.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from speechsearch.domain.errors import StoreError

LEAST_BYTES = 256_000_000
"""A segment of the index takes room for 32 MB a channel, and as much for its log, before anything is in it."""


def has_room(folder: Path) -> bool:
    """Return whether there is enough room on a folder's disk to write to the index."""
    return shutil.disk_usage(folder).free >= LEAST_BYTES


def check_room(folder: Path) -> None:
    """Return when there is enough room on a folder's disk to write to the index.

    Raises:
        StoreError: there is too little.
    """
    if not has_room(folder):
        raise StoreError(
            f"The disk of the data folder is full: less than {LEAST_BYTES // 1_000_000} MB are left.",
            "Make room; nothing is lost, and what was being added can be added again.",
        )
