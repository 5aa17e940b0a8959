"""The engines of the shipped model: dense vectors through its adapter, sparse ones from its phonemes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from speechsearch.datatypes import Audio, PhonemeTrack, Query, Vector, Vectors
from speechsearch.errors import EmptyQueryError
from speechsearch.mini.lexicon import spoken_words
from speechsearch.mini.model import MiniModel
from speechsearch.mini.phonetic import STOP_WORDS, passage_terms, query_terms


class MiniPassageEncoder:
    """Gives every passage a dense vector ``adapter`` and a sparse one ``phonetic``."""

    vector_names = ("adapter", "phonetic")

    def __init__(self, model: MiniModel) -> None:
        self.model = model
        self.fingerprint = f"mini-{model.fingerprint}"

    def encode(self, passages: Sequence[Audio]) -> list[Vectors]:
        """Return one set of named vectors a passage, in order."""
        heard = self.model.hear(passages)
        dense = self.model.embed(heard)
        return [
            {"adapter": vector, "phonetic": passage_terms(one.posteriors.numpy())}
            for vector, one in zip(dense, heard, strict=True)
        ]

    def tracks(self, passages: Sequence[Audio]) -> list[PhonemeTrack]:
        """Return the phonemes heard in each passage, in order; cheap after ``encode`` of the same passages."""
        return [PhonemeTrack(one.symbols.astype(np.uint8), one.starts_s) for one in self.model.hear(passages)]


class AdapterQueryEncoder:
    """Typed queries through the text encoder, spoken ones through the adapter: the same space."""

    def __init__(self, model: MiniModel) -> None:
        self.model = model

    def encode_query(self, query: Query) -> Vector:
        """Return the query's unit vector, (384,) float32.

        Raises:
            EmptyQueryError: there are no words, or no speech in the sound.
        """
        if query.audio is not None:
            heard = self.model.hear([query.audio])
            if not len(heard[0].posteriors):
                raise EmptyQueryError("No speech was found in the spoken question.", "Record it again, closer.")
            return self.model.embed(heard)[0]
        if not query.text.strip():
            raise EmptyQueryError("The question is empty.", "Type some words or record a question.")
        return self.model.text_encoder.embed([query.text])[0]


class PhoneticQueryEncoder:
    """Typed queries through the lexicon, word by word; spoken ones through the speech encoder."""

    def __init__(self, model: MiniModel) -> None:
        self.model = model

    def encode_query(self, query: Query) -> Vector:
        """Return the query's phoneme n-grams; question words are left out unless there are no others.

        Raises:
            EmptyQueryError: nothing in the query can be pronounced.
        """
        if query.audio is not None:
            terms = passage_terms(self.model.hear([query.audio])[0].posteriors.numpy())
        else:
            words = spoken_words(query.text)
            content = [word for word in words if word not in STOP_WORDS] or list(words)
            terms = query_terms([self.model.lexicon.pronounce(word) for word in content])
        if not len(terms.indices):
            raise EmptyQueryError("Nothing in the question can be pronounced.", "Use words of letters or digits.")
        return terms
