"""Tables as spreadsheets and editors write them: any encoding, any separator, short rows, lines above the header."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from ingest.legacy_text import OF_TABLES, guess

SEPARATORS = ",;\t|"
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[ ,;\t]*(\r\n|\r|\n)', re.IGNORECASE)
"""What Excel reads first in a file: which sign stands between the values."""
HEADER_WITHIN = 20
"""The header is one of so many lines; what stands above it are titles and remarks."""
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""How a file begins that says its encoding; the mark of UTF-32 begins with that of UTF-16."""


Rows = Iterator[tuple[int, list[str]]]
"""Rows with the numbers of their lines."""


def decoded(content: bytes) -> tuple[str, str]:
    r"""Return the text of a table, and its encoding where that had to be guessed.

    >>> decoded("file;title\na.wav;Café\n".encode("utf-16-le"))
    ('file;title\na.wav;Café\n', '')
    >>> decoded("file;title\na.wav;Café\n".encode("cp1252"))
    ('file;title\na.wav;Café\n', 'cp1252')
    """
    for mark, encoding in MARKS.items():
        if content.startswith(mark):
            return content.decode(encoding, "replace"), ""
    zeros = [content[start::2].count(0) for start in (0, 1)]
    if 10 * sum(zeros) >= len(content) > 0:  # separators and ends of lines have a zero byte whatever the language
        return content.decode("utf-16-be" if zeros[0] > zeros[1] else "utf-16-le", "replace"), ""
    try:
        return content.decode("utf-8"), ""
    except UnicodeDecodeError:
        encoding = guess(content, OF_TABLES)
        return content.decode(encoding, "replace"), encoding


def read_table(text: str, is_header: Callable[[Sequence[str]], bool]) -> tuple[list[str], Rows]:
    r"""Return the header of a table and its rows with the numbers of their lines, each as long as the header or longer.

    Without a header, the first row that says something, and no rows. Rows of empty cells are left out.

    Raises:
        csv.Error: while the rows are read, a value is too long.

    >>> header, rows = read_table("sep=;\nMy talks\nfile;title\na.wav\n", lambda cells: "file" in cells)
    >>> header, list(rows)
    (['file', 'title'], [(4, ['a.wav', ''])])
    """
    said = SEPARATOR_LINE.match(text)
    body = text[said.end() :] if said else text
    separators = said[1] if said else SEPARATORS
    found = {one: header for one in separators if (header := _header(body, one, is_header)) is not None}
    if not found:
        usual = said[1] if said else max(SEPARATORS, key=body.partition("\n")[0].count)
        first = _header(body, usual, any)
        return first[1] if first else [], iter(())
    separator = max(found, key=lambda one: len(found[one][1]))
    place, heads = found[separator]
    return heads, _below(body, separator, place, len(heads), 1 if said else 0)


def _header(text: str, separator: str, is_header: Callable[[Sequence[str]], bool]) -> tuple[int, list[str]] | None:
    """Return which row is the header, from 0, and its cells; None if there is none."""
    rows = enumerate(islice(_rows(text, separator), HEADER_WITHIN))
    try:
        return next(((place, cells) for place, (_, cells) in rows if is_header(cells)), None)
    except csv.Error:
        return None


def _below(text: str, separator: str, place: int, width: int, lines: int) -> Rows:
    """Yield the rows below the header; what spreadsheets leave out at the end of a row, or add there, is made good."""
    for line, cells in islice(_rows(text, separator), place + 1, None):
        if any(cell.strip() for cell in cells):
            while len(cells) > width and not cells[-1].strip():
                cells.pop()
            yield line + lines, cells + [""] * (width - len(cells))


def _rows(text: str, separator: str) -> Rows:
    reader = csv.reader(io.StringIO(text, newline=None), delimiter=separator)
    for cells in reader:
        yield reader.line_num, cells
