"""What around the program is unsafe, though it runs: who else can read the data folder, and an old Python."""

from __future__ import annotations

import ctypes
import os
import stat
import sys
from pathlib import Path

SAFE_PATCHES = {(3, 11): 14, (3, 12): 12, (3, 13): 6}
"""Python -> the first patch level whose ``tarfile`` ends on every hostile archive (CVE-2024-6232, CVE-2025-8194)."""
M_ARENA_MAX, ARENAS = -8, 2
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def keep_private() -> None:
    """Make what this process writes readable by its user alone."""
    os.umask(0o077)


def hold_little() -> None:
    """Have the threads of this process share two pools of memory (Linux).

    glibc makes eight a core, and each keeps what it once needed: with fifty visitors that was two gigabytes.
    """
    if sys.platform == "linux" and (option := getattr(ctypes.CDLL(None), "mallopt", None)):
        option(M_ARENA_MAX, ARENAS)


def warnings(data_dir: Path, python: tuple[int, int, int] = sys.version_info[:3]) -> list[str]:
    """Return what should be changed, in words; nothing when all is well.

    >>> warnings(Path("/no such folder"), (3, 11, 14)), warnings(Path("/no such folder"), (3, 14, 0))
    ([], [])
    >>> warnings(Path("/no such folder"), (3, 11, 7))[0]
    'Python 3.11.7 can be kept busy for hours by a hostile archive: take 3.11.14 or later.'
    """
    found = []
    safe = SAFE_PATCHES.get(python[:2])
    if safe is not None and python[2] < safe:
        version, better = ".".join(map(str, python)), f"{python[0]}.{python[1]}.{safe}"
        found.append(f"Python {version} can be kept busy for hours by a hostile archive: take {better} or later.")
    exposed = [path for path in (data_dir, *sorted(data_dir.glob("*"))) if _is_exposed(path)]
    if exposed and _is_exposed(data_dir):
        names = ", ".join(path.name for path in exposed[1:4])
        within = f" and {names} in it" if names else ""
        found.append(f"Others on this machine can read {data_dir}{within}: chmod -R go= {data_dir}")
    return found


def _is_exposed(path: Path) -> bool:
    return path.exists() and not path.is_symlink() and bool(path.stat().st_mode & OTHERS)
