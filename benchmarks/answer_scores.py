"""How answers are scored: EM and F1 as SQuAD has them, overlaps in time, and the rows of tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from speechsearch.answers.extract import extract
from speechsearch.models.base import Reader
from speechsearch.training.reader_data import f1, words_of

ARTICLES = ("a", "an", "the")
PLAYED = 0.5


def compared(text: str) -> list[str]:
    """Return the words by which EM and F1 compare.

    >>> compared("The 'old' Bridge.")
    ['old', 'bridge']
    """
    return [word for word, _, _ in words_of(text) if word not in ARTICLES]


@dataclass
class Scores:
    """EM, F1 and whatever else is counted, of one way of answering."""

    exact: list[bool] = field(default_factory=list)
    f1: list[float] = field(default_factory=list)

    def add(self, found: str, wanted: str) -> None:
        """Count an answer against its reference."""
        self.exact.append(compared(found) == compared(wanted))
        self.f1.append(f1(compared(found), compared(wanted)))

    def row(self, name: str) -> str:
        """Return a line of the table."""
        return f"| {name} | {len(self.f1)} | {np.mean(self.exact):.3f} | {np.mean(self.f1):.3f} |"


def likeliest(reader: Reader, question: str, texts: Sequence[str]) -> str:
    """Return the likeliest span of some passages."""
    best, words = float("-inf"), ""
    for text, read in zip(texts, reader.read(question, texts), strict=True):
        one = extract(question, text, read)
        if one is not None and one.score > best:
            best, words = one.score, text[slice(*one.span)]
    return words


def overlap(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return how many seconds two stretches have in common.

    >>> overlap((0.0, 3.0), (1.0, 5.0)), overlap((0.0, 1.0), (2.0, 3.0))
    (2.0, 0.0)
    """
    return max(0.0, min(one[1], other[1]) - max(one[0], other[0]))


def is_played(gold: tuple[float, float], cited: tuple[float, float]) -> bool:
    """Say whether a stretch that is cited covers at least half of the time in which an answer is said.

    >>> is_played((1.0, 3.0), (2.0, 9.0)), is_played((1.0, 3.0), (2.5, 9.0))
    (True, False)
    """
    return overlap(gold, cited) / max(1e-6, gold[1] - gold[0]) >= PLAYED


def is_played_exactly(gold: tuple[float, float], words: tuple[float, float]) -> bool:
    """Say whether an answer and the words that are cited overlap by half of what they cover together.

    >>> is_played_exactly((1.0, 3.0), (1.5, 3.5)), is_played_exactly((1.0, 3.0), (0.0, 9.0))
    (True, False)
    """
    together = max(gold[1], words[1]) - min(gold[0], words[0])
    return overlap(gold, words) / max(1e-6, together) >= PLAYED


def row(name: str, values: Sequence[float]) -> str:
    """Return a line of a table: how many, and their mean."""
    return f"| {name} | {len(values)} | {np.mean(values):.3f} |" if values else f"| {name} | 0 | - |"


def times(name: str, values_ms: Sequence[float]) -> str:
    """Return a line of a table: how many, their median and the one below which 95 % are."""
    return f"| {name} | {len(values_ms)} | {np.median(values_ms):.0f} / {np.quantile(values_ms, 0.95):.0f} ms |"
