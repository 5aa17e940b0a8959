"""The baseline's vectors: a transcript through the text encoder, and its words as terms for BM25."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence

import numpy as np

from speechsearch.datatypes import Query, SparseVector, Vector, Vectors
from speechsearch.errors import EmptyQueryError
from speechsearch.mini.lexicon import spoken_words
from speechsearch.mini.phonetic import STOP_WORDS, saturate
from speechsearch.mini.pieces import stem
from speechsearch.mini.text import TextEncoder

AVERAGE_WORDS = 60


def word_terms(text: str, *, is_query: bool) -> SparseVector:
    """Return the stemmed words of a text without stop words, as CRC-32 terms with BM25 weights (counts for a query)."""
    words = [stem(word) for word in spoken_words(text) if word not in STOP_WORDS]
    counts = Counter(zlib.crc32(word.encode()) for word in words)
    indices = np.array(sorted(counts), np.uint32)
    values = np.array([counts[index] for index in sorted(counts)], np.float32)
    return SparseVector(indices, values if is_query else saturate(values, len(words), AVERAGE_WORDS))


class TranscriptEncoder:
    """Gives every transcript a dense vector ``asr_dense`` and a sparse one ``asr_words``."""

    vector_names = ("asr_dense", "asr_words")

    def __init__(self, text_encoder: TextEncoder) -> None:
        self.text_encoder = text_encoder

    def encode(self, texts: Sequence[str]) -> list[Vectors]:
        """Return one set of named vectors a text, in order; an empty text gets zeros and no words."""
        dense = self.text_encoder.embed(texts)
        return [
            {"asr_dense": vector * bool(text.strip()), "asr_words": word_terms(text, is_query=False)}
            for text, vector in zip(texts, dense, strict=True)
        ]


class TranscriptQueryEncoder:
    """Typed queries as the transcripts are encoded; a spoken one is transcribed by the engine before."""

    def __init__(self, text_encoder: TextEncoder, *, is_sparse: bool) -> None:
        self.text_encoder, self.is_sparse = text_encoder, is_sparse

    def encode_query(self, query: Query) -> Vector:
        """Return the query's dense vector or its words as terms.

        Raises:
            EmptyQueryError: there are no words.
        """
        if not query.text.strip():
            raise EmptyQueryError("The question is empty.", "Type some words or record a question.")
        if self.is_sparse:
            return word_terms(query.text, is_query=True)
        return self.text_encoder.embed([query.text])[0]
