"""The baseline's vectors: a transcript through the text encoder, and its words as terms for BM25."""

from __future__ import annotations

from collections.abc import Sequence

from speechsearch.domain.errors import EmptyQueryError
from speechsearch.domain.values import Query, Vector, Vectors
from speechsearch.models.minilm import TextEncoder
from speechsearch.text.words import word_terms


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
