"""The engines of the shipped model: dense vectors through its adapter, sparse ones of sounds and of word pieces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.errors import EmptyQueryError
from speechsearch.domain.values import Audio, PhonemeTrack, Query, Vector, Vectors
from speechsearch.models.mini.network import Heard, MiniModel
from speechsearch.text.phonetic import ORDER, passage_terms, query_terms
from speechsearch.text.spoken import spoken_words
from speechsearch.text.words import content_words


class MiniPassageEncoder:
    """Gives every passage a dense vector ``adapter`` and sparse ones ``phonetic`` and ``pieces``."""

    vector_names = ("adapter", "phonetic", "pieces")

    def __init__(self, model: MiniModel) -> None:
        self.model = model
        self.fingerprint = f"mini-{model.fingerprint}"

    def encode(self, passages: Sequence[Audio]) -> list[Vectors]:
        """Return one set of named vectors a passage, in order."""
        heard = self.model.hear(passages)
        dense = self.model.embed(heard)
        return [
            {
                "adapter": vector,
                "phonetic": passage_terms(one.posteriors.numpy()),
                "pieces": self.model.piece_terms.of_passage(one.chances, one.pieces),
            }
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
            terms = passage_terms(self._content(self.model.hear([query.audio])[0]))
        else:
            terms = query_terms([self.model.lexicon.pronounce(word) for word in content_words(query.text)])
        if not len(terms.indices):
            raise EmptyQueryError("Nothing in the question can be pronounced.", "Use words of letters or digits.")
        return terms

    def _content(self, heard: Heard) -> NDArray[np.float32]:
        """Return the posteriors of a spoken query without the spikes of what are likely stop words, (spikes, 40)."""
        chances = self.model.piece_terms.stop_chances(heard.chances, heard.pieces)
        lengths = np.diff(heard.ends.numpy(), prepend=-1)
        is_stop = np.zeros(len(heard.posteriors), bool)
        is_stop[: lengths.sum()] = np.repeat(chances > 0.5, lengths)
        return heard.posteriors.numpy()[~is_stop] if (~is_stop).sum() >= ORDER else heard.posteriors.numpy()


class PiecesQueryEncoder:
    """Typed queries through the text encoder's tokeniser; spoken ones through the adapter, counted by expectation."""

    def __init__(self, model: MiniModel) -> None:
        self.model = model

    def encode_query(self, query: Query) -> Vector:
        """Return the query's word pieces as terms; stop words have none.

        Raises:
            EmptyQueryError: the query has no word that could be looked for.
        """
        if query.audio is not None:
            heard = self.model.hear([query.audio])[0]
            terms = self.model.piece_terms.of_speech(heard.chances, heard.pieces)
        else:
            terms = self.model.piece_terms.of_words(spoken_words(query.text))
        if not len(terms.indices):
            raise EmptyQueryError("There are only question words in the question.", "Name what you look for.")
        return terms
