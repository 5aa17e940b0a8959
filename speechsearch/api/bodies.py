"""The JSON bodies of the REST routes."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from pydantic import BaseModel

from speechsearch.domain.progress import Progress
from speechsearch.domain.searched import searched_in
from speechsearch.domain.values import Comparison, Coverage, Hit, Passage, Results, Speaker
from speechsearch.domain.visitors import shown_name

if TYPE_CHECKING:
    from speechsearch.domain.listed_name import ListedName
    from speechsearch.service.names_heard import NameFound
    from speechsearch.store import CollectionSummary


class ErrorBody(BaseModel):
    """Why a request failed: a stable code, what happened, what to do."""

    code: str
    message: str
    hint: str = ""


class ChannelBody(BaseModel):
    """At which rank and with which score a channel found the passage."""

    channel: str
    rank: int
    score: float


class HeardBody(BaseModel):
    """A word of the question that was heard, in seconds from the start of the clip."""

    word: str
    start_s: float
    end_s: float


def page_address(passage: Passage) -> str:
    """Return the address at which the page opens a recording at a passage and stops at its end.

    >>> from speechsearch.domain.values import Span
    >>> page_address(Passage("a", "r1", Span(1.0, 2.5)))
    '/?recording=r1&t=1.00&end=2.50'
    """
    span = passage.span
    moment = {"recording": passage.recording_id, "t": f"{span.start_s:.2f}", "end": f"{span.end_s:.2f}"}
    return f"/?{urlencode(moment)}"


def audio_address(passage: Passage) -> str:
    """Return the address of a recording's sound with a passage as its media fragment: players stop at its end.

    >>> from speechsearch.domain.values import Span
    >>> audio_address(Passage("a", "r1", Span(1.0, 2.5)))
    '/api/v1/recordings/r1/audio#t=1.00,2.50'
    """
    span = passage.span
    return f"/api/v1/recordings/{passage.recording_id}/audio#t={span.start_s:.2f},{span.end_s:.2f}"


class SpeakerBody(BaseModel):
    """A person known by voice; ``label`` is what people read: the name, or "Speaker 3" where there is none.

    ``recordings``, ``speech_s``: in how many of the recordings that who asks may see, and for how long.
    """

    speaker_id: str
    number: int
    name: str
    label: str
    recordings: int
    speech_s: float

    @classmethod
    def of(cls, speaker: Speaker) -> SpeakerBody:
        """Return the body of a speaker."""
        return cls(
            speaker_id=speaker.speaker_id,
            number=speaker.number,
            name=speaker.name,
            label=speaker.label,
            recordings=speaker.recordings,
            speech_s=round(speaker.speech_s, 2),
        )


class SpeakingBody(BaseModel):
    """Who speaks in a passage."""

    speaker_id: str
    label: str


class HitBody(BaseModel):
    """One answer; ``clip_url`` plays it from its first second.

    ``page_url`` shows it in its recording, ``audio_url`` plays that file; both stop at the end of the passage.

    ``speaker``: as the recording's metadata say; ``speakers``: who was heard in the passage, who says most of it first.
    ``likelihood``: the calibrated chance that it is one, null where it was never measured for these models;
    ``marked``: stretches of the transcript that match the question, as positions of their first character and of the
    one after their last.
    """

    rank: int
    score: float
    likelihood: float | None
    is_confident: bool
    passage_id: str
    recording_id: str
    title: str
    collection: str
    speaker: str
    speakers: list[SpeakingBody]
    date: str
    language: str
    start_s: float
    end_s: float
    channels: list[ChannelBody]
    heard: list[HeardBody]
    transcript: str
    marked: list[tuple[int, int]]
    clip_url: str
    page_url: str
    audio_url: str

    @classmethod
    def of(cls, hit: Hit) -> HitBody:
        """Return the body of a hit."""
        passage, recording = hit.passage, hit.recording
        return cls(
            rank=hit.rank,
            score=hit.score,
            likelihood=None if hit.likelihood is None else round(hit.likelihood, 4),
            is_confident=hit.is_confident,
            passage_id=passage.passage_id,
            recording_id=recording.recording_id,
            title=recording.title,
            collection=shown_name(recording.collection),
            speaker=recording.speaker,
            speakers=[SpeakingBody(speaker_id=one.speaker_id, label=one.label) for one in hit.speakers],
            date=recording.date,
            language=recording.language,
            start_s=passage.span.start_s,
            end_s=passage.span.end_s,
            channels=[ChannelBody(channel=c.channel, rank=c.rank, score=c.score) for c in hit.channels],
            heard=[
                HeardBody(word=one.text, start_s=round(one.start_s, 2), end_s=round(one.end_s, 2)) for one in hit.heard
            ],
            transcript=hit.transcript or "",
            marked=list(hit.marked),
            clip_url=f"/api/v1/clips/{passage.passage_id}",
            page_url=page_address(passage),
            audio_url=audio_address(passage),
        )


class CoverageBody(BaseModel):
    """How much of what could be searched was there to be searched: passages, and their length."""

    passages: int
    of_passages: int
    duration_s: float
    of_duration_s: float

    @classmethod
    def of(cls, coverage: Coverage) -> CoverageBody:
        """Return the body of a coverage."""
        return cls(
            passages=coverage.passages,
            of_passages=coverage.of_passages,
            duration_s=round(coverage.duration_s, 2),
            of_duration_s=round(coverage.of_duration_s, 2),
        )


class ResultsBody(BaseModel):
    """One engine's answers and the time they took; ``total_ms`` also for reading what is known of the hits.

    ``recognizer``: whose transcripts were searched, empty for sound. ``is_calibrated``: whether hits have likelihoods.
    ``searched_in``: how much of how much was searched, and by what, in words. ``phrases`` and ``excluded``: what the
    question's quotation marks and minus signs were understood as.
    """

    engine: str
    phrases: list[str]
    excluded: list[str]
    has_confident_hit: bool
    is_calibrated: bool
    recognizer: str
    coverage: CoverageBody
    searched_in: str
    encode_ms: float
    search_ms: float
    total_ms: float
    hits: list[HitBody]

    @classmethod
    def of(cls, results: Results) -> ResultsBody:
        """Return the body of an engine's results."""
        return cls(
            engine=results.engine,
            phrases=list(results.question.phrases),
            excluded=list(results.question.excluded),
            has_confident_hit=results.has_confident_hit,
            is_calibrated=results.is_calibrated,
            recognizer=results.recognizer,
            coverage=CoverageBody.of(results.coverage),
            searched_in=searched_in(results),
            encode_ms=results.encode_ms,
            search_ms=results.search_ms,
            total_ms=results.total_ms,
            hits=[HitBody.of(hit) for hit in results.hits],
        )


