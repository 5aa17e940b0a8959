"""Where the sentences of a text begin and end, also of what a recogniser wrote without full stops."""

from __future__ import annotations

import re
from collections.abc import Iterator

END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s)|\n")
TITLES = frozenset("mr mrs ms dr prof st vs no mt jr sr etc capt col gen".split())
CLAUSE = re.compile(r"[,;:–—]\s")
LONGEST_WORDS = 40
"""A longer sentence is cut where it has a comma, or else in the middle."""


def sentences(text: str) -> list[tuple[int, int]]:
    """Return where each sentence of a text stands, as (start, end) of characters, without the spaces around it.

    >>> text = "Mr. J. Snow came. He saw 3.5 pumps! Why?"
    >>> [text[start:end] for start, end in sentences(text)]
    ['Mr. J. Snow came.', 'He saw 3.5 pumps!', 'Why?']
    >>> [end - start for start, end in sentences("word " * 50)]
    [124, 124]
    """
    return [span for start, end in _ended(text) for span in _cut(text, start, end)]


def ended_sentences(text: str) -> list[tuple[int, int]]:
    """Return where each sentence of a written text stands, however long it is, without the spaces around it.

    >>> ended_sentences("word " * 50)
    [(0, 249)]
    """
    return [span for start, end in _ended(text) if (span := _stripped(text, start, end))]


def _ended(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for found in END.finditer(text):
        before = text[start : found.start()].rsplit(None, 1)[-1:]
        last = before[0].lstrip("\"'“‘([").lower() if before else ""
        is_abbreviated = found.group().startswith(".") and (last in TITLES or (len(last) == 1 and last.isalpha()))
        if not is_abbreviated or found.group() == "\n":
            yield start, found.end()
            start = found.end()
    yield start, len(text)


def _cut(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield a sentence, or its halves where it is too long, without the spaces around."""
    if not (place := _stripped(text, start, end)):
        return
    start, end = place
    words = [start + found.start() for found in re.finditer(r"\S+", text[start:end])]
    if len(words) <= LONGEST_WORDS:
        yield start, end
        return
    quarter = len(words) // 4
    commas = {start + found.end() for found in CLAUSE.finditer(text[start:end])}
    places = [place for place in words[quarter:-quarter] if place in commas] or words[quarter:-quarter]
    middle = min(places, key=lambda place: abs(place - words[len(words) // 2]))
    yield from _cut(text, start, middle)
    yield from _cut(text, middle, end)


def _stripped(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Return a place without the spaces around; None where there is nothing else."""
    written = text[start:end]
    start += len(written) - len(written.lstrip())
    end -= len(written) - len(written.rstrip())
    return (start, end) if start < end else None
