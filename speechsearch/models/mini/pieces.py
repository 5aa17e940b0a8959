"""Word pieces as terms: which words a passage may hold, counted by expectation over what the adapter hears.

Source: Chia et al., 2010, statistical lattice-based spoken document retrieval: expected counts in place of a
transcript's; Robertson and Zaragoza, 2009, BM25.
Differs: the counts are of the text encoder's word pieces, over the adapter's distribution at every soft token.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from speechsearch.domain.values import SparseVector
from speechsearch.text.words import STOP_WORDS, saturate, stem

if TYPE_CHECKING:
    from torch import Tensor

AVERAGE_PIECES = 60
LEAST_CHANCE = 0.05
NO_TERM = 0


def term_of(piece: str) -> int:
    """Return the term of a word piece: CRC-32 of its stem, or of the piece itself within a word; 0 for a stop word.

    >>> term_of("bridges") == term_of("bridge"), term_of("the"), term_of("##ing") == term_of("ing")
    (True, 0, False)
    """
    if piece in STOP_WORDS:
        return NO_TERM
    return zlib.crc32((piece if piece.startswith("##") else stem(piece)).encode())


class PieceTerms:
    """Turns soft tokens, or the words of a query, into terms."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    @cached_property
    def term_of_id(self) -> NDArray[np.uint32]:
        """The term of every piece by its id, (pieces,) uint32; half a second of stemming, which typed queries save."""
        ids = range(self.tokenizer.get_vocab_size())
        return np.array([term_of(self.tokenizer.id_to_token(number) or "") for number in ids], np.uint32)

    def stop_chances(self, chances: Tensor, pieces: Tensor) -> NDArray[np.float32]:
        """Return how likely each soft token is a stop word, (tokens,) float32; arguments as for ``expected``."""
        stops: NDArray[np.float32] = chances.numpy() * (self.term_of_id[pieces.numpy()] == NO_TERM)
        return np.asarray(stops.sum(1))

    def expected(self, chances: Tensor, pieces: Tensor) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
        """Return (terms, counts) of what may have been said: terms ascending, counts expected; no stop words.

        ``chances``, ``pieces``: (tokens, best), as ``TokenAdapter.soft_tokens`` gives them. A piece counts from
        LEAST_CHANCE on.
        """
        terms = self.term_of_id[pieces.numpy()]
        weights = chances.numpy()
        is_likely = (weights >= LEAST_CHANCE) & (terms != NO_TERM)
        distinct, place_of = np.unique(terms[is_likely], return_inverse=True)
        return distinct, np.bincount(place_of, weights[is_likely], len(distinct)).astype(np.float32)

    def of_passage(self, chances: Tensor, pieces: Tensor) -> SparseVector:
        """Return the weighted terms of a passage: BM25's term-frequency half of the expected counts."""
        terms, counts = self.expected(chances, pieces)
        return SparseVector(terms, saturate(counts, float(counts.sum()), AVERAGE_PIECES))

    def of_speech(self, chances: Tensor, pieces: Tensor) -> SparseVector:
        """Return the terms of a spoken query with their expected counts."""
        return SparseVector(*self.expected(chances, pieces))

    def of_words(self, words: Iterable[str]) -> SparseVector:
        """Return the terms of a typed query's words with their counts."""
        pieces = [piece for word in words for piece in self.tokenizer.encode(word, add_special_tokens=False).tokens]
        terms = np.array([term_of(piece) for piece in pieces], np.uint32)
        distinct, counts = np.unique(terms[terms != NO_TERM], return_counts=True)
        return SparseVector(distinct, counts.astype(np.float32))
