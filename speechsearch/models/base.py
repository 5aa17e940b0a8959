"""What a model must do: the protocols that every family implements, and the values that they give.

At most five methods each, no default behaviour. A model that cannot do a thing says so with ``CapabilityError``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.values import (
    Audio,
    Channel,
    FloatMatrix,
    PhonemeTrack,
    Query,
    ScoredPassage,
    SpokenWord,
    Transcript,
    Vector,
    Vectors,
)

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class EncodedPassage:
    """All that a speech encoder makes of a passage, computed together: a vector a channel, and the phonemes heard.

    ``track`` is None where the encoder hears no phonemes. A channel in which nothing was heard has a vector of zeros
    or without terms.
    """

    vectors: Vectors
    track: PhonemeTrack | None = None


class TextEncoder(Protocol):
    """Turns texts into unit vectors; questions and passages may be prompted differently."""

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""

    @property
    def fingerprint(self) -> str:
        """A short text that changes when the same text would give another vector."""

    def encode_queries(self, texts: Sequence[str]) -> FloatMatrix:
        """Return one unit vector a question, (texts, dim) float32."""

    def encode_passages(self, texts: Sequence[str]) -> FloatMatrix:
        """Return one unit vector a passage of text, (texts, dim) float32."""


@runtime_checkable
class SoftTextEncoder(TextEncoder, Protocol):
    """A text encoder in PyTorch that also reads vectors in the place of words: what speech adapters feed."""

    @property
    def tokenizer(self) -> Tokenizer:
        """What cuts texts into the pieces of its vocabulary."""

    @property
    def word_embeddings(self) -> Tensor:
        """The input embedding of every piece, (ids, width) float32, frozen."""

    def pool(self, embeddings: Sequence[Tensor]) -> Tensor:
        """Return one unit vector a row, (rows, dim) float32, with gradients to the (pieces, width) rows.

        What stands before and after every passage of text stands around each; rows that are too long are cut.
        """


class SpeechEncoder(Protocol):
    """Turns passages of sound, and typed or spoken questions, into vectors of the same channels."""

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The vectors that every passage gets; the index keeps one named vector for each."""

    @property
    def fingerprint(self) -> str:
        """A short text that changes when the same sound would give other vectors."""

    def encode_passages(self, sounds: Sequence[Audio]) -> list[EncodedPassage]:
        """Return what is heard in each passage, in order; a passage alone gives what it gives in a batch."""

    def encode_query(self, query: Query, channel: str) -> Vector:
        """Return a question's vector in one of the channels.

        Raises:
            EmptyQueryError: nothing in the question can be looked for there.
            CapabilityError: the channel cannot be asked in this way.
        """

    def pronounce(self, query: Query) -> list[SpokenWord]:
        """Return the words of a typed question, or those that are heard in a spoken one, with how they sound.

        Nothing where the encoder hears no phonemes.
        """


class Recognizer(Protocol):
    """Turns passages of sound into text."""

    @property
    def name(self) -> str:
        """The catalog name of the recogniser."""

    @property
    def fingerprint(self) -> str:
        """A short text that changes when the same sound would give another transcript."""

    def transcribe(
        self, sounds: Sequence[Audio], language: str | None = None, hotwords: Sequence[str] = ()
    ) -> list[Transcript]:
        """Return one transcript a passage, in order; the text is empty where nothing was understood.

        ``language``: what is spoken, as ISO 639 writes it; None: the model's own, or what it detects. ``hotwords``:
        names and terms that may be said.

        Raises:
            CapabilityError: the model does not know the language, or takes no hotwords.
        """


class Translator(Recognizer, Protocol):
    """A recogniser that can write in English what is said in another language; its card says so."""

    def translate(self, sounds: Sequence[Audio], language: str | None = None) -> list[Transcript]:
        """Return what is said in each passage, in English, in order.

        Raises:
            CapabilityError: the model does not know the language.
        """


class SpeakerEncoder(Protocol):
    """Turns stretches of speech into vectors that are near each other where the same person speaks."""

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""

    @property
    def fingerprint(self) -> str:
        """A short text that changes when the same sound would give another vector."""

    def encode(self, sounds: Sequence[Audio]) -> FloatMatrix:
        """Return one unit vector a sound, (sounds, dim) float32; a sound alone gives what it gives in a batch."""


