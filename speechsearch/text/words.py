"""Words as terms: stop words, stems and BM25 weights.

Source: Robertson and Zaragoza, 2009, BM25; Porter, 2001, Snowball's English stemmer.
Differs: the inverse document frequency is the index's part, so here is only the term-frequency half.
"""

from __future__ import annotations

import zlib
from collections import Counter
from functools import lru_cache

import numpy as np
import snowballstemmer
from numpy.typing import NDArray

from speechsearch.domain.values import SparseVector
from speechsearch.text.spoken import spoken_words

VERSION = "words-1"
"""Changes when the same text would give other terms or weights."""
AVERAGE_WORDS = 60
K1 = 1.2
B = 0.75
STOP_WORDS = frozenset(
    "a about after again all also am an and any are aren't as at be because been before being but by can can't cannot "
    "could couldn't did didn't do does doesn't doing don't down during each few for from further had hadn't has hasn't "
    "have haven't having he her here hers herself him himself his how i if in into is isn't it it's its itself just me "
    "more most my myself no nor not of off on once only or other our ours out over own same she should so some such "
    "than that that's the their theirs them themselves then there these they this those through to too under until up "
    "very was wasn't we were weren't what when where which while who whom why will with won't would wouldn't you your "
    "yours yourself tell talk talks talked speak speaks mention mentioned say says said".split()
)
"""Words that a question is made of rather than about."""


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Return the stem of an English word. A stemmer holds the word that it is at, so threads do not share one.

    >>> stem("bridges"), stem("running")
    ('bridg', 'run')
    """
    return str(snowballstemmer.stemmer("english").stemWord(word))


def saturate(counts: NDArray[np.float32], length: float, average_length: float) -> NDArray[np.float32]:
    """Return BM25's term-frequency half of counts in a text of ``length`` terms, (n,) float32.

    >>> saturate(np.array([1.0], np.float32), 400, 400).tolist()
    [1.0]
    """
    return (counts * (K1 + 1) / (counts + K1 * (1 - B + B * length / average_length))).astype(np.float32)


def word_terms(text: str, *, is_query: bool) -> SparseVector:
    """Return the stemmed words of a text without stop words, as CRC-32 terms with BM25 weights (counts for a query)."""
    words = [stem(word) for word in spoken_words(text) if word not in STOP_WORDS]
    counts = Counter(zlib.crc32(word.encode()) for word in words)
    indices = np.array(sorted(counts), np.uint32)
    values = np.array([counts[index] for index in sorted(counts)], np.float32)
    return SparseVector(indices, values if is_query else saturate(values, len(words), AVERAGE_WORDS))


def content_words(text: str) -> list[str]:
    """Return the words of a typed query, without stop words unless there are no others.

    >>> content_words("Who built the bridge?"), content_words("Who is it?")
    (['built', 'bridge'], ['who', 'is', 'it'])
    """
    words = spoken_words(text)
    return [word for word in words if word not in STOP_WORDS] or list(words)
