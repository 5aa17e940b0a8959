"""Which files beside a recording belong to it: transcripts and chapters of the same name."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ingest.bags import ABOUT, SOUNDS, WRITTEN, Bags
from ingest.endings import SOUND_SUFFIXES, is_sound, is_subtitle, passed_over, without_sound
from ingest.metadata import plain_description
from ingest.sources import LONGEST_NAME, Beside, BesideKind, Found, Source, clean

SUFFIXES = (".json", ".vtt", ".srt")
"""Those of transcripts, the ones that may have the times of words first."""
LANGUAGE = re.compile(r"\.[a-z]{2,3}(-[a-z0-9]{2,8})?$", re.ASCII)
CHAPTERS = ".chapters"
RECOGNIZER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def may_be_beside(path: PurePosixPath) -> bool:
    """Tell whether a file may be a transcript or have chapters, by its name.

    >>> may_be_beside(PurePosixPath("talks/a.en.VTT")), may_be_beside(PurePosixPath("a.mp3"))
    (True, False)
    """
    return path.suffix.lower() in SUFFIXES


def is_recording(path: PurePosixPath, folders: Set[PurePosixPath]) -> bool:
    """Tell whether a file is to be taken in, by its ending; in some folders by not being a transcript.

    >>> bag = {PurePosixPath("bag/data/audio")}
    >>> [is_recording(PurePosixPath(path), bag) for path in ("a.mp3", "a.xyz", "bag/data/audio/a.xyz")]
    [True, False, True]
    """
    return is_sound(path) or (not may_be_beside(path) and not folders.isdisjoint(path.parents))


def written_name(name: str) -> str:
    """Return a name as it is compared: composed, in small letters."""
    return unicodedata.normalize("NFC", name).casefold()


class Companions:
    """The transcripts and chapters of one tree of files, by the recordings that they belong to.

    ``files``: paths in the tree -> where the files are; all there are, the recordings among them.
    """

    def __init__(self, files: Mapping[PurePosixPath, Path]) -> None:
        self._files = {path: file for path, file in files.items() if may_be_beside(path)}
        sounds = {
            (path.parent, written_name(path.name)[: -len(path.suffix)])
            for path in files
            if path.suffix.lower() in SOUND_SUFFIXES
        }
        self.bags = Bags(files)
        self._by_name: dict[tuple[PurePosixPath, str], list[tuple[int, str, PurePosixPath]]] = defaultdict(list)
        for path in self._files:
            name = written_name(path.name)[: -len(path.suffix)]
            order = SUFFIXES.index(path.suffix.lower())
            self._by_name[path.parent, name].append((order, name, path))
            language = LANGUAGE.search(name)
            # Where there is a recording of the very name, it is that one's.
            if language and language[0] not in SOUND_SUFFIXES and (path.parent, name) not in sounds:
                plain = name[: language.start()]
                self._by_name[path.parent, plain].append((len(SUFFIXES) + order, name, path))
        self._written = self._written_of_bags()

    def of(self, sound: PurePosixPath) -> tuple[Beside, ...]:
        """Return what belongs to a recording, the best transcript first."""
        names = dict.fromkeys((written_name(sound.name), written_name(sound.name)[: -len(sound.suffix) or None]))
        found = sorted(one for name in names for one in self._by_name.get((sound.parent, name), ()))
        captions = [self._beside(path) for _, _, path in found]
        chapters = [
            self._beside(path, "chapters")
            for name in names
            for _, _, path in self._by_name.get((sound.parent, name + CHAPTERS), ())
            if path.suffix.lower() == ".json"
        ]
        about = [payload / ABOUT for payload in self.bags.payloads.intersection(sound.parents)]
        collection = [self._beside(path, "collection") for path in about if path in self._files]
        return (*captions, *chapters[:1], *self._written.get(sound, ()), *collection)

    def is_exported(self, sound: PurePosixPath) -> bool:
        """Tell whether a recording is part of an exported collection, whose tables are written for spreadsheets."""
        return not self.bags.payloads.isdisjoint(sound.parents)

    def used(self, sounds: Iterable[PurePosixPath]) -> set[PurePosixPath]:
        """Return the files that belong to one of the recordings."""
        used = {one.path for sound in sounds for one in self.of(sound)}
        return {path for path, file in self._files.items() if file in used}

    def is_of_a_bag(self, path: PurePosixPath) -> bool:
        """Tell whether a file is one of those that an exported collection has besides its payload."""
        return path.parent in {payload.parent for payload in self.bags.payloads} and path.suffix == ".txt"

    def _beside(self, path: PurePosixPath, kind: BesideKind = "captions", recognizer: str = "") -> Beside:
        return Beside(self._files[path], clean(path.name, LONGEST_NAME), kind, recognizer, self.bags.digest_of(path))

    def _written_of_bags(self) -> dict[PurePosixPath, list[Beside]]:
        """Return recording -> what recognisers wrote of it, in exported collections."""
        found: dict[PurePosixPath, list[Beside]] = defaultdict(list)
        for path in sorted(self._files):
            for payload in self.bags.payloads.intersection(path.parents):
                top, *inside = path.relative_to(payload).parts
                if top == WRITTEN and len(inside) > 1 and RECOGNIZER.fullmatch(inside[0]):
                    sound = payload.joinpath(SOUNDS, *inside[1:]).with_suffix("")
                    found[sound].append(self._beside(path, "written", inside[0]))
        return found


def companions_in(folder: Path) -> Companions:
    """Return the transcripts and chapters that lie in a folder, by the recordings in it."""
    try:
        return Companions({PurePosixPath(one.name): one for one in folder.iterdir() if one.is_file()})
    except PermissionError:  # a file in it may be readable all the same
        return Companions({})


def completed(found: Found, inside: PurePosixPath, companions: Companions) -> Found:
    """Return a source with what belongs to it."""
    if not isinstance(found, Source):
        return found
    about = plain_description(found.description) if companions.is_exported(inside) else found.description
    expected = companions.bags.digest_of(inside)
    return replace(found, beside=companions.of(inside), description=about, sha256=expected)


def left_over(
    others: Sequence[PurePosixPath], sounds: Sequence[PurePosixPath], companions: Companions, prefix: str
) -> list[Found]:
    """Return the files that are no sound and belong to none, each with the reason."""
    found: list[Found] = []
    used = companions.used(sounds)
    for inside in others:
        if inside not in used and not companions.is_of_a_bag(inside):
            name = clean(f"{prefix}{inside}", 2 * LONGEST_NAME)
            is_named = not prefix and len(inside.parts) == 1 and may_be_beside(inside)
            is_text = is_subtitle(inside) or is_named
            found.append(without_sound(inside, name) if is_text else passed_over(inside, name))
    return found
