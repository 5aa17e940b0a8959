"""Whether a sentence says only what is in what it cites: every content word, name and number must stand there."""

from __future__ import annotations

import re
from collections.abc import Sequence

from speechsearch.text.spellings import keys, places
from speechsearch.text.words import STOP_WORDS, stem

CITED = re.compile(r"\[\d+\]")
"""A citation's number as a language model writes it."""


def unsupported(sentence: str, quotes: Sequence[str]) -> list[str]:
    """Return the words of a sentence that none of the quotes has, by stem or by how they are said; numbers as digits.

    >>> unsupported("The bridge opened in 1890.", ["It was opened, the bridges too, in eighteen ninety."])
    []
    >>> unsupported("Baker built it for $5.", ["Baker's men built it for six dollars"])
    ['5']
    """
    said = " ".join(quotes)
    there = {stem(key.text) for key in keys(said)}
    sentence = CITED.sub(" ", sentence)
    return [
        key.text
        for key in keys(sentence)
        if key.text not in STOP_WORDS
        and stem(key.text) not in there
        and not places(sentence[key.start : key.end], said)
    ]


def support(sentence: str, quotes: Sequence[str]) -> tuple[int, int]:
    """Return how many content words of a sentence the quotes have, and how many it has.

    >>> support("Anna saw Bob", ["Anna saw nobody"])
    (2, 3)
    """
    count = len([key for key in keys(CITED.sub(" ", sentence)) if key.text not in STOP_WORDS])
    return count - len(unsupported(sentence, quotes)), count
