"""Make one clip or one spoken question worse, and see where the right passage then ranks in every engine.

The clip is encoded and transcribed anew from the degraded sound, and takes its own place among the passages of its
collection, in an index in memory over which the engines are built anew: so ranks are exact, with the engines' own
weights, and nothing that is searchable changes. Both ranks come from such an index, the first with the stored vectors.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speechsearch.audio.degrade import Degradation, degrade
from speechsearch.domain.errors import EmptyQueryError, TooLongError, TooManyError
from speechsearch.domain.values import Audio, Passage, PhonemeTrack, Query, Recording, Vector
from speechsearch.domain.visitors import LOCAL, Visitor
from speechsearch.index import ExactIndex
from speechsearch.index.vector_index import Point
from speechsearch.library.library import is_nothing
from speechsearch.retrieval.calibration import read_calibrations
from speechsearch.retrieval.engine_cards import engine_cards
from speechsearch.retrieval.engines import build_engines, retrievers
from speechsearch.retrieval.fused import draw_sample
from speechsearch.retrieval.retriever import Retriever

if TYPE_CHECKING:
    from speechsearch.service.open import Service

LONGEST_CLIP_S = 60.0
MOST_PASSAGES = 5_000
"""Of a larger collection so many are drawn; the figures say so."""
BABBLE_VOICES = 4


@dataclass(frozen=True, slots=True)
class Move:
    """At which rank an engine finds the right passage before and after; None: not at all."""

    engine: str
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """What came of a degradation: the engines' moves, the degraded sound, what the recogniser wrote before and after.

    ``passages`` were ranked, of ``of`` in the collection.
    """

    recording: Recording
    passage: Passage
    moves: tuple[Move, ...]
    sound: Audio
    said_before: str
    said_after: str
    passages: int
    of: int


class RobustnessBench:
    """Runs trials over the collections of a service, one at a time a visitor."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._busy: set[str] = set()
        self._kept: tuple[tuple[str, int], list[Point]] | None = None
        self._lock = threading.Lock()

    def clip(self, passage_id: str, query: Query, how: Degradation, visitor: Visitor = LOCAL) -> Trial:
        """Return what becomes of a passage whose sound is degraded.

        Raises:
            NotFoundError: there is no such passage, or not for the visitor.
            EmptyQueryError: there is no question.
            TooLongError: the passage is longer than a minute.
            TooManyError: the visitor's last trial is still running.
        """
        with self._one_at_a_time(visitor):
            passage, recording = self._right(passage_id, query, visitor)
            sound = degrade(self._sound(passage, visitor), how, self._voices(how, recording, visitor))
            points, of = self._points(recording.collection, passage_id)
            vectors, track, said = self._encoded(sound)
            payload = next(one.payload for one in points if one.passage_id == passage_id)
            others = [one for one in points if one.passage_id != passage_id]
            worse = self._engines([*others, Point(passage_id, vectors, payload)], {passage_id: track})
            before = ranks_of(passage_id, self._engines(points), query, len(points))
            after = ranks_of(passage_id, worse, query, len(points))
            stored = self._stored_transcript(passage_id)
            return Trial(recording, passage, moves_of(before, after), sound, stored, said, len(points), of)

    def question(self, passage_id: str, sound: Audio, how: Degradation, visitor: Visitor = LOCAL) -> Trial:
        """Return what becomes of a passage's ranks when the spoken question is degraded. Raises as ``clip`` does."""
        with self._one_at_a_time(visitor):
            passage, recording = self._right(passage_id, Query(audio=sound), visitor)
            worse = degrade(sound, how, self._voices(how, recording, visitor))
            points, of = self._points(recording.collection, passage_id)
            engines = self._engines(points)
            before = ranks_of(passage_id, engines, Query(audio=sound), len(points))
            after = ranks_of(passage_id, engines, Query(audio=worse), len(points))
            said = [self._said(one) for one in (sound, worse)]
            return Trial(recording, passage, moves_of(before, after), worse, said[0], said[1], len(points), of)

    @contextmanager
    def _one_at_a_time(self, visitor: Visitor) -> Iterator[None]:
        with self._lock:
            if visitor.visitor_id in self._busy:
                raise TooManyError("Your last trial is still running.", "Wait a moment.")
            self._busy.add(visitor.visitor_id)
        try:
            yield
        finally:
            with self._lock:
                self._busy.discard(visitor.visitor_id)

    def _right(self, passage_id: str, query: Query, visitor: Visitor) -> tuple[Passage, Recording]:
        if query.audio is None and not query.text.strip():
            raise EmptyQueryError("There is no question.", "Type one: the clip is ranked by it.")
        passage = self._service.browse.passage(passage_id, visitor)
        if passage.span.duration_s > LONGEST_CLIP_S:
            raise TooLongError(f"The clip is longer than {LONGEST_CLIP_S:.0f} s.", "Choose a shorter one.")
        return passage, self._service.browse.recording(passage.recording_id, visitor)

    def _sound(self, passage: Passage, visitor: Visitor) -> Audio:
        return self._service.browse.sound(passage.passage_id, visitor)

    def _voices(self, how: Degradation, recording: Recording, visitor: Visitor) -> list[Audio]:
        """Return what babble is made of: a passage of some other recordings of the collection, always the same ones."""
        if how.noise != "babble":
            return []
        store = self._service.store
        others = [
            one for one in store.recordings.find(recording.collection) if one.recording_id != recording.recording_id
        ]
        others = sorted(others, key=lambda one: one.recording_id)
        drawn = random.Random(1).sample(others, min(BABBLE_VOICES, len(others)))
        firsts = [passage for one in drawn for passage in store.passages.of(one.recording_id)[:1]]
        return [self._sound(passage, visitor) for passage in firsts]

    def _points(self, collection: str, passage_id: str) -> tuple[list[Point], int]:
        """Return the points of a collection, of a large one some and the right one among them, and how many it has."""
        library = self._service.library
        key = collection, library.version + library.transcripts_version
        with self._lock:
            kept = self._kept[1] if self._kept is not None and self._kept[0] == key else None
        if kept is None:
            store = self._service.store
            kept = [point for one in store.recordings.find(collection) for point in library.points(one)]
            with self._lock:
                self._kept = key, kept
        if len(kept) <= MOST_PASSAGES:
            return kept, len(kept)
        drawn = {passage_id, *draw_sample([one.passage_id for one in kept], MOST_PASSAGES - 1)}
        return [one for one in kept if one.passage_id in drawn], len(kept)

    def _encoded(self, sound: Audio) -> tuple[dict[str, Vector], PhonemeTrack | None, str]:
        """Return vectors and phonemes of a sound as the library would store them, and its first transcript."""
        makers = self._service.library.makers
        heard = makers.speech_encoder.encode_passages([sound])[0]
        found: dict[str, Vector] = dict(heard.vectors)
        texts = [baseline.recognizer.transcribe([sound])[0].text for baseline in makers.baselines]
        for baseline, text in zip(makers.baselines, texts, strict=True):
            found.update(baseline.encoder.encode([text])[0])
        real = {name: vector for name, vector in found.items() if not is_nothing(vector)}
        return real, heard.track, "".join(texts[:1])

    def _said(self, sound: Audio) -> str:
        """Return what the first recogniser writes down; nothing where there is none."""
        baselines = self._service.library.makers.baselines
        return baselines[0].recognizer.transcribe([sound])[0].text if baselines else ""

    def _stored_transcript(self, passage_id: str) -> str:
        baselines = self._service.library.makers.baselines
        found = self._service.store.transcripts.get([passage_id], baselines[0].name) if baselines else {}
        return found[passage_id].text if passage_id in found else ""

    def _engines(
        self, points: Sequence[Point], tracks: Mapping[str, PhonemeTrack | None] | None = None
    ) -> dict[str, Retriever]:
        """Return the service's engines over an index of these points; ``tracks`` in place of those that are stored."""
        instead = tracks or {}

        def read(passage_ids: Sequence[str]) -> dict[str, PhonemeTrack]:
            stored = self._service.store.passages.tracks([one for one in passage_ids if one not in instead])
            return stored | {one: track for one in passage_ids if (track := instead.get(one)) is not None}

        makers = self._service.library.makers
        index = ExactIndex(makers.channels)
        index.upsert(points)
        sample = draw_sample([one.passage_id for one in points])
        cards, known = engine_cards(), read_calibrations()
        made = build_engines(cards, index, makers.speech_encoder, makers.baselines, known, lambda: sample, read)
        return retrievers(made)


def moves_of(before: Mapping[str, int | None], after: Mapping[str, int | None]) -> tuple[Move, ...]:
    """Return every engine's two ranks together.

    >>> moves_of({"asr": 1}, {"asr": None})
    (Move(engine='asr', before=1, after=None),)
    """
    return tuple(Move(name, rank, after[name]) for name, rank in before.items())


def ranks_of(passage_id: str, engines: Mapping[str, Retriever], query: Query, count: int) -> dict[str, int | None]:
    """Return at which rank each engine finds a passage among ``count``; None where it does not."""
    return {name: rank_of(passage_id, engine, query, count) for name, engine in engines.items()}


def rank_of(passage_id: str, engine: Retriever, query: Query, count: int) -> int | None:
    """Return at which rank an engine finds a passage among ``count``; None where it does not."""
    try:
        ranking = engine.retrieve(query, count)
    except EmptyQueryError:
        return None
    return next((rank for rank, one in enumerate(ranking.passages, 1) if one.passage_id == passage_id), None)
