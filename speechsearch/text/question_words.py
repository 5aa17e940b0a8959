"""Which letters of a text belong to words of a question, and which say something that the question does not."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from speechsearch.text.spoken import spoken_words
from speechsearch.text.words import STOP_WORDS, stem


def content_stems(text: str) -> frozenset[str]:
    """Return the stems of a text's content words.

    >>> sorted(content_stems("Who built the bridges?"))
    ['bridg', 'built']
    """
    return frozenset(stem(word) for word in spoken_words(text) if word not in STOP_WORDS)


def shared_letters(question: str, text: str) -> NDArray[np.bool_]:
    """Return which characters of a text belong to a word whose stem a content word of the question has.

    >>> shared_letters("Who built the bridges?", "the bridge").tolist().index(True)
    4
    """
    sought = content_stems(question)
    found = np.zeros(len(text), bool)
    for word in re.finditer(r"\S+", text):
        found[word.start() : word.end()] = any(stem(one) in sought for one in spoken_words(word.group()))
    return found


def new_letters(question: str, text: str) -> NDArray[np.bool_]:
    """Return which characters of a text belong to a content word that the question has not.

    >>> new_letters("Who built the bridges?", "the bridge by Al").tolist().index(True)
    14
    """
    asked = content_stems(question)
    found = np.zeros(len(text), bool)
    for word in re.finditer(r"\S+", text):
        found[word.start() : word.end()] = bool(content_stems(word.group()) - asked)
    return found
