"""What OpenAI's audio and model routes answer: JSON bodies, and what of a transcript goes into them. Pure functions."""

from __future__ import annotations

import math
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Literal

from pydantic import BaseModel

from speechsearch.domain.segments import Segment
from speechsearch.domain.values import Span, Word

SEEK_A_SECOND = 100
"""Whisper counts frames of 10 ms."""
WITHOUT_SPACES = frozenset(("zh", "yue", "ja", "th", "lo", "my", "km"))
WHISPER_NAMES = {"bn": "bengali", "nn": "nynorsk", "my": "myanmar", "jw": "javanese"}
"""Languages that Whisper, and so OpenAI's interface, calls by another name than Unicode does."""
UNKNOWN = "unknown"
SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？")


class OpenAiFailure(BaseModel):
    """What went wrong: in words, the kind of error, the parameter that it lies in, and a stable code."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAiErrorBody(BaseModel):
    """Why a request failed."""

    error: OpenAiFailure


class ModelBody(BaseModel):
    """A recogniser that can be asked. ``created`` is 0: when models were made is not known."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "speechsearch"


class ModelsBody(BaseModel):
    """All recognisers that can be asked."""

    object: Literal["list"] = "list"
    data: list[ModelBody]


class UsageBody(BaseModel):
    """How many seconds of sound were sent."""

    type: Literal["duration"] = "duration"
    seconds: float


class TranslationBody(BaseModel):
    """What is said, in English."""

    text: str


class TranscriptionBody(BaseModel):
    """What is said."""

    text: str
    usage: UsageBody


class WordBody(BaseModel):
    """A word and when it is said, in seconds."""

    word: str
    start: float
    end: float


class SegmentBody(BaseModel):
    """A piece of a transcript, in seconds from the start.

    ``seek``: where the window begins, in 10 ms. ``avg_logprob``: the logarithm of the recogniser's confidence, 0 where
    it has none. ``no_speech_prob`` and ``tokens`` are not known and so 0 and empty.
    """

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int] = []
    temperature: float = 0.0
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float = 0.0

    @classmethod
    def of(cls, number: int, one: Segment) -> SegmentBody:
        """Return the body of a segment."""
        return cls(
            id=number,
            seek=round(one.span.start_s * SEEK_A_SECOND),
            start=round(one.span.start_s, 3),
            end=round(one.span.end_s, 3),
            text=one.text,
            avg_logprob=math.log(max(one.confidence, 1e-6)) if one.confidence is not None else 0.0,
            compression_ratio=compression_ratio(one.text),
        )


class VerboseBody(BaseModel):
    """What is said, with times; ``language`` in words, as OpenAI has it."""

    task: Literal["transcribe", "translate"]
    language: str
    duration: float
    text: str
    segments: list[SegmentBody] | None = None
    words: list[WordBody] | None = None
    usage: UsageBody

    @classmethod
    def of(
        cls,
        passages: Sequence[Segment],
        duration_s: float,
        granularities: Sequence[str],
        language: str,
        is_translation: bool,
    ) -> VerboseBody:
        """Return a whole transcript. ``language``: what is spoken, as ISO 639 writes it."""
        segments = [sentence for one in passages for sentence in sentences(one)]
        words = [
            WordBody(word=word.text, start=round(word.start_s, 3), end=round(word.end_s, 3))
            for one in segments
            for word in one.words
        ]
        return cls(
            task="translate" if is_translation else "transcribe",
            language="english" if is_translation else language_name(language),
            duration=round(duration_s, 3),
            text=text_of(passages),
            segments=[SegmentBody.of(*one) for one in enumerate(segments)] if "segment" in granularities else None,
            words=words if "word" in granularities else None,
            usage=UsageBody(seconds=round(duration_s, 3)),
        )


