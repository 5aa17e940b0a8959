"""What an ingest run takes in: sources that can be read, and things that were refused with the reason."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ingest.legacy_text import repaired
from speechsearch.domain.errors import SpeechSearchError

LONGEST_NAME = 255
LONGEST_LINE = 120
LONGEST_TEXT = 500


def clean(text: object, longest: int = LONGEST_LINE) -> str:
    r"""Return text on one line without control characters, cut to ``longest`` characters.

    >>> clean("  The \x1b[31mbridge\n at  noon\u202e ")
    'The [31mbridge at noon'
    >>> clean("abcdef", longest=4)
    'abc…'
    """
    kept = unicodedata.normalize("NFC", repaired(str(text)[: 8 * longest]))
    if not kept.isprintable():
        kept = "".join(
            " " if character.isspace() else character
            for character in kept
            if character.isspace() or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn"}
        )
    line = " ".join(kept.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def disk_name(name: str) -> str:
    r"""Return a file name that is safe on any disk and still tells which file it is; errors of the decoder show it.

    >>> disk_name("../../day 1\\\u202e.opening?.MP3")
    'day 1_.opening_.mp3'
    """
    kept = re.sub(r"[^\w .-]", "_", clean(name.rsplit("/", 1)[-1], LONGEST_NAME)).lstrip(". ")
    stem, dot, suffix = kept.rpartition(".")
    return f"{stem[:50]}.{suffix.lower()[:8]}" if dot and stem else kept[:50] or "sound"


@dataclass(frozen=True, slots=True)
class Description:
    """What is known about a recording besides its sound; an empty field is unknown."""

    title: str = ""
    speaker: str = ""
    date: str = ""
    language: str = ""
    licence: str = ""
    source: str = ""
    collection: str = ""


BesideKind = Literal["captions", "chapters", "written", "collection"]
"""A transcript with times, chapters; in an exported collection what a recogniser wrote, and what is said of it all."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A file that belongs to a recording; ``name`` is shown, ``recognizer`` says whose transcript it is if known.

    ``sha256``: what the manifest of an exported collection says of it, in hex; empty where none does.
    """

    path: Path
    name: str
    kind: BesideKind
    recognizer: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A file to take in: ``path``, and those of ``beside``, may be gone once the next source is asked for.

    ``name`` is shown, ``file_name`` is kept, ``size_bytes`` is its part of the selection's size, ``sha256`` what the
    manifest of an exported collection says of it, in hex; empty where none does.
    """

    name: str
    path: Path
    size_bytes: int = 0
    description: Description = field(default_factory=Description)
    beside: tuple[Beside, ...] = ()
    sha256: str = ""

    @property
    def file_name(self) -> str:
        """The last part of the name.

        >>> Source("talks.zip/day 1/opening.mp3", Path("0.mp3")).file_name
        'opening.mp3'
        """
        return self.name.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something that is not taken in and why.

    ``state``: "warning" when no recording is lost by it, "skipped" when it was passed over because it is no sound.
    """

    name: str
    error: SpeechSearchError
    state: Literal["failed", "warning", "skipped"] = "failed"


Found = Source | Rejected


class Selection:
    """All that one run takes in, for iteration once; ``files`` and ``size_bytes`` are 0 when unknown."""

    def __init__(self, found: Iterable[Found], *, files: int = 0, size_bytes: int = 0) -> None:
        self._found = found
        self.files = files
        self.size_bytes = size_bytes

    def __iter__(self) -> Iterator[Found]:
        return iter(self._found)
