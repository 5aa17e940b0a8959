"""Sound that is sent and not kept: what is said in it, an answer to it, and answers about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from speechsearch import audio
from speechsearch.audio.live import EncodedStream, Encoding, PcmStream
from speechsearch.domain.answers import AnswerEvent
from speechsearch.domain.errors import CapabilityError
from speechsearch.domain.limits import Limits, Segmentation
from speechsearch.domain.progress import Progress
from speechsearch.domain.question_syntax import without_signs
from speechsearch.domain.segments import Segment, segment_of
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, Hit, Passage, Query, Recording, Span, Transcript, Word
from speechsearch.domain.visitors import Visitor
from speechsearch.library.batches import batches
from speechsearch.models.base import Recognizer, SpeechLanguageModel
from speechsearch.models.card import Task
from speechsearch.models.load import ModelLoader
from speechsearch.models.speech_language_cards import ABOUT_IT, WRITE_DOWN
from speechsearch.service.ask import Ask, Read
from speechsearch.service.listening import LiveTranscript

BATCH_S = 20.0
"""So much sound is written down in one step, after which somebody else's may come."""
READ_S = 30.0
"""Segments are read together up to this length, so that an answer has what stands around it."""
LONGEST_QUESTION = 1000
"""Characters; what is longer was no question."""
MOST_TOKENS = 120
"""Of such a model's reply to a piece of a sound."""
SENT, TOLD = "What you sent", "Your context"


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """Sound that was sent, and what is said in it."""

    sound: Audio
    segments: tuple[Segment, ...] = ()

    @property
    def text(self) -> str:
        """All that is said."""
        return " ".join(one.text for one in self.segments)


