"""The JSON bodies of the routes about what is alike."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from speechsearch.api.bodies import audio_address, page_address
from speechsearch.domain.alike import DuplicatePair, Sense, SimilarHit, SimilarResults, Vote
from speechsearch.domain.values import Passage, Recording
from speechsearch.domain.visitors import shown_name

MOST_POINTS = 200
"""So many of the moments that agree are in an answer, evenly taken."""
Point = tuple[float, float]


class NearestBody(BaseModel):
    """Two windows that sound alike: where they begin in what was asked and in the recording, and their cosine."""

    asked_s: float
    found_s: float
    cosine: float


class SimilarBody(BaseModel):
    """A recording that is alike, and where.

    ``score``: of the same recording how many moments agree, else a cosine. ``likelihood``: the calibrated chance that
    it is right, null where it was never measured. ``offset_s``: of the same recording, its second at which what was
    asked begins; ``speed``: so many times as fast it was played there; ``points``: moments that agree, in seconds of
    what was asked and of the recording. ``shared_words``: what both transcripts have. ``passage_id``: of what was
    found by its words, else empty.
    """

    rank: int
    score: float
    likelihood: float | None
    is_likely: bool
    recording_id: str
    title: str
    collection: str
    speaker: str
    date: str
    passage_id: str
    start_s: float
    end_s: float
    offset_s: float | None
    speed: float
    points: list[Point]
    shared_words: list[str]
    nearest: list[NearestBody]
    transcript: str
    page_url: str
    audio_url: str

    @classmethod
    def of(cls, hit: SimilarHit) -> SimilarBody:
        """Return the body of a hit."""
        recording, place = hit.recording, Passage(hit.passage_id, hit.recording.recording_id, hit.span)
        return cls(
            rank=hit.rank,
            score=round(hit.score, 4),
            likelihood=None if hit.likelihood is None else round(hit.likelihood, 4),
            is_likely=hit.is_likely,
            recording_id=recording.recording_id,
            title=recording.title,
            collection=shown_name(recording.collection),
            speaker=recording.speaker,
            date=recording.date,
            passage_id=hit.passage_id,
            start_s=round(hit.span.start_s, 2),
            end_s=round(hit.span.end_s, 2),
            offset_s=None if hit.offset_s is None else round(hit.offset_s, 2),
            speed=hit.speed,
            points=points_of(hit.points.tolist()),
            shared_words=list(hit.shared),
            nearest=[
                NearestBody(asked_s=one.asked_s, found_s=one.found_s, cosine=round(one.cosine, 4))
                for one in hit.nearest
            ],
            transcript=hit.transcript or "",
            page_url=page_address(place),
            audio_url=audio_address(place),
        )


class SimilarsBody(BaseModel):
    """What is alike in one sense. ``recordings``: it was looked for in so many, of ``of_recordings``."""

    sense: Sense
    asked_s: float
    recordings: int
    of_recordings: int
    total_ms: float
    hits: list[SimilarBody]

    @classmethod
    def of(cls, results: SimilarResults) -> SimilarsBody:
        """Return the body of an answer."""
        return cls(
            sense=results.sense,
            asked_s=round(results.asked_s, 2),
            recordings=results.recordings,
            of_recordings=results.of_recordings,
            total_ms=round(results.total_ms, 2),
            hits=[SimilarBody.of(hit) for hit in results.hits],
        )


class EmbeddingBody(BaseModel):
    """What a sound is like: a vector of unit length, what made it, and how long the sound is."""

    vector: list[float]
    dim: int
    made_by: str
    duration_s: float


class SimilarHealthBody(BaseModel):
    """In which senses something can be found, in how many recordings; ``windows``: of those that may sound alike."""

    status: str = "ok"
    senses: list[Sense]
    embedder: str
    recordings: int
    sounding: int
    windows: int


class TwinBody(BaseModel):
    """One of two recordings that are alike; ``may_delete``: whether who asks may."""

    recording_id: str
    title: str
    collection: str
    speaker: str
    date: str
    duration_s: float
    file_name: str
    may_delete: bool

    @classmethod
    def of(cls, recording: Recording, may_delete: bool) -> TwinBody:
        """Return the body of a recording."""
        return cls(
            recording_id=recording.recording_id,
            title=recording.title,
            collection=shown_name(recording.collection),
            speaker=recording.speaker,
            date=recording.date,
            duration_s=round(recording.duration_s, 2),
            file_name=recording.file_name,
            may_delete=may_delete,
        )


class DuplicateBody(BaseModel):
    """Two recordings that are one, whole or in part.

    ``offset_s``: the first one's second at which the second begins; ``shared_s``: for how long they agree. ``votes``:
    what says so. ``points``: moments that agree, in seconds of the second and of the first.
    """

    first: TwinBody
    second: TwinBody
    is_whole: bool
    offset_s: float
    shared_s: float
    likelihood: float
    votes: dict[str, Vote]
    points: list[Point]

    @classmethod
    def of(cls, pair: DuplicatePair) -> DuplicateBody:
        """Return the body of a pair."""
        first, second = (TwinBody.of(one, one.recording_id in pair.may_change) for one in (pair.first, pair.second))
        return cls(
            first=first,
            second=second,
            is_whole=pair.is_whole,
            offset_s=round(pair.offset_s, 2),
            shared_s=round(pair.shared_s, 2),
            likelihood=round(pair.likelihood, 4),
            votes=dict(pair.votes),
            points=points_of(pair.points.tolist()),
        )


class PairText(BaseModel):
    """What an owner says of two recordings: both are to stay; null: that is forgotten."""

    first: str
    second: str
    verdict: Literal["keep both"] | None = "keep both"


def points_of(points: list[list[float]]) -> list[Point]:
    """Return some of the points, evenly taken, to a hundredth of a second.

    >>> points_of([[0.123, 9.0]])
    [(0.12, 9.0)]
    """
    step = -(-len(points) // MOST_POINTS) or 1
    return [(round(asked_s, 2), round(found_s, 2)) for asked_s, found_s in points[::step]]
