"""Titles, speakers, dates, languages and licences from a ``metadata.csv`` beside the recordings."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from ingest.sources import LONGEST_LINE, LONGEST_NAME, LONGEST_TEXT, Description, Rejected, clean
from speechsearch.domain.errors import InputError
from speechsearch.domain.safe_text import text_of_cell

FILE_NAME = "metadata.csv"
LARGEST_BYTES = 8_000_000
"""A metadata file of 10,000 rows has about 2 MB."""
MOST_COLUMNS = 100
MOST_PROBLEMS = 50
"""So many rows that cannot be used are named one by one."""

LONGEST = {"title": LONGEST_NAME, "source": LONGEST_TEXT}
FIELDS = ("title", "speaker", "date", "language", "licence", "source", "collection")
ALIASES = {"file": "file_name", "path": "file_name", "license": "licence", "speaker_id": "speaker"}
HINT = "Columns are file, title, speaker, date, language, licence, source and collection; only file is required."


@dataclass(frozen=True, slots=True)
class Metadata:
    """The rows of one metadata.csv by file path (relative to it, with /) and what was wrong with it."""

    name: str
    rows: Mapping[str, Description] = field(default_factory=dict)
    problems: tuple[Rejected, ...] = ()

    def unused(self, used: Iterable[str]) -> list[Rejected]:
        """Return warnings for the rows whose file is not in ``used``; of many, all but the first share one."""
        missing = sorted(self.rows.keys() - set(used))
        found = [
            _warning(self.name, f"'{self.name}' describes '{clean(key, LONGEST_NAME)}', which is not there.")
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


def describe(path: PurePosixPath, tables: Mapping[PurePosixPath, Metadata]) -> tuple[Description, PurePosixPath, str]:
    """Return the description of a file from the nearest metadata.csv above it, that file's folder and the row's key.

    ``tables`` has the metadata by folder; without a row the description is empty and so is the key.

    >>> tables = {PurePosixPath("."): Metadata("m", {"audio/a.mp3": Description(title="Opening")})}
    >>> describe(PurePosixPath("audio/a.mp3"), tables)[0].title
    'Opening'
    """
    for folder in path.parents:
        if table := tables.get(folder):
            key = str(path.relative_to(folder))
            if key in table.rows:
                return table.rows[key], folder, key
    return Description(), PurePosixPath(), ""


def parse(content: bytes, name: str, most_rows: int) -> Metadata:
    r"""Return the rows of a metadata.csv: UTF-8, separated by comma, semicolon or tab.

    A row that cannot be used becomes a warning; ``name`` is how the file is called in it.

    >>> parse(b"file,title\na.mp3,Opening\n,lost\n", "metadata.csv", 100).rows["a.mp3"].title
    'Opening'
    """
    if len(content) > LARGEST_BYTES:
        return _unusable(name, f"has more than {LARGEST_BYTES:,} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _unusable(name, f"is not UTF-8 text (byte {error.start})")
    header = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count))
    rows: dict[str, Description] = {}
    problems: list[Rejected] = []
    end: list[Rejected] = []
    bad_rows = 0
    try:
        columns = [ALIASES.get(column, column) for column in (cell.strip().lower() for cell in next(reader, []))]
        if "file_name" not in columns:
            return _unusable(name, "has no column 'file' or 'file_name'")
        if len(columns) > MOST_COLUMNS:
            return _unusable(name, f"has more than {MOST_COLUMNS} columns")
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(rows) + bad_rows >= most_rows:
                end.append(_warning(name, f"'{name}' has more than {most_rows:,} rows; the rest was left out."))
                break
            problem = _add(rows, columns, cells)
            bad_rows += bool(problem)
            if problem and bad_rows <= MOST_PROBLEMS:
                problems.append(_warning(name, f"Line {reader.line_num} of '{name}' {problem}."))
    except csv.Error as error:
        end.append(_warning(name, f"'{name}' cannot be read after line {reader.line_num}: {error}."))
    if bad_rows > MOST_PROBLEMS:
        message = f"{bad_rows - MOST_PROBLEMS:,} more rows of '{name}' cannot be used."
        problems.append(_warning(name, message))
    return Metadata(name, rows, tuple(problems + end))


def _add(rows: dict[str, Description], columns: list[str], cells: list[str]) -> str:
    """Add one row and return what is wrong with it, or nothing."""
    if len(cells) != len(columns):
        return f"has {len(cells)} values for {len(columns)} columns"
    values = dict(zip(columns, cells, strict=True))
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
    return Rejected(name, InputError(message, HINT), is_warning=True)
