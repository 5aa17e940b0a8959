"""Which row of a table describes which file: the same name, or one that is only written differently."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from urllib.parse import unquote

from ingest.endings import is_sound
from ingest.legacy_text import repaired
from ingest.metadata import Metadata
from ingest.sources import Description, Rejected

Tables = dict[PurePosixPath, Metadata]
"""The metadata.csv files of a folder or an archive, by the folder they lie in."""


def exact(path: str) -> str:
    """Return a path as letters people see, whatever normal form they are kept in.

    >>> exact("Zoe\u0308.wav") == exact("Zo\u00eb.wav")
    True
    """
    return unicodedata.normalize("NFC", repaired(path))


def loose(path: str) -> str:
    """Return a path without what is often written differently: case, width, spaces, hyphens, underscores, %20.

    >>> loose("Day 1/Talk_01.WAV") == loose("day%201/talk-01.wav")
    True
    """
    plain = unicodedata.normalize("NFKC", unquote(repaired(path))).casefold()
    return " ".join(plain.replace("_", " ").replace("-", " ").replace("–", " ").split())


def without_ending(path: str) -> str:
    """Return ``loose`` without the ending of the file's name.

    >>> without_ending("day 1/Talk.v2.wav"), without_ending("day 1/talk.v2")
    ('day 1/talk.v2', 'day 1/talk')
    """
    return loose(str(PurePosixPath(path).with_suffix("")) if PurePosixPath(path).suffix else path)


WAYS: tuple[tuple[Callable[[str], str], Callable[[str], str]], ...] = (
    (exact, exact),
    (loose, loose),
    (without_ending, loose),  # the table names no ending
)
"""How a file's path and a row's are written to be compared, the surest first."""


def matched(
    files: Iterable[PurePosixPath], tables: Mapping[PurePosixPath, Metadata]
) -> tuple[dict[PurePosixPath, Description], list[Rejected]]:
    """Return the description of each file that has one, from the nearest table above it, and rows that have no file.

    A row and a file belong together when their names are the same, or, written more loosely, are like no others.

    >>> table = Metadata("m", {"audio/A": Description(title="Opening"), "b.wav": Description(title="Lost")})
    >>> found, problems = matched([PurePosixPath("Audio/a.wav")], {PurePosixPath("."): table})
    >>> found[PurePosixPath("Audio/a.wav")].title, str(problems[0].error)[:45]
    ('Opening', "'m' describes 'b.wav', which is not there. Co")
    """
    found: dict[PurePosixPath, Description] = {}
    problems: list[Rejected] = []
    below: dict[PurePosixPath, list[PurePosixPath]] = defaultdict(list)
    for path in files:
        for folder in path.parents:
            if folder in tables:
                below[folder].append(path)
    for folder in sorted(tables, key=lambda one: -len(one.parts)):
        inside = {str(path.relative_to(folder)): path for path in below[folder] if path not in found}
        pairs, doubtful = _pairs(inside, tables[folder].rows)
        found |= {inside[path]: tables[folder].rows[key] for path, key in pairs.items()}
        problems += tables[folder].unused(pairs.values(), doubtful)
    return found, problems


def _pairs(paths: Iterable[str], keys: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return path -> row of those that belong together, and row -> why it is not clear which file it means."""
    pairs: dict[str, str] = {}
    doubtful: dict[str, str] = {}
    paths_left, keys_left = list(paths), list(keys)
    for of_path, of_key in WAYS:
        alike: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
        for path in paths_left:
            if of_path is without_ending and not is_sound(PurePosixPath(path)):
                continue  # subtitles and pictures often have the name of the sound
            alike[of_path(path)][0].append(path)
        for key in keys_left:
            alike[of_key(key)][1].append(key)
        for some_paths, some_keys in alike.values():
            if len(some_paths) == len(some_keys) == 1:
                pairs[some_paths[0]] = some_keys[0]
            elif some_paths and some_keys:
                said = " or ".join(f"'{path}'" for path in sorted(some_paths)[:3])
                doubtful |= dict.fromkeys(some_keys, f"may be {said}, so it was not used")
        paths_left = [path for path in paths_left if path not in pairs]
        taken = set(pairs.values())
        keys_left = [key for key in keys_left if key not in taken]
    return pairs, doubtful