@dataclass(frozen=True, slots=True, eq=False)
class AudioTokens:
    """A sound as codes, (quantizers, frames) int16: the first quantizer's are the coarsest.

    ``codebook_size``: codes are 0 up to it. ``frame_hz``: frames a second; the last may stand for less sound.
    """

    codes: NDArray[np.int16]
    codebook_size: int
    frame_hz: float


class AudioTokenizer(Protocol):
    """Turns sounds into codes of a neural codec."""

    @property
    def fingerprint(self) -> str:
        """A short text that changes when the same sound would give other codes."""

    def tokenize(self, sounds: Sequence[Audio]) -> list[AudioTokens]:
        """Return the codes of each sound, in order; a sound alone gives what it gives beside others.

        Every sound has at least one frame.
        """


class SoundEmbedder(Protocol):
    """Turns sounds, speech or music, into vectors that are near each other where they sound alike."""

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""

    @property
    def fingerprint(self) -> str:
        """A short text that changes when the same sound would give another vector."""

    @property
    def window_s(self) -> float:
        """How much sound a vector stands for, in seconds; that of a longer sound is the mean over such windows."""

    def embed(self, sounds: Sequence[Audio]) -> FloatMatrix:
        """Return one unit vector a sound, (sounds, dim) float32; a sound alone gives what it gives beside others.

        No sound is too short or too long. Whoever wants to know where in a long one something is cuts it before.
        """


@dataclass(frozen=True, slots=True, eq=False)
class ReadPassage:
    """A passage as a reader has read it for a question, piece by piece: ``offsets`` (pieces, 2) int32, in characters.

    ``starts``, ``ends`` (pieces,) float32: the log-odds that the answer begins, or ends, with a piece, against that
    the passage has none. What a start and an end have together says how much more likely than nothing their span is.
    """

    offsets: NDArray[np.int32]
    starts: NDArray[np.float32]
    ends: NDArray[np.float32]


class Reader(Protocol):
    """Finds the answer to a question in texts."""

    @property
    def fingerprint(self) -> str:
        """A short text that changes when the same texts would be read otherwise."""

    def read(self, question: str, passages: Sequence[str]) -> list[ReadPassage]:
        """Return where in each passage the answer may begin and end, in order."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a language model is told, and by whom."""

    role: Literal["system", "user", "assistant"]
    content: str


class LanguageModel(Protocol):
    """Writes on from messages."""

    @property
    def name(self) -> str:
        """What people read: which model it is."""

    @property
    def sent_to(self) -> str:
        """The host that what it is told is sent to; empty where it stays on this machine."""

    def generate(self, messages: Sequence[Message], max_tokens: int, stop: Sequence[str] = ()) -> Iterator[str]:
        """Yield the text that it writes, piece by piece, up to so many tokens or one of the texts to stop at.

        Raises:
            ModelUnavailableError: it cannot be asked.
        """


class SpeechLanguageModel(Protocol):
    """Answers about speech that it hears: the sound goes into a language model as vectors, not as a transcript."""

    @property
    def name(self) -> str:
        """The catalog name of the model."""

    @property
    def fingerprint(self) -> str:
        """A short text that changes when the same sound and instruction would give another answer."""

    def features_shape(self, sound: Audio) -> tuple[int, int]:
        """Return how many vectors the language model is given of a sound, and how many numbers each has."""

    def understand(self, sounds: Sequence[Audio], instruction: str, max_tokens: int) -> list[str]:
        """Return what is answered about each sound, in order; the text is empty where nothing is heard.

        ``instruction``: what is to be done with what is heard, for example "Repeat what is said.".
        """


class PassageGenerator(Protocol):
    """Writes the addresses of the passages that answer a question; it knows only passages that it was trained on."""

    @property
    def collection(self) -> str:
        """The collection that it was trained on, by its name in the store."""

    @property
    def passage_ids(self) -> frozenset[str]:
        """The passages whose addresses it has learnt."""

    def generate(self, query: Query, limit: int, passage_ids: Collection[str]) -> list[ScoredPassage]:
        """Return at most ``limit`` of some passages, the likeliest first, with the log-probability of the address.

        Raises:
            EmptyQueryError: there is nothing in the question.
        """
