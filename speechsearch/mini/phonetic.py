"""Phoneme n-grams as terms: what the phonetic index counts in a passage and looks for in a query.

Source: Ng and Zue, 2000, subword-based approaches for spoken document retrieval; Robertson and Zaragoza, 2009, BM25.
Differs: a term's weight in a passage is BM25's term-frequency half with a fixed average length, passages being bounded;
the inverse document frequency is the index's part.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from speechsearch.datatypes import SparseVector
from speechsearch.mini.lexicon import Pronunciation

ORDER = 3
BASE = 40
K1 = 1.2
B = 0.75
AVERAGE_LENGTH = 400

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


def ngram_codes(symbols: NDArray[np.int64], order: int = ORDER) -> NDArray[np.int64]:
    """Return the code of every n-gram, (symbols - order + 1,) int64: its symbols as the digits of a number to base 40.

    >>> ngram_codes(np.array([1, 2, 3, 4])).tolist()
    [1683, 3324]
    """
    if len(symbols) < order:
        return np.zeros(0, np.int64)
    codes = np.zeros(len(symbols) - order + 1, np.int64)
    for offset in range(order):
        codes = codes * BASE + symbols[offset : len(symbols) - order + 1 + offset]
    return codes


def saturate(counts: NDArray[np.float32], length: float, average_length: float = AVERAGE_LENGTH) -> NDArray[np.float32]:
    """Return BM25's term-frequency half of counts in a text of ``length`` terms, (n,) float32.

    >>> saturate(np.array([1.0], np.float32), 400).tolist()
    [1.0]
    """
    return (counts * (K1 + 1) / (counts + K1 * (1 - B + B * length / average_length))).astype(np.float32)


def passage_terms(symbols: NDArray[np.int64]) -> SparseVector:
    """Return the weighted n-grams of a passage's phonemes."""
    codes, counts = np.unique(ngram_codes(symbols), return_counts=True)
    return SparseVector(codes.astype(np.uint32), saturate(counts.astype(np.float32), len(symbols)))


def query_terms(pronunciations: Sequence[Pronunciation]) -> SparseVector:
    """Return the n-grams of a query's words, within each word, counted."""
    parts = [ngram_codes(np.array(symbols, np.int64)) for symbols in pronunciations]
    codes, counts = np.unique(np.concatenate([np.zeros(0, np.int64), *parts]), return_counts=True)
    return SparseVector(codes.astype(np.uint32), counts.astype(np.float32))
