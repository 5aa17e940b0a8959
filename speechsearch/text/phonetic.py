"""Phoneme n-grams as terms: what the phonetic index counts in a passage and looks for in a query.

Source: Ng and Zue, 2000, subword-based approaches for spoken document retrieval; Robertson and Zaragoza, 2009, BM25.
Differs: terms are counted by expectation over the encoder's posteriors, not over one decoded string; a term's weight in
a passage is BM25's term-frequency half with a fixed average length, passages being bounded; the inverse document
frequency is the index's part.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.values import SparseVector
from speechsearch.text.lexicon import Pronunciation
from speechsearch.text.words import saturate

ORDER = 3
BASE = 40
AVERAGE_LENGTH = 400
ALTERNATIVES = 3
LEAST_SYMBOL = 0.1
LEAST_NGRAM = 0.03
ACROSS_WORDS = 0.4
"""Chosen on the tuning collection; what other values gave is in docs/training-log.md."""


def ngram_codes(symbols: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the code of every n-gram, (symbols - ORDER + 1,) int64: its symbols as digits of a number to base 40.

    >>> ngram_codes(np.array([1, 2, 3, 4])).tolist()
    [1683, 3324]
    """
    windows = max(0, len(symbols) - ORDER + 1)
    codes = np.zeros(windows, np.int64)
    for offset in range(ORDER):
        codes = codes * BASE + symbols[offset : offset + windows]
    return codes


def expected_counts(posteriors: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return (codes, counts) of the n-grams that may have been said: codes ascending, counts expected.

    ``posteriors``: (spikes, 40) float32. The likeliest ALTERNATIVES symbols of a spike are considered, those of at
    least LEAST_SYMBOL; an n-gram counts with the product of its symbols' probabilities, from LEAST_NGRAM on.

    >>> codes, counts = expected_counts(np.eye(40, dtype=np.float32)[[1, 2, 3, 1, 2, 3]])
    >>> dict(zip(codes.tolist(), counts.tolist()))
    {1683: 2.0, 3321: 1.0, 4842: 1.0}
    """
    windows = max(0, len(posteriors) - ORDER + 1)
    likeliest = np.argsort(-posteriors, axis=1, kind="stable")[:, :ALTERNATIVES]
    chances = np.take_along_axis(posteriors, likeliest, axis=1)
    chances = np.where((likeliest > 0) & (chances >= LEAST_SYMBOL), chances, 0.0)
    codes = np.zeros((windows, 1), np.int64)
    weights = np.ones((windows, 1), np.float32)
    for offset in range(ORDER):
        place = slice(offset, offset + windows)
        combinations = codes.shape[1] * likeliest.shape[1]
        codes = (codes[:, :, None] * BASE + likeliest[place][:, None, :]).reshape(windows, combinations)
        weights = (weights[:, :, None] * chances[place][:, None, :]).reshape(windows, combinations)
    is_likely = weights >= LEAST_NGRAM
    distinct, place_of = np.unique(codes[is_likely], return_inverse=True)
    return distinct, np.bincount(place_of, weights[is_likely], len(distinct)).astype(np.float32)


def passage_terms(posteriors: NDArray[np.float32]) -> SparseVector:
    """Return the weighted n-grams of a passage, from its spikes' posteriors (spikes, 40) float32."""
    codes, counts = expected_counts(posteriors)
    return SparseVector(codes.astype(np.uint32), saturate(counts, float(counts.sum()), AVERAGE_LENGTH))


def query_terms(pronunciations: Sequence[Pronunciation], others: Sequence[Pronunciation] = ()) -> SparseVector:
    """Return the n-grams of a query's words with their weights; those across words weigh ACROSS_WORDS.

    ``others``: how some of the words may sound besides; their n-grams count as those of one word do.

    >>> terms = query_terms([(1, 2, 3), (4,)])
    >>> terms.indices.tolist(), [round(float(value), 2) for value in terms.values]
    ([1683, 3324], [1.0, 0.4])
    >>> query_terms([(1, 2, 3)], [(1, 2, 3), (2, 3, 4)]).indices.tolist()
    [1683, 3324]
    """
    within = [ngram_codes(np.array(symbols, np.int64)) for symbols in pronunciations]
    every = ngram_codes(np.array([symbol for symbols in pronunciations for symbol in symbols], np.int64))
    codes = np.concatenate([every, *within])
    further = np.setdiff1d([code for one in others for code in ngram_codes(np.array(one, np.int64))], codes)
    weights = np.concatenate(
        [np.full(len(every), ACROSS_WORDS), np.full(len(codes) - len(every), 1 - ACROSS_WORDS), np.ones(len(further))]
    )
    distinct, place_of = np.unique(np.concatenate([codes, further.astype(np.int64)]), return_inverse=True)
    return SparseVector(distinct.astype(np.uint32), np.bincount(place_of, weights, len(distinct)).astype(np.float32))