class SpokenSegmentBody(BaseModel):
    """What somebody says in one go, in seconds from the start; also the event of a stream that brings it."""

    type: Literal["transcript.text.segment"] = "transcript.text.segment"
    id: str
    start: float
    end: float
    text: str
    speaker: str

    @classmethod
    def of(cls, number: int, one: Segment) -> SpokenSegmentBody:
        """Return the body of a segment."""
        start, end = round(one.span.start_s, 3), round(one.span.end_s, 3)
        return cls(id=f"seg_{number}", start=start, end=end, text=one.text, speaker=one.speaker)


class DiarizedBody(BaseModel):
    """What is said, and by whom."""

    task: Literal["transcribe"] = "transcribe"
    duration: float
    text: str
    segments: list[SpokenSegmentBody]
    usage: UsageBody

    @classmethod
    def of(cls, segments: Sequence[Segment], duration_s: float) -> DiarizedBody:
        """Return a whole transcript."""
        said = [SpokenSegmentBody.of(*one) for one in enumerate(segments)]
        usage = UsageBody(seconds=round(duration_s, 3))
        return cls(duration=round(duration_s, 3), text=text_of(segments), segments=said, usage=usage)


class DeltaBody(BaseModel):
    """The event of a stream that brings more text; ``segment_id``: the segment that it belongs to."""

    type: Literal["transcript.text.delta"] = "transcript.text.delta"
    delta: str
    segment_id: str | None = None


class DoneBody(BaseModel):
    """The last event of a stream: the whole text."""

    type: Literal["transcript.text.done"] = "transcript.text.done"
    text: str


def text_of(segments: Sequence[Segment]) -> str:
    """Return the whole text.

    >>> from speechsearch.domain.values import Span
    >>> text_of([Segment(Span(0, 1), "Good night."), Segment(Span(1, 2), "Good luck.")])
    'Good night. Good luck.'
    """
    return "".join(f"{separator(one, place)}{one.text}" for place, one in enumerate(segments))


def separator(one: Segment, place: int) -> str:
    """Return what stands between a segment and the one before it: nothing before the first, or in some scripts."""
    return "" if place == 0 or one.language in WITHOUT_SPACES else " "


def sentences(one: Segment) -> list[Segment]:
    """Return the sentences of a segment, by the times of its words; the segment itself where that cannot be told.

    >>> from speechsearch.domain.values import Span, Word
    >>> said = Segment(Span(0, 3), "Who? I.", (Word("Who?", 0.1, 1), Word("I.", 2, 2.9)))
    >>> [(part.text, part.span.start_s, part.span.end_s) for part in sentences(said)]
    [('Who?', 0, 1), ('I.', 2, 3)]
    """
    between = separator(one, 1)
    if between.join(word.text for word in one.words) != one.text:
        return [one]
    groups: list[list[Word]] = [[]]
    for word in one.words:
        if groups[-1] and groups[-1][-1].text.endswith(SENTENCE_ENDS):
            groups.append([])
        groups[-1].append(word)
    starts_s = [one.span.start_s, *(words[0].start_s for words in groups[1:])]
    ends_s = [*(words[-1].end_s for words in groups[:-1]), one.span.end_s]
    return [
        replace(one, span=Span(start_s, end_s), text=between.join(word.text for word in words), words=tuple(words))
        for words, start_s, end_s in zip(groups, starts_s, ends_s, strict=True)
    ]


def compression_ratio(text: str) -> float:
    """Return how many times smaller zlib makes a text, as Whisper counts it; what loops is above 2.4.

    >>> compression_ratio("and then " * 40) > 2.4, compression_ratio("")
    (True, 0.0)
    """
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0


@cache
def language_name(code: str) -> str:
    """Return a language in English, in small letters, as OpenAI's interface has it.

    >>> language_name("de"), language_name("en-GB"), language_name("mi"), language_name("")
    ('german', 'english', 'maori', 'unknown')
    """
    from babel import Locale

    base = code.lower().replace("_", "-").partition("-")[0]
    name = WHISPER_NAMES.get(base) or Locale("en").languages.get(base, "") or base or UNKNOWN
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
