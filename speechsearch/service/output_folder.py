"""A folder of what is made of files, one after the other: what is done is not made again, and survives a kill.

Outputs appear whole or not at all. A list in the folder, a line a step, says which output was made of which file and
with which settings.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from speechsearch.domain.errors import DuplicateError, InputError
from speechsearch.domain.safe_text import safe_name

LIST_NAME = ".speechsearch-outputs.jsonl"
UNFINISHED = "unfinished.jsonl"


@dataclass(frozen=True, slots=True)
class Made:
    """What was begun or made of a file.

    Args:
        name: of the file, as it is shown; a number follows where several of one name were given at once.
        base: where its outputs are, below the folder and without their endings.
        content: the sha256 of the file.
        settings: all that changes what is made.
        endings: of the outputs that are finished.
    """

    name: str
    base: str
    content: str
    settings: Mapping[str, Any]
    endings: tuple[str, ...] = ()


class OutputFolder:
    """The outputs of a command, for one run of it."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], *, is_again: bool = False) -> None:
        """``settings``: plain values; ``is_again``: what is there is made again, and replaced.

        Raises:
            InputError: the folder cannot be made or written to.
        """
        self.folder = folder
        self._settings, self._is_again = dict(settings), is_again
        self._seen: Counter[str] = Counter()
        self.unfinished = folder / f".speechsearch-{UNFINISHED}"
        """Where pieces of the file that was begun last may be kept until it is finished."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._made = {one.name: one for one in self._listed()}
        except OSError as error:
            raise unwritable(folder, error) from error

    def begin(self, name: str, content: str, endings: Sequence[str]) -> Made | None:
        """Return what is to be made of a file, now noted; ``endings`` are then those that are not there yet.

        ``name``: as it is shown, with folders before it; ``content``: the sha256. None: all is there.

        Raises:
            DuplicateError: an output is there that was made with other settings, of another file or by hand.
        """
        self._seen[name] += 1
        if self._seen[name] > 1:
            name = f"{name} ({self._seen[name]})"
        known = self._made.get(name)
        base = known.base if known else self._free_base(name)
        is_same = known is not None and known.content == content and known.settings == self._settings
        finished = known.endings if known and is_same and not self._is_again else ()
        wanted = [one for one in endings if one not in finished or not self.path(base, one).is_file()]
        if not wanted:
            return None
        if not self._is_again and not is_same:
            there = next((path for one in wanted if (path := self.path(base, one)).exists()), None)
            if there is not None:
                what = "with other settings or of another file" if known else "by something else"
                raise DuplicateError(f"{there} is there already, made {what}.", "--again replaces it.")
        self.unfinished = self.path(base, UNFINISHED)
        if self._is_again or not is_same:
            self.unfinished.unlink(missing_ok=True)
        self.unfinished.parent.mkdir(parents=True, exist_ok=True)
        kept = tuple(one for one in finished if one not in wanted)
        self._note(Made(name, base, content, self._settings, kept))
        return Made(name, base, content, self._settings, tuple(wanted))

    def finish(self, made: Made, texts: Mapping[str, str]) -> list[Path]:
        """Write the outputs of a file, by their endings, and note that they are done; return where they are.

        Raises:
            InputError: they cannot be written.
        """
        paths = [self.path(made.base, ending) for ending in texts]
        try:
            for path, text in zip(paths, texts.values(), strict=True):
                write_whole(path, text)
        except OSError as error:
            raise unwritable(path, error) from error
        self.abandon()
        done = (*self._made[made.name].endings, *texts)
        self._note(Made(made.name, made.base, made.content, made.settings, done))
        return paths

    def abandon(self) -> None:
        """Remove what was kept of the file that was begun last: it is finished, or cannot be."""
        self.unfinished.unlink(missing_ok=True)

    def path(self, base: str, ending: str) -> Path:
        """Return where an output is."""
        return self.folder / f"{base}.{ending}"

    def _free_base(self, name: str) -> str:
        """Return where the outputs of a file go: under its name without its ending where no other file's are there."""
        inside = PurePosixPath(name)
        parts = [safe_name(part) for part in inside.parts if part not in ("/", ".", "..")]
        taken = {one.base for one in self._made.values()}
        stem = "/".join([*parts[:-1], safe_name(inside.stem)])
        whole = "/".join(parts)
        numbered = (f"{whole} ({number})" for number in range(2, len(taken) + 3))
        return next(base for base in (stem, whole, *numbered) if base not in taken)

    def _listed(self) -> list[Made]:
        """Return what the list says; a line that a kill cut off, and what else is none of ours, counts for nothing."""
        path = self.folder / LIST_NAME
        found: list[Made] = []
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else ():
            try:
                row = json.loads(line)
                name, base, content = (str(row[field]) for field in ("name", "base", "content"))
                found.append(Made(name, base, content, dict(row["settings"]), tuple(map(str, row["endings"]))))
            except (ValueError, KeyError, TypeError):
                continue
        return [one for one in found if not {"..", "/"} & set(PurePosixPath(one.base).parts)]

    def _note(self, made: Made) -> None:
        line = json.dumps(asdict(made), ensure_ascii=False)
        try:
            with (self.folder / LIST_NAME).open("a", encoding="utf-8") as file:
                file.write(f"\n{line}\n")  # after a line that was cut off, a new one begins
        except OSError as error:
            raise unwritable(self.folder, error) from error
        self._made[made.name] = made


def write_whole(path: Path, text: str) -> None:
    """Write a file that appears at once or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> InputError:
    """Return the error of a place that cannot be written to."""
    reason = error.strerror or str(error)
    return InputError(f"'{path}' cannot be written: {reason}.", "Make room, or name another folder with --output.")
