"""The shipped model as a speech encoder: a dense vector through its adapter, sparse ones of sounds and word pieces."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from speechsearch.domain.errors import CapabilityError, EmptyQueryError, ModelUnavailableError
from speechsearch.domain.importing import IMPORTING
from speechsearch.domain.values import Audio, Query, SparseVector, SpokenWord, Vector
from speechsearch.models.base import EncodedPassage
from speechsearch.models.bert import BertTextEncoder
from speechsearch.models.card import ModelCard
from speechsearch.models.load import Located
from speechsearch.models.mini.heard import Heard, heard_words
from speechsearch.models.mini.packed import CONFIG, WEIGHTS
from speechsearch.models.mini.pieces import PieceTerms
from speechsearch.models.mini.speller import read_speller
from speechsearch.text.keywords import compile_kernels
from speechsearch.text.lexicon import Lexicon
from speechsearch.text.phonetic import ORDER, passage_terms, query_terms
from speechsearch.text.spoken import spoken_words
from speechsearch.text.words import content_words

if TYPE_CHECKING:
    from speechsearch.models.mini.network import MiniModel


def load(located: Located) -> MiniSpeechEncoder:
    """Return the speech encoder with its networks.

    Raises:
        ModelUnavailableError: files do not fit each other, or the text encoder is not one that reads soft tokens.
    """
    (text_encoder,) = located.needed.values()
    if not isinstance(text_encoder, BertTextEncoder):
        raise ModelUnavailableError(
            f"The adapter of '{located.card.name}' cannot feed the text encoder {text_encoder!r}.",
            "Its card has to name the one that it was trained for.",
        )
    card, files = located.card, located.files
    try:
        speller = read_speller(files[WEIGHTS])
    except (OSError, SafetensorError) as error:
        raise ModelUnavailableError(
            f"The speech encoder '{card.name}' cannot be loaded: {error}.", "Install speechsearch again."
        ) from error

    def network() -> MiniModel:
        with IMPORTING:
            from speechsearch.models.mini.network import MiniModel

        return MiniModel(files[CONFIG], files[WEIGHTS], text_encoder, located.device)

    return MiniSpeechEncoder(card, text_encoder, Lexicon(speller.pronounce), network)


class MiniSpeechEncoder:
    """Hears meaning, sounds and likely word pieces: the three channels of its card, in this order.

    Typed questions need none of the networks that hear; those are loaded when the first sound comes.
    """

    def __init__(
        self,
        card: ModelCard,
        text_encoder: BertTextEncoder,
        lexicon: Lexicon,
        network: Callable[[], MiniModel],
    ) -> None:
        """``network`` loads what hears."""
        self.text_encoder, self.lexicon = text_encoder, lexicon
        self.piece_terms = PieceTerms(text_encoder.tokenizer)
        self._load_network = network
        self._network: MiniModel | None = None
        self._lock = threading.Lock()
        self.channels, self.fingerprint = card.channels, card.fingerprint
        self.meaning, self.sounds, self.pieces = card.channels
        if self.meaning.dim != text_encoder.dim:
            raise ModelUnavailableError(
                f"The card of '{card.name}' says {self.meaning.dim} numbers, its text encoder {text_encoder.dim}."
            )
        self._query_encoders: dict[str, Callable[[Query], Vector]] = {
            self.meaning.name: self._meaning_of,
            self.sounds.name: self._sounds_of,
            self.pieces.name: self._pieces_of,
        }
        # Compiled, or read from where they were kept, while the first question is on its way.
        threading.Thread(target=compile_kernels, name="kernels", daemon=True).start()

    @property
    def model(self) -> MiniModel:
        """The networks that hear, loaded now if they are not. Raises ModelUnavailableError."""
        with self._lock:
            if self._network is None:
                self._network = self._load_network()
            return self._network

    def encode_passages(self, sounds: Sequence[Audio]) -> list[EncodedPassage]:
        """Return the three vectors and the phonemes of each passage, in order."""
        heard = self.model.hear(sounds)
        return [
            EncodedPassage(
                {
                    self.meaning.name: vector,
                    self.sounds.name: passage_terms(one.posteriors.numpy()),
                    self.pieces.name: self.piece_terms.of_passage(one.chances, one.pieces),
                },
                one.track,
            )
            for vector, one in zip(self.model.embed(heard), heard, strict=True)
        ]

    def encode_query(self, query: Query, channel: str) -> Vector:
        """Return the vector of a typed or spoken question in one of the channels.

        Raises:
            EmptyQueryError: nothing in the question can be looked for there.
            CapabilityError: there is no such channel.
        """
        if channel not in self._query_encoders:
            choices = ", ".join(self._query_encoders)
            raise CapabilityError(f"There is no channel '{channel}'.", f"Choose one of: {choices}.")
        return self._query_encoders[channel](query)

    def pronounce(self, query: Query) -> list[SpokenWord]:
        """Return the words of a question with how they sound: from the dictionary, by letters, or as they were said."""
        if query.audio is not None:
            return heard_words(self.model.hear([query.audio])[0], self.text_encoder.tokenizer)
        ways = self.lexicon.pronunciations
        return [SpokenWord(word, ways(word)) for word in spoken_words(query.text)]

    def _meaning_of(self, query: Query) -> Vector:
        """Return the unit vector of words through the text encoder, of speech through the adapter: the same space."""
        if query.audio is not None:
            heard = self.model.hear([query.audio])
            if not len(heard[0].posteriors):
                raise EmptyQueryError("No speech was found in the spoken question.", "Record it again, closer.")
            return np.asarray(self.model.embed(heard)[0])
        if not query.text.strip():
            raise EmptyQueryError("The question is empty.", "Type some words or record a question.")
        return np.asarray(self.text_encoder.encode_queries([query.text])[0])

    def _sounds_of(self, query: Query) -> SparseVector:
        """Return a question's phoneme n-grams; question words are left out unless there are no others."""
        if query.audio is not None:
            terms = passage_terms(self._content(self.model.hear([query.audio])[0]))
        else:
            usual = [self.lexicon.pronounce(word) for word in content_words(query.text)]
            terms = query_terms(usual, [way for one in query.sounds for way in one.pronunciations])
        if not len(terms.indices):
            raise EmptyQueryError("Nothing in the question can be pronounced.", "Use words of letters or digits.")
        return terms

    def _content(self, heard: Heard) -> NDArray[np.float32]:
        """Return the posteriors of a spoken query without the spikes of what are likely stop words, (spikes, 40)."""
        chances = self.piece_terms.stop_chances(heard.chances, heard.pieces)
        lengths = np.diff(heard.ends.numpy(), prepend=-1)
        is_stop = np.zeros(len(heard.posteriors), bool)
        is_stop[: lengths.sum()] = np.repeat(chances > 0.5, lengths)
        return heard.posteriors.numpy()[~is_stop] if (~is_stop).sum() >= ORDER else heard.posteriors.numpy()

    def _pieces_of(self, query: Query) -> SparseVector:
        """Return a question's word pieces as terms, of speech counted by expectation; stop words have none."""
        if query.audio is not None:
            heard = self.model.hear([query.audio])[0]
            terms = self.piece_terms.of_speech(heard.chances, heard.pieces)
        else:
            terms = self.piece_terms.of_words(spoken_words(query.text))
        if not len(terms.indices):
            raise EmptyQueryError("There are only question words in the question.", "Name what you look for.")
        return terms
