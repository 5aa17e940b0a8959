"""A name or term of a library's list, and what a table of them says."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from speechsearch.domain.errors import InputError
from speechsearch.domain.safe_text import cell as safe_cell
from speechsearch.domain.safe_text import decoded, text_of_cell

LONGEST_NAME, MOST_WORDS = 100, 8
MOST_SPELLINGS = 5
NAME_HEADINGS = ("name", "names", "written", "term")
COLUMNS = ("name", "sounds_like")


@dataclass(frozen=True, slots=True)
class ListedName:
    """A name as it is written, and how it sounds where that is not as it is written.

    ``sounds_like``: spellings that sound like it, as "voy che hovska"; ``phonemes``: what a recorded example of it
    sounds like, in the symbols of the encoder whose fingerprint is ``heard_by``; both empty without one.
    ``is_damaged``: its spellings could not be read in the database, so that it sounds as it is written.
    """

    written: str
    sounds_like: tuple[str, ...] = ()
    phonemes: tuple[int, ...] = ()
    heard_by: str = ""
    is_damaged: bool = False

    def has_example(self, encoder: str) -> bool:
        """Say whether a recorded example counts for the encoder with a fingerprint.

        >>> ListedName("Ada", (), (1, 2), "mini-1").has_example("mini-1"), ListedName("Ada").has_example("")
        (True, False)
        """
        return bool(self.phonemes) and self.heard_by == encoder


def checked_name(written: str, sounds_like: Sequence[str] = ()) -> ListedName:
    """Return a name without spaces around it.

    Raises:
        InputError: it cannot be kept.

    >>> checked_name("  Bogumila  Wojciechowska ", ["bogoo meela voy che hovska", ""]).sounds_like
    ('bogoo meela voy che hovska',)
    """
    name = _line(written, "name")
    if not name:
        raise InputError("The name is empty.", "Write it as you would in a question.")
    spellings = tuple(dict.fromkeys(filter(None, (_line(one, "spelling") for one in sounds_like))))
    if len(spellings) > MOST_SPELLINGS:
        raise InputError(f"{name!r} has {len(spellings)} spellings.", f"{MOST_SPELLINGS} are possible.")
    return ListedName(name, spellings)


def _line(text: str, what: str) -> str:
    line = unicodedata.normalize("NFC", " ".join(text.split()))
    if len(line) > LONGEST_NAME or len(line.split()) > MOST_WORDS:
        raise InputError(f"The {what} {line!r:.60} is too long.", f"At most {MOST_WORDS} words are possible.")
    if any(unicodedata.category(sign)[0] == "C" for sign in line):
        raise InputError(f"The {what} {line!r:.60} has signs that are not seen.", "Write it without.")
    return line


def split_spellings(text: str) -> list[str]:
    """Return the spellings of a field.

    >>> split_spellings("voy che hovska; voyjeh hoffska | ")
    ['voy che hovska', 'voyjeh hoffska']
    """
    return [one.strip() for one in re.split(r"[;|\n]", text) if one.strip()]


def names_in_table(content: bytes) -> Iterator[ListedName | str]:
    r"""Yield the names of a CSV file, and for each line that cannot be used why.

    The first column is the name, all others are how it sounds; a line of headings is left out. Tables of Excel are
    read too: semicolons or tabs between columns, UTF-16 or Windows' letters, ``sep=;`` before.

    >>> list(names_in_table("sep=;\r\nName;Sounds like\r\nŁódź;woodge\r\n".encode("utf-16")))
    [ListedName(written='Łódź', sounds_like=('woodge',), phonemes=(), heard_by='', is_damaged=False)]
    >>> list(names_in_table(b",x"))
    ['Line 1: The name is empty. Write it as you would in a question.']
    """
    text = decoded(content)
    first, _, rest = text.partition("\n")
    declared = re.fullmatch(r'"?sep=([,;|\t])"?\s*', first, re.IGNORECASE)
    body = rest if declared else text
    delimiter = declared[1] if declared else max(",;\t", key=body.partition("\n")[0].count)
    rows = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, skipinitialspace=True)
    is_first = True
    try:
        for number, cells in enumerate(rows, 1 + bool(declared)):
            row = [text_of_cell(cell.strip()) for cell in cells]
            if not any(row):
                continue
            is_heading, is_first = is_first and row[0].casefold() in NAME_HEADINGS, False
            if is_heading:
                continue
            try:
                yield checked_name(row[0], [one for cell in row[1:] for one in split_spellings(cell)])
            except InputError as error:
                yield f"Line {number}: {error}"
    except csv.Error as error:
        yield f"The table cannot be read further: {error}."


def table_of(names: Sequence[ListedName]) -> str:
    r"""Return names as a CSV file that ``names_in_table`` reads; recorded examples are not in it.

    >>> table_of([ListedName("=Łódź", ("woodge", "wooch"))])
    "name,sounds_like\r\n'=Łódź,woodge; wooch\r\n"
    """
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\r\n")
    table.writerow(COLUMNS)
    for one in names:
        table.writerow(map(safe_cell, (one.written, "; ".join(one.sounds_like))))
    return written.getvalue()


def with_example(name: ListedName, phonemes: Sequence[int], heard_by: str) -> ListedName:
    """Return a name with what a recorded example of it sounds like."""
    return replace(name, phonemes=tuple(phonemes), heard_by=heard_by)
