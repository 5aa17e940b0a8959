"""The messages of ``/ws/understand``. Those of the service it comes from keep their names and fields."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from speechsearch.api.answer_bodies import AnswerBody, EvidenceBody, QuotesBody, SentenceBody
from speechsearch.api.ask_routes import NarrowedBody
from speechsearch.domain.errors import SpeechSearchError
from speechsearch.domain.segments import Segment
from speechsearch.domain.values import Query, Word

Language = Annotated[str | None, Field(max_length=35, description="what is spoken, as ISO 639 writes it")]
Engine = Annotated[str, Field(max_length=80, description="what finds the evidence")]


class ContextBody(NarrowedBody):
    """What is known besides: ``text`` is read as the sound is; ``collections`` and the rest narrow what is searched."""

    text: str = Field("", max_length=20_000)


Context = Annotated[
    Annotated[str, Field(max_length=20_000)] | ContextBody, Field(description="a text alone, or an object")
]


class Asked(BaseModel):
    """A message from the client; ``id`` comes back in everything that answers it."""

    model_config = ConfigDict(extra="forbid")

    id: str | None = Field(None, max_length=64)


class Ping(Asked):
    """Asks whether the server is there; answered by ``pong`` at once, whatever else is done."""

    type: Literal["ping"]


class LoadModels(Asked):
    """Loads the models that are needed; answered by ``progress``, ``ready`` and ``models_loaded``."""

    type: Literal["load_models"]


class WithContext(Asked):
    """A message that comes with a context."""

    context: Context = ""
    engine: Engine = ""

    def told(self) -> str:
        """Return the text of the context."""
        return self.context if isinstance(self.context, str) else self.context.text

    def query(self, question: str = "") -> Query:
        """Return a question with what it is narrowed to."""
        return Query(question) if isinstance(self.context, str) else Query(question, filters=self.context.filters())


class Transcribe(WithContext):
    """Writes down a sound and answers it; answered by ``result``.

    The sound is ``audio`` (base64 of a file), ``upload_id``, or, without both, what binary frames or a stream brought.
    """

    type: Literal["transcribe"]
    audio: str | None = Field(None, description="a sound file in base64")
    upload_id: str | None = Field(None, max_length=64, description="of POST /api/v1/understand/sounds")
    audio_path: str | None = Field(None, description="always refused: paths of the server are not read")
    language: Language = None


class UnderstandAsked(WithContext):
    """A question about the sound just sent; answered by ``evidence``, ``sentence`` (several) and ``answer``.

    Where a language model puts the answer into words, ``quotes`` come before its sentences.

    The collections that the context names are searched, too.
    """

    type: Literal["understand"]
    question: str = Field(min_length=1, max_length=1000)


class Start(Asked):
    """Begins a stream: binary frames are its sound until ``end``; answered by ``started``."""

    type: Literal["start"]
    encoding: Literal["pcm_s16le", "webm", "ogg"] = Field(
        "pcm_s16le", description="16-bit samples; Opus in WebM (MediaRecorder); Opus in Ogg"
    )
    rate_hz: int = Field(16_000, description="of samples, 8,000 to 96,000; a container says its own")
    channels: int = Field(1, description="of samples: 1 or 2")
    language: Language = None


class End(Asked):
    """Ends a stream; answered by ``ended`` when all is written down."""

    type: Literal["end"]


ClientMessage = Annotated[Ping | LoadModels | Transcribe | UnderstandAsked | Start | End, Field(discriminator="type")]
CLIENT: TypeAdapter[ClientMessage] = TypeAdapter(ClientMessage)
KNOWN = ("ping", "load_models", "transcribe", "understand", "start", "end")


class Told(BaseModel):
    """A message from the server."""

    id: str | None = None


class Pong(Told):
    """The server is there."""

    type: Literal["pong"] = "pong"


class ProgressTold(Told):
    """How far something is: ``done`` of ``total``, and what is being done."""

    type: Literal["progress"] = "progress"
    stage: str
    name: str
    done: float
    total: float


class Ready(Told):
    """All models are loaded; which."""

    type: Literal["ready"] = "ready"
    models: list[str]


class ModelsLoaded(Told):
    """The same, as the service that this comes from said it."""

    type: Literal["models_loaded"] = "models_loaded"
    success: bool = True


class WordBody(BaseModel):
    """A word and when it is said, in seconds from the start of the sound."""

    text: str
    start_s: float
    end_s: float

    @classmethod
    def of(cls, one: Word) -> WordBody:
        """Return the body of a word."""
        return cls(text=one.text, start_s=round(one.start_s, 3), end_s=round(one.end_s, 3))


class SegmentBody(BaseModel):
    """A piece that is written down, with times from the start of the sound."""

    text: str
    start_s: float
    end_s: float
    words: list[WordBody]
    language: str
    confidence: float | None

    @classmethod
    def of(cls, one: Segment) -> SegmentBody:
        """Return the body of a segment."""
        return cls(
            text=one.text,
            start_s=round(one.span.start_s, 3),
            end_s=round(one.span.end_s, 3),
            words=[WordBody.of(word) for word in one.words],
            language=one.language,
            confidence=one.confidence,
        )


class FinalTold(Told):
    """A segment of a stream is written down; its text begins with all that was stable."""

    type: Literal["final"] = "final"
    number: int
    segment: SegmentBody


class ResultTold(Told):
    """What was said, and an answer to it.

    ``response``: the answer in words, or that there is none; empty where nothing was said, or more than a question.
    ``speech_features_shape``: of what the speech encoder made of the sound: 1, frames in which somebody speaks,
    phonemes kept of each. ``model``: what answered. ``answer``: with what it cites; None where nothing was asked.
    """

    type: Literal["result"] = "result"
    success: bool = True
    transcript: str
    response: str
    speech_features_shape: tuple[int, ...]
    model: str
    duration_s: float
    segments: list[SegmentBody]
    answer: AnswerBody | None


class EvidenceTold(EvidenceBody, Told):
    """What was found in the collections and is read, besides what was sent."""

    type: Literal["evidence"] = "evidence"


class QuotesTold(QuotesBody, Told):
    """What a language model is about to join, where one is set: the sentences that follow are its."""

    type: Literal["quotes"] = "quotes"


class SentenceTold(SentenceBody, Told):
    """A sentence of the answer; what it cites of what was sent has no recording_id."""

    type: Literal["sentence"] = "sentence"


class AnswerTold(AnswerBody, Told):
    """The whole answer."""

    type: Literal["answer"] = "answer"


class Started(Told):
    """A stream has begun; ``longest_s``: so much may come."""

    type: Literal["started"] = "started"
    longest_s: float


class SpeechTold(Told):
    """Somebody has begun to speak, or has stopped, at a time of the stream."""

    type: Literal["speech_began", "speech_ended"]
    at_s: float


class PartialTold(Told):
    """What is guessed of the segment that is being spoken: ``stable`` only grows, ``open`` may change."""

    type: Literal["partial"] = "partial"
    number: int
    stable: str
    open: str
    start_s: float
    end_s: float


class Ahead(Told):
    """More sound is here than was heard yet: so many seconds wait, and nothing more is read until some are heard."""

    type: Literal["ahead"] = "ahead"
    waiting_s: float


class Ended(Told):
    """A stream is written down whole; ``understand`` and ``transcribe`` may follow."""

    type: Literal["ended"] = "ended"
    duration_s: float
    transcript: str


class ErrorTold(Told):
    """What failed; ``error`` is the same as ``message``, where the service that this comes from had it."""

    type: Literal["error"] = "error"
    error: str
    code: str
    message: str
    hint: str = ""

    @classmethod
    def of(cls, error: SpeechSearchError, id: str | None = None) -> ErrorTold:
        """Return the message of an error."""
        return cls(id=id, error=error.message, code=error.code, message=error.message, hint=error.hint)


ServerMessage = (
    Pong | ProgressTold | Ready | ModelsLoaded | FinalTold | ResultTold | EvidenceTold | QuotesTold | SentenceTold
    | AnswerTold | Started | SpeechTold | PartialTold | Ahead | Ended | ErrorTold
)  # fmt: skip
