"""Whether a sentence says only what is in what it cites: every content word, name and number must stand there.

A denial must be there, too, and must not get lost. Who does what to whom is not understood: of "Anna sold it to Bob",
"Bob sold it to Anna" has every word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from speechsearch.text.sentences import sentences
from speechsearch.text.spellings import Key, keys, places
from speechsearch.text.words import STOP_WORDS, stem

CITED = re.compile(r"\[\d+\]")
"""A citation's number as a language model writes it."""
DENIALS = frozenset("no not never nor neither none nobody nothing nowhere without cannot hardly".split())


def unsupported(sentence: str, quotes: Sequence[str]) -> list[str]:
    """Return the words of a sentence that none of the quotes has, by stem or by how they are said; numbers as digits.

    "not" stands for a denial that is in the sentence, but not in the sentence of the quotes that is most like it, or
    the other way round.

    >>> unsupported("The bridge opened in 1890.", ["It was opened, the bridges too, in eighteen ninety."])
    []
    >>> unsupported("Baker built it for $5.", ["Baker's men built it for six dollars"])
    ['5']
    >>> unsupported("Anna didn't walk.", ["Anna walked."]), unsupported("Bob left.", ["He came. Bob never left."])
    (['not'], ['not'])
    """
    is_turned = is_denied(sentence) != is_denied(_nearest(sentence, quotes))
    return _missing(sentence, quotes) + ["not"] * is_turned


def has_content(text: str) -> bool:
    """Return whether a text has a word that says something.

    >>> has_content("It is."), has_content("It is 5.")
    (False, True)
    """
    return bool(_content(CITED.sub(" ", text)))


def is_denied(text: str) -> bool:
    """Return whether a text has a word that denies.

    >>> is_denied("She isn't there"), is_denied("Nota bene")
    (True, False)
    """
    return any(key.text in DENIALS or key.text.replace("’", "'").endswith("n't") for key in keys(text))


def _content(text: str) -> list[Key]:
    return [key for key in keys(text) if key.text not in STOP_WORDS]


def _nearest(sentence: str, quotes: Sequence[str]) -> str:
    """Return the sentence of the quotes that has most of a sentence's words; the first of several."""
    wanted = {stem(key.text) for key in _content(sentence)}
    parts = [quote[start:end] for quote in quotes for start, end in sentences(quote)]
    return max(parts, key=lambda part: len(wanted & {stem(key.text) for key in _content(part)}), default="")


def support(sentence: str, quotes: Sequence[str]) -> tuple[int, int]:
    """Return how many content words of a sentence the quotes have, and how many it has.

    >>> support("Anna saw Bob", ["Anna saw nobody"])
    (2, 3)
    """
    count = len(_content(CITED.sub(" ", sentence)))
    return count - len(_missing(sentence, quotes)), count


def _missing(sentence: str, quotes: Sequence[str]) -> list[str]:
    said = " ".join(quotes)
    there = {stem(key.text) for key in keys(said)}
    sentence = CITED.sub(" ", sentence)
    return [
        key.text
        for key in _content(sentence)
        if stem(key.text) not in there and key.text not in DENIALS and not places(sentence[key.start : key.end], said)
    ]
