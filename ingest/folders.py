"""What lies in a folder: its files at all levels, and what is passed over there, with the reason."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ingest.endings import is_hidden, is_sound
from ingest.sources import LONGEST_NAME, Found, Rejected, clean
from speechsearch.domain.errors import InputError


def files_below(root: Path, prefix: str, problems: list[Found]) -> Iterator[PurePosixPath]:
    """Yield the files below a folder, relative to it: no hidden ones, nothing that a link brings in from outside.

    ``prefix`` goes before the paths when they are shown. ``problems`` gets what cannot be read, and links that are not
    followed.
    """
    home = root.resolve()

    def report(error: OSError) -> None:
        problems.append(unreadable(Path(str(error.filename)).name, error))

    for folder, folders, names in os.walk(root, onerror=report):
        relative = PurePosixPath(Path(folder).relative_to(root).as_posix())
        below = dict.fromkeys(folders, True) | dict.fromkeys(names, False)
        for name, is_folder in sorted(below.items()):
            path, inside = Path(folder, name), relative / name
            if is_hidden(inside):
                continue
            problem = _not_followed(path, inside, home)
            if problem is not None:
                shown = clean(f"{prefix}{inside}", 2 * LONGEST_NAME)
                problems.append(Rejected(shown, problem, "failed" if is_lost(path, inside, home) else "skipped"))
            elif not is_folder:
                yield inside
        folders[:] = sorted(name for name in folders if not is_hidden(PurePosixPath(name)))


def unreadable(name: str, error: OSError) -> Rejected:
    """Return that a file or folder cannot be read."""
    reason = error.strerror or str(error)
    return Rejected(name, InputError(f"'{name}' cannot be read: {reason}.", "Check its permissions."))


def is_lost(path: Path, inside: PurePosixPath, home: Path) -> bool:
    """Say whether a link that is not followed may keep recordings out."""
    return is_sound(inside) or (path.is_dir() and not path.resolve().is_relative_to(home))


def _not_followed(path: Path, inside: PurePosixPath, home: Path) -> InputError | None:
    """Return why a file, or a link to a folder, is left out; None when it is not."""
    shown = clean(inside.name, LONGEST_NAME)
    if not path.is_symlink():
        is_odd = not path.is_file() and not path.is_dir()
        return InputError(f"'{shown}' is no file but a pipe or a device, and was left out.") if is_odd else None
    if not path.exists():
        return InputError(f"'{shown}' is a link that leads nowhere, and was left out.", "Copy the file itself there.")
    if not path.resolve().is_relative_to(home):
        hint = "Copy what it leads to, or name that directly."
        return InputError(f"'{shown}' is a link that leads out of the folder, and was left out for safety.", hint)
    if path.is_dir():
        return InputError(f"'{shown}' is a link to a folder that is read in its own place.")
    return None
