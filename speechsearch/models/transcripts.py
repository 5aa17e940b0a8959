"""The baseline's vectors: a transcript through a text encoder, and its words as terms for BM25."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from speechsearch.domain.errors import CapabilityError, EmptyQueryError
from speechsearch.domain.values import Channel, Query, Vector, Vectors
from speechsearch.models.base import TextEncoder
from speechsearch.text.spellings import other_spellings
from speechsearch.text.words import VERSION, word_terms


def transcript_channels(recognizer_name: str, dim: int) -> tuple[Channel, Channel]:
    """Return the channels of a recogniser's transcripts: their meaning, ``dim`` numbers, and their words.

    >>> [channel.name for channel in transcript_channels("pocketsphinx", 384)]
    ['meaning@pocketsphinx', 'words@pocketsphinx']
    """
    return (
        Channel(f"meaning@{recognizer_name}", "dense", dim, title="meaning"),
        Channel(f"words@{recognizer_name}", "sparse", has_idf=True, title="words"),
    )


class TranscriptEncoder:
    """Gives every transcript of one recogniser a dense vector and a sparse one."""

    def __init__(self, text_encoder: TextEncoder, recognizer_name: str) -> None:
        self.text_encoder = text_encoder
        self.channels = transcript_channels(recognizer_name, text_encoder.dim)
        self.fingerprint = f"{text_encoder.fingerprint}:{VERSION}"

    def encode(self, texts: Sequence[str]) -> list[Vectors]:
        """Return one set of named vectors a text, in order; an empty text gets zeros and no words."""
        meaning, words = self.channels
        dense = self.text_encoder.encode_passages(texts)
        return [
            {meaning.name: vector * bool(text.strip()), words.name: word_terms(text, is_query=False)}
            for text, vector in zip(texts, dense, strict=True)
        ]

    def encode_query(self, query: Query, channel: str) -> Vector:
        """Return a typed question's vector in one of the channels; a spoken one is transcribed by the engine before.

        Raises:
            EmptyQueryError: there are no words.
            CapabilityError: there is no such channel, or the question is spoken.
        """
        meaning, words = self.channels
        if query.audio is not None:
            raise CapabilityError("Transcripts are searched in words.", "Transcribe the spoken question first.")
        if not query.text.strip():
            raise EmptyQueryError("The question is empty.", "Type some words or record a question.")
        if channel == words.name:
            return word_terms(" ".join((query.text, *other_spellings(query.text))), is_query=True)
        if channel == meaning.name:
            vectors = self.text_encoder.encode_queries([query.text])
            return np.asarray(vectors[0])
        raise CapabilityError(f"There is no channel '{channel}'.", f"Choose {meaning.name} or {words.name}.")