class ComparisonBody(BaseModel):
    """Two engines' answers to the same query."""

    left: ResultsBody
    right: ResultsBody

    @classmethod
    def of(cls, comparison: Comparison) -> ComparisonBody:
        """Return the body of a comparison."""
        return cls(left=ResultsBody.of(comparison.left), right=ResultsBody.of(comparison.right))


class CollectionBody(BaseModel):
    """A collection and how much it holds."""

    name: str
    description: str
    licence: str
    source: str
    recordings: int
    passages: int
    duration_s: float

    @classmethod
    def of(cls, collection: CollectionSummary) -> CollectionBody:
        """Return the body of a collection, by the name that people see."""
        fields = {name: getattr(collection, name) for name in cls.model_fields}
        return cls(**fields | {"name": shown_name(collection.name)})


class NameBody(BaseModel):
    """A listed name, spellings that sound like it, and whether a recorded example says how it sounds.

    ``has_example``: false also where another speech encoder heard it; then it is to be recorded again. ``is_damaged``:
    its spellings could not be read; it is searched as it is written until it is put anew.
    """

    name: str
    sounds_like: list[str]
    has_example: bool
    is_damaged: bool

    @classmethod
    def of(cls, name: ListedName, fingerprint: str) -> NameBody:
        """Return the body of a name; ``fingerprint``: of the present speech encoder."""
        return cls(
            name=name.written,
            sounds_like=list(name.sounds_like),
            has_example=name.has_example(fingerprint),
            is_damaged=name.is_damaged,
        )


class NameHeardBody(BaseModel):
    """A passage in which a name was heard: how likely by its sound, and when, in seconds from the clip's start.

    ``is_written``: a transcript has it; ``is_said``: true where somebody has confirmed it, else null.
    """

    likelihood: float
    is_written: bool
    is_said: bool | None
    passage_id: str
    recording_id: str
    title: str
    collection: str
    start_s: float
    end_s: float
    heard_start_s: float
    heard_end_s: float
    clip_url: str

    @classmethod
    def of(cls, found: NameFound) -> NameHeardBody:
        """Return the body of a passage."""
        passage, recording = found.passage, found.recording
        return cls(
            likelihood=round(found.heard.likelihood, 4),
            is_written=found.heard.is_written,
            is_said=found.is_said,
            passage_id=passage.passage_id,
            recording_id=recording.recording_id,
            title=recording.title,
            collection=shown_name(recording.collection),
            start_s=passage.span.start_s,
            end_s=passage.span.end_s,
            heard_start_s=round(found.heard.start_s, 2),
            heard_end_s=round(found.heard.end_s, 2),
            clip_url=f"/api/v1/clips/{passage.passage_id}",
        )


class IndexingBody(BaseModel):
    """How far the indexing of the sample collection is."""

    stage: str
    done: float
    total: float
    remaining_s: float | None

    @classmethod
    def of(cls, progress: Progress) -> IndexingBody:
        """Return the body of a progress event."""
        return cls(stage=progress.stage, done=progress.done, total=progress.total, remaining_s=progress.remaining_s)


class HealthBody(BaseModel):
    """That the program answers; to those who may search also what it holds, and what it is indexing.

    Writing transcripts is not said here.
    """

    status: str = "ok"
    recordings: int | None = None
    passages: int | None = None
    indexing: IndexingBody | None = None