class Understand:
    """Understands sound that somebody sends.

    Args:
        loader: has the models.
        models: those that are needed, by task and name: a recogniser that writes down what is said, a speech encoder
            whose features are told of, and what ``ask`` needs.
        ask: answers questions.
        segmentation: how long the pieces are that a recogniser hears.
        limits: how much sound may be sent.
        speech_model: answers what it hears, without a transcript, in place of ``ask``; experimental.
    """

    def __init__(
        self,
        loader: ModelLoader,
        models: Sequence[tuple[Task, str]],
        ask: Ask,
        segmentation: Segmentation,
        limits: Limits,
        speech_model: SpeechLanguageModel | None = None,
    ) -> None:
        self._loader, self.models = loader, tuple(models)
        self._ask, self._segmentation, self._limits = ask, segmentation, limits
        self._names, self._speech_model = dict(models), speech_model

    def load(self) -> Iterator[Progress]:
        """Yield how many models are loaded, before each and at the end.

        Raises:
            MissingDependencyError, ModelUnavailableError: one cannot be loaded.
        """
        total = len(self.models)
        for done, (task, name) in enumerate(self.models):
            yield Progress("load", f"{task} {name}", done, total)
            self._loader.model(task, name)
        yield Progress("load", "", total, total)

    def longest_s(self, visitor: Visitor) -> float:
        """Return how much sound a visitor may send at once; who may add nothing, a spoken question."""
        limits = self._limits
        return limits.sent_audio_s if visitor.may_add else min(limits.query_audio_s, limits.sent_audio_s)

    def sound(self, content: bytes, visitor: Visitor) -> Audio:
        """Return the sound of a file's content. Raises DecodeError, TooLongError, TooLargeError."""
        return audio.load(content, self._limits, self.longest_s(visitor), SENT)

    def decoder(self, encoding: Encoding, rate_hz: int, channels: int, visitor: Visitor) -> PcmStream | EncodedStream:
        """Return what decodes a stream. Raises InputError, CapabilityError: it is none that can be decoded here."""
        if encoding == "pcm_s16le":
            return PcmStream(rate_hz, channels)
        return EncodedStream(encoding, self.longest_s(visitor))

    def live(self, language: str | None = None) -> LiveTranscript:
        """Return what writes down a stream while it comes in. Raises NotFoundError: there is no such recogniser."""
        return LiveTranscript(self._recognizer(), language)

    def segments(self, sound: Audio, language: str | None = None) -> Iterator[Segment]:
        """Yield what is said, each piece as soon as it is written; nothing where nobody speaks.

        Raises:
            CapabilityError: the recogniser does not know the language.
        """
        recognizer = self._recognizer()
        for batch in batches(self._passages(sound), BATCH_S, lambda one: one[0].duration_s):
            said = recognizer.transcribe([piece for _, piece in batch], language)
            for (span, _), transcript in zip(batch, said, strict=True):
                if transcript.text.strip():
                    yield segment_of(span, transcript)

    def features_shapes(self, sound: Audio) -> Iterator[tuple[int, int]]:
        """Yield the shape of what is heard in each piece: frames in which somebody speaks, phonemes kept of each.

        Of an encoder that hears no phonemes: 1, the numbers of a passage's vector. Where a speech language model
        answers: the vectors that it is given, the numbers of each.
        """
        if self._speech_model is not None:
            for _, piece in self._passages(sound):
                yield self._speech_model.features_shape(piece)
            return
        encoder = self._loader.speech_encoder(self._names["speech encoder"])
        for batch in batches(self._passages(sound), BATCH_S, lambda one: one[0].duration_s):
            for one in encoder.encode_passages([piece for _, piece in batch]):
                dense = [vector.shape[0] for vector in one.vectors.values() if isinstance(vector, np.ndarray)]
                frames, width = one.track.symbols.shape if one.track is not None else (1, max(dense, default=0))
                yield frames, width

    @property
    def speech_model(self) -> str:
        """The name of what answers what it hears without a transcript; empty where nothing does."""
        return self._speech_model.name if self._speech_model is not None else ""

    def reply(self, sound: Audio, told: str) -> Iterator[str]:
        """Yield what the speech language model answers to each piece of a sound; "" where nothing is heard.

        ``told``: is asked about it; without, it is to be written down. Raises CapabilityError: there is no such model.
        """
        if self._speech_model is None:
            raise CapabilityError("No speech language model is set.", "Set SPEECHSEARCH_ENGINES__UNDERSTANDING.")
        instruction = ABOUT_IT.format(told.strip()) if told.strip() else WRITE_DOWN
        for _, piece in self._passages(sound):
            yield from self._speech_model.understand([piece], instruction, MOST_TOKENS)

    def respond(self, said: str, told: str, query: Query, visitor: Visitor, engine: str) -> Iterator[AnswerEvent]:
        """Yield the answer to what somebody said, from the recordings and from what he tells beside it.

        Nothing where it is too long for a question, or empty. ``query``: what is searched. Raises what Ask does.
        """
        question = without_signs(said)
        if question and len(question) <= LONGEST_QUESTION:
            asked = Query(question, top_k=query.top_k, filters=query.filters)
            yield from self._ask.answer(asked, visitor, engine, sent=told_reads(told))

    def answer(self, sent: Sent, told: str, query: Query, visitor: Visitor, engine: str) -> Iterator[AnswerEvent]:
        """Yield the answer to a question about what was sent, and what was told beside it.

        The collections that the query names are searched, too; if it names none, nothing is. Raises what Ask does.
        """
        reads = [*sent_reads(sent), *told_reads(told)]
        is_searched = bool(query.filters.collections)
        yield from self._ask.answer(query, visitor, engine, sent=reads, is_searched=is_searched)

    def _recognizer(self) -> Recognizer:
        return self._loader.recognizer(self._names["recognizer"])

    def _passages(self, sound: Audio) -> list[tuple[Span, Audio]]:
        """Return the pieces of a sound in which somebody speaks, cut at pauses."""
        speech, chosen = list(audio.speech_spans([sound])), self._segmentation
        return [
            (span, Audio(sound.samples[round(span.start_s * SAMPLE_RATE_HZ) : round(span.end_s * SAMPLE_RATE_HZ)]))
            for span in audio.cut(speech, sound.duration_s, chosen.shortest_s, chosen.longest_s)
        ]


def sent_reads(sent: Sent) -> list[Read]:
    """Return what was sent as a reader reads it: segments together, in pieces of up to READ_S."""
    groups: list[list[Segment]] = []
    for one in sent.segments:
        if groups and one.span.end_s - groups[-1][0].span.start_s <= READ_S:
            groups[-1].append(one)
        else:
            groups.append([one])
    return [_read(group, SENT, sent.sound.duration_s) for group in groups]


def told_reads(text: str) -> list[Read]:
    """Return a text that somebody tells as a reader reads it; it has no times."""
    return [_read([Segment(Span(0.0, 0.0), text.strip())], TOLD, 0.0)] if text.strip() else []


def _read(segments: Sequence[Segment], title: str, duration_s: float) -> Read:
    span = Span(segments[0].span.start_s, segments[-1].span.end_s)
    text = " ".join(one.text for one in segments)
    words = tuple(
        Word(word.text, word.start_s - span.start_s, word.end_s - span.start_s)
        for one in segments
        for word in one.words
    )
    hit = Hit(0, 0.0, Passage("", "", span), Recording("", "", title, duration_s), (), transcript=text)
    return Read(hit, Transcript(text, "", words))
