"""Stand-ins for models that are loaded when first used; what the card says is known before."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import cast

from speechsearch.domain.values import (
    Audio,
    Channel,
    FloatMatrix,
    Query,
    ScoredPassage,
    SpokenWord,
    Transcript,
    Vector,
)
from speechsearch.models.base import (
    AudioTokenizer,
    AudioTokens,
    EncodedPassage,
    LanguageModel,
    Message,
    PassageGenerator,
    Reader,
    ReadPassage,
    Recognizer,
    SoundEmbedder,
    SpeakerEncoder,
    SpeechEncoder,
    SpeechLanguageModel,
    TextEncoder,
    Translator,
)
from speechsearch.models.generative_cards import Learnt
from speechsearch.models.slot import Slot


class LazyTextEncoder:
    """A text encoder that is loaded when first used."""

    def __init__(self, slot: Slot[TextEncoder]) -> None:
        self._slot = slot
        self.dim = slot.card.dim
        self.fingerprint = slot.card.fingerprint

    def encode_queries(self, texts: Sequence[str]) -> FloatMatrix:
        """Return one unit vector a question, (texts, dim) float32."""
        with self._slot.use() as model:
            return model.encode_queries(texts)

    def encode_passages(self, texts: Sequence[str]) -> FloatMatrix:
        """Return one unit vector a passage of text, (texts, dim) float32."""
        with self._slot.use() as model:
            return model.encode_passages(texts)


class LazySpeechEncoder:
    """A speech encoder that is loaded when first used."""

    def __init__(self, slot: Slot[SpeechEncoder]) -> None:
        self._slot = slot
        self.channels: tuple[Channel, ...] = slot.card.channels
        self.fingerprint = slot.card.fingerprint

    def encode_passages(self, sounds: Sequence[Audio]) -> list[EncodedPassage]:
        """Return what is heard in each passage, in order."""
        with self._slot.use() as model:
            return model.encode_passages(sounds)

    def encode_query(self, query: Query, channel: str) -> Vector:
        """Return a question's vector in one of the channels. Raises EmptyQueryError, CapabilityError."""
        with self._slot.use() as model:
            return model.encode_query(query, channel)

    def pronounce(self, query: Query) -> list[SpokenWord]:
        """Return the words of a question with how they sound."""
        with self._slot.use() as model:
            return model.pronounce(query)


class LazyRecognizer:
    """A recogniser that is loaded when first used."""

    def __init__(self, slot: Slot[Recognizer]) -> None:
        self._slot = slot
        self.name = slot.card.name
        self.fingerprint = slot.card.fingerprint

    def transcribe(
        self, sounds: Sequence[Audio], language: str | None = None, hotwords: Sequence[str] = ()
    ) -> list[Transcript]:
        """Return one transcript a passage, in order. Raises CapabilityError."""
        self._slot.card.check_hotwords(hotwords)
        with self._slot.use() as model:
            return model.transcribe(sounds, language, hotwords) if hotwords else model.transcribe(sounds, language)

    def translate(self, sounds: Sequence[Audio], language: str | None = None) -> list[Transcript]:
        """Return what is said in each passage, in English, in order. Raises CapabilityError: it cannot do that."""
        self._slot.card.check_translation()
        with self._slot.use() as model:
            return cast(Translator, model).translate(sounds, language)


class LazySpeakerEncoder:
    """A speaker encoder that is loaded when first used."""

    def __init__(self, slot: Slot[SpeakerEncoder]) -> None:
        self._slot = slot
        self.dim = slot.card.dim
        self.fingerprint = slot.card.fingerprint

    def encode(self, sounds: Sequence[Audio]) -> FloatMatrix:
        """Return one unit vector a sound, (sounds, dim) float32."""
        with self._slot.use() as model:
            return model.encode(sounds)


class LazyReader:
    """A reader that is loaded when first used."""

    def __init__(self, slot: Slot[Reader]) -> None:
        self._slot = slot
        self.fingerprint = slot.card.fingerprint

    def read(self, question: str, passages: Sequence[str]) -> list[ReadPassage]:
        """Return where in each passage the answer may begin and end, in order."""
        with self._slot.use() as model:
            return model.read(question, passages)


class LazyAudioTokenizer:
    """An audio tokenizer that is loaded when first used."""

    def __init__(self, slot: Slot[AudioTokenizer]) -> None:
        self._slot = slot
        self.fingerprint = slot.card.fingerprint

    def tokenize(self, sounds: Sequence[Audio]) -> list[AudioTokens]:
        """Return the codes of each sound, in order."""
        with self._slot.use() as model:
            return model.tokenize(sounds)


class LazySoundEmbedder:
    """A sound embedder that is loaded when first used."""

    def __init__(self, slot: Slot[SoundEmbedder]) -> None:
        self._slot = slot
        self.dim = slot.card.dim
        self.fingerprint = slot.card.fingerprint
        self.window_s = slot.card.window_s

    def embed(self, sounds: Sequence[Audio]) -> FloatMatrix:
        """Return one unit vector a sound, (sounds, dim) float32."""
        with self._slot.use() as model:
            return model.embed(sounds)


class LazySpeechLanguageModel:
    """A speech language model that is loaded when first used."""

    def __init__(self, slot: Slot[SpeechLanguageModel]) -> None:
        self._slot = slot
        self.name = slot.card.name
        self.fingerprint = slot.card.fingerprint

    def features_shape(self, sound: Audio) -> tuple[int, int]:
        """Return how many vectors the language model is given of a sound, and how many numbers each has."""
        with self._slot.use() as model:
            return model.features_shape(sound)

    def understand(self, sounds: Sequence[Audio], instruction: str, max_tokens: int) -> list[str]:
        """Return what is answered about each sound, in order."""
        with self._slot.use() as model:
            return model.understand(sounds, instruction, max_tokens)


class LazyPassageGenerator:
    """A passage generator that is loaded when first used; what it has learnt is known before."""

    def __init__(self, slot: Slot[PassageGenerator], learnt: Learnt) -> None:
        self._slot = slot
        self.collection = learnt.collection
        self.passage_ids = frozenset(learnt.addresses)

    def generate(self, query: Query, limit: int, passage_ids: Collection[str]) -> list[ScoredPassage]:
        """Return at most ``limit`` of some passages, the likeliest first. Raises EmptyQueryError."""
        with self._slot.use() as model:
            return model.generate(query, limit, passage_ids)


class LazyLanguageModel:
    """A language model of this machine that is loaded when first used, and stays as long as it is writing."""

    sent_to = ""

    def __init__(self, slot: Slot[LanguageModel]) -> None:
        self._slot = slot
        self.name = slot.card.name

    def generate(self, messages: Sequence[Message], max_tokens: int, stop: Sequence[str] = ()) -> Iterator[str]:
        """Yield the text that it writes, piece by piece. Raises ModelUnavailableError."""
        with self._slot.use() as model:
            yield from model.generate(messages, max_tokens, stop)
