"""Titles, speakers, dates, languages and licences from a ``metadata.csv`` beside the recordings."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from ingest.sources import LONGEST_LINE, LONGEST_NAME, LONGEST_TEXT, Description, Rejected, clean
from ingest.spreadsheet import decoded, read_table
from speechsearch.domain.errors import InputError
from speechsearch.domain.safe_text import text_of_cell

FILE_NAME = "metadata.csv"
LARGEST_BYTES = 8_000_000
"""A metadata file of 10,000 rows has about 2 MB."""
MOST_COLUMNS = 100
MOST_PROBLEMS = 50
"""So many rows that cannot be used are named one by one."""

LONGEST = {"title": LONGEST_NAME, "source": LONGEST_TEXT}
ALIASES = {
    "file_name": (
        "file", "filename", "filepath", "path", "audio", "audiofile", "audiofilename", "audiopath", "soundfile",
        "recordingfile", "mediafile", "datei", "dateiname", "fichier",
    ),
    "title": ("title", "recordingtitle", "name", "headline", "titel", "titre", "titulo"),
    "speaker": (
        "speaker", "speakers", "speakername", "speakerid", "narrator", "reader", "presenter", "author", "artist",
        "sprecher", "sprecherin",
    ),
    "date": ("date", "recordingdate", "daterecorded", "recordedon", "recorded", "datum", "fecha", "pubdate", "year"),
    "language": ("language", "lang", "locale", "languagecode", "sprache", "langue", "idioma"),
    "licence": ("licence", "license", "lizenz", "rights"),
    "source": ("source", "url", "link", "sourceurl", "quelle"),
    "collection": ("collection",),
}  # fmt: skip
"""How people call the columns, as ``column_key`` writes them; of several that mean the same the first here counts."""
FIELDS = tuple(name for name in ALIASES if name != "file_name")
HINT = "Columns are file, title, speaker, date, language, licence, source and collection; only file is required."


@dataclass(frozen=True, slots=True)
class Metadata:
    """The rows of one metadata.csv by file path (relative to it, with /) and what was wrong with it."""

    name: str
    rows: Mapping[str, Description] = field(default_factory=dict)
    problems: tuple[Rejected, ...] = ()

    def unused(self, used: Iterable[str], why: Mapping[str, str]) -> list[Rejected]:
        """Return warnings for the rows whose file is not in ``used``; of many, all but the first share one.

        ``why``: of some of them, what is wrong, as the rest of a sentence.
        """
        missing = sorted(self.rows.keys() - set(used))
        found = [
            _warning(
                self.name,
                f"'{self.name}' describes '{clean(key, LONGEST_NAME)}', which {why.get(key, 'is not there')}.",
            )
            for key in missing[:MOST_PROBLEMS]
        ]
        if left := len(missing) - len(found):
            found.append(_warning(self.name, f"'{self.name}' describes {left:,} more files that are not there."))
        return found


@dataclass(slots=True)
class Room:
    """How much metadata a selection may still bring: every table by itself may be small."""

    rows: int
    size_bytes: int = 4 * LARGEST_BYTES

    def parse(self, content: bytes, name: str, most_rows: int) -> Metadata:
        r"""Return the rows of one more metadata.csv, as ``parse``.

        >>> room = Room(rows=1)
        >>> [len(room.parse(b"file\na.mp3\nb.mp3\n", "metadata.csv", 100).rows) for _ in range(2)]
        [1, 0]
        """
        if self.rows <= 0 or len(content) > self.size_bytes:
            return _unusable(name, "comes after too much other metadata")
        table = parse(content, name, min(most_rows, self.rows))
        self.rows -= len(table.rows) + len(table.problems)
        self.size_bytes -= len(content)
        return table


def row_key(path: str) -> str:
    r"""Return the path of a row as it is compared: forward slashes, no leading dots.

    >>> row_key(".\\audio\\a.mp3")
    'audio/a.mp3'
    """
    return str(PurePosixPath(path.strip().replace("\\", "/")))


def column_key(head: str) -> str:
    """Return a column's name as it is compared: no case, spaces, hyphens and the like.

    >>> column_key(" File-Name ")
    'filename'
    """
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", head).casefold())


def columns_of(heads: Sequence[str]) -> dict[str, int]:
    """Return which column holds which field.

    >>> columns_of(["Nr", "Speaker ID", "File name", "Speaker"])
    {'file_name': 2, 'speaker': 3}
    """
    keys = [column_key(head) for head in heads]
    places = {name: next((keys.index(one) for one in names if one in keys), None) for name, names in ALIASES.items()}
    return {name: place for name, place in places.items() if place is not None}


def parse(content: bytes, name: str, most_rows: int) -> Metadata:
    r"""Return the rows of a metadata.csv, in whatever way a spreadsheet wrote it (see ``spreadsheet``).

    A row that cannot be used becomes a warning; ``name`` is how the file is called in it.

    >>> parse(b"file,title\na.mp3,Opening\n,lost\n", "metadata.csv", 100).rows["a.mp3"].title
    'Opening'
    """
    if len(content) > LARGEST_BYTES:
        return _unusable(name, f"has more than {LARGEST_BYTES:,} bytes")
    text, guessed = decoded(content)
    heads, cells_of_lines = read_table(text, lambda cells: "file_name" in columns_of(cells[:MOST_COLUMNS]))
    if len(heads) > MOST_COLUMNS:
        return _unusable(name, f"has more than {MOST_COLUMNS} columns")
    columns = columns_of(heads)
    if "file_name" not in columns:
        first = clean(", ".join(heads), LONGEST_LINE)
        return _unusable(name, "has no column 'file'" + (f" (it begins with: {first})" if first else ""))
    rows: dict[str, Description] = {}
    problems: list[Rejected] = []
    end: list[Rejected] = []
    bad_rows = line = 0
    if guessed:
        message = f"'{name}' is not in UTF-8; it was read as {guessed}. Look whether the letters are right."
        end.append(Rejected(name, InputError(message, "Spreadsheets can save as 'CSV UTF-8'."), "warning"))
    try:
        for line, cells in cells_of_lines:
            if len(rows) + bad_rows >= most_rows:
                end.append(_warning(name, f"'{name}' has more than {most_rows:,} rows; the rest was left out."))
                break
            problem = _add(rows, columns, cells, len(heads))
            bad_rows += bool(problem)
            if problem and bad_rows <= MOST_PROBLEMS:
                problems.append(_warning(name, f"Line {line} of '{name}' {problem}."))
    except csv.Error as error:
        end.append(_warning(name, f"'{name}' cannot be read after line {line}: {error}."))
    if bad_rows > MOST_PROBLEMS:
        message = f"{bad_rows - MOST_PROBLEMS:,} more rows of '{name}' cannot be used."
        problems.append(_warning(name, message))
    return Metadata(name, rows, tuple(problems + end))


def _add(rows: dict[str, Description], columns: Mapping[str, int], cells: Sequence[str], width: int) -> str:
    """Add one row and return what is wrong with it, or nothing."""
    if len(cells) > width:
        return f"has {len(cells)} values for {width} columns; a value with a separator in it needs quotes around it"
    values = {name: cells[place] for name, place in columns.items()}
    if not values["file_name"].strip():
        return "names no file"
    key = row_key(values["file_name"])
    if key in rows:
        return f"describes '{clean(key, LONGEST_NAME)}' a second time"
    rows[key] = description_of(values)
    return ""


def description_of(values: Mapping[str, object]) -> Description:
    r"""Return a description of the known columns, cleaned and cut to length.

    >>> description_of({"title": "A\tB", "weather": "rain", "date": None})
    Description(title='A B', speaker='', date='', language='', licence='', source='', collection='')
    """
    return Description(
        **{
            name: clean(values[name], LONGEST.get(name, LONGEST_LINE))
            for name in FIELDS
            if values.get(name) is not None
        }
    )


def edited(description: Description, values: Mapping[str, str]) -> Description:
    """Return a description with some of its fields overwritten, cleaned and cut to length.

    >>> edited(Description(title="A", speaker="Ann"), {"title": " B ", "weather": "rain"}).title
    'B'
    """
    known = {name: str(value) for name, value in values.items() if name in FIELDS}
    new = description_of(known)
    return replace(description, **{name: getattr(new, name) for name in known})


def plain_description(description: Description) -> Description:
    """Return a description from a table that we wrote: so that no spreadsheet takes a cell for a formula.

    >>> plain_description(Description(title="'=1+1", speaker="'tis")).title
    '=1+1'
    """
    return Description(**{name: text_of_cell(getattr(description, name)) for name in FIELDS})


def _unusable(name: str, reason: str) -> Metadata:
    return Metadata(name, problems=(_warning(name, f"'{name}' {reason} and was left out."),))


def _warning(name: str, message: str) -> Rejected:
    return Rejected(name, InputError(message, HINT), "warning")
