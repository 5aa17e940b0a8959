"""The Recordings tab: one recording whole, with the answers to a question marked on its time line.

The page asks for its parts by plain routes, which answer many times faster than queued events; recording.js puts them
into place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import gradio as gr
from fastapi import APIRouter, Depends, Path, Request
from fastapi import Query as Parameter
from starlette.responses import HTMLResponse

from speechsearch.api.error_responses import status_of
from speechsearch.api.identity import visitor_of
from speechsearch.domain.errors import SpeechSearchError
from speechsearch.domain.speakers import RecordedSpeakers
from speechsearch.domain.values import Filters, Query, Recording
from speechsearch.domain.visitors import Visitor
from speechsearch.ui import recording_lists, recording_view, view, voice_lanes
from speechsearch.ui.asked import LONGEST_QUESTION
from speechsearch.ui.recording_lists import Wanted
from speechsearch.ui.similar_entry import by_sound

if TYPE_CHECKING:
    from speechsearch.service.open import Service

MOST_ANSWERS = 20
MOST_LISTED, MOST_FIRST = 50, 5
"""How many recordings the list has, and how many are first because they are new or were found often."""

RecordingId = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
Question = Annotated[str, Parameter(max_length=LONGEST_QUESTION)]
Name = Annotated[str, Parameter(max_length=40)]
Year = Annotated[str, Parameter(pattern="^([0-9]{4})?$")]
Words = Annotated[str, Parameter(max_length=200)]


def _wanted(words: Words = "", collection: Words = "", speaker: Words = "", year: Year = "") -> Wanted:
    return Wanted(words, collection, speaker, year)


Looked = Annotated[Wanted, Depends(_wanted)]


class RecordingHandlers:
    """What the tab shows; every method returns HTML. All raise NotFoundError for what the visitor does not see."""

    def __init__(self, service: Service, root: str = "") -> None:
        self._service, self._root = service, root
        self._engines = {card.name: card for card in service.search.cards()}

    def listed(self, wanted: Wanted, visitor: Visitor) -> str:
        """Return the recordings that are looked for; all, then those added last and those found most come first."""
        every = self._service.browse.recordings(visitor=visitor)
        heard = self._heard(wanted.speaker, visitor) if wanted.speaker else frozenset()
        found = [one for one in every if wanted.fits(one, heard)]
        newest, times_found = [], {}
        if wanted.is_everything:
            newest = self._service.browse.newest(MOST_FIRST, visitor)
            times_found = self._service.browse.most_found(MOST_FIRST, visitor)
        return recording_lists.recording_list(found, len(every), MOST_LISTED, self._root, newest, times_found)

    def _heard(self, speaker: str, visitor: Visitor) -> frozenset[str]:
        """Return the ids of the recordings in which a speaker is heard."""
        people = self._service.speakers.called(speaker, visitor)
        heard = [self._service.speakers.recordings_of(one.speaker_id, visitor) for one in people]
        return frozenset(recording.recording_id for one in heard for recording, _ in one)

    def filters(self, wanted: Wanted, visitor: Visitor) -> str:
        """Return the filters of the list, with what is chosen."""
        return recording_lists.filters(self._service.browse.facets(visitor), wanted)

    def whole(self, recording_id: str, question: str, engine: str, visitor: Visitor) -> str:
        """Return a recording with its player and, if there is a question, where it is answered."""
        found = self._service.browse.recording(recording_id, visitor)
        engine = engine if engine in self._engines else self._service.search.default()
        heard = self._service.speakers.of_recording(recording_id, visitor)
        return recording_view.whole(
            found,
            self._service.browse.passages_of(recording_id, visitor),
            recording_view.search_form(list(self._engines.values()), question, engine),
            self._answers_or_problem(found, question, engine, visitor),
            self._root,
            has_transcripts=any(card.is_over_transcripts for card in self._engines.values()),
            has_subtitles=self._service.export.has_subtitles(recording_id, visitor),
            chapters=self._service.browse.chapters(recording_id, visitor),
            voices_html=self._lanes(found, heard, visitor),
            has_names=len(heard.voices) > 1 and any(one.speaker.name for one in heard.voices),
        )

    def voices(self, recording_id: str, visitor: Visitor) -> str:
        """Return who speaks in a recording, a lane a voice."""
        found = self._service.browse.recording(recording_id, visitor)
        return self._lanes(found, self._service.speakers.of_recording(recording_id, visitor), visitor)

    def _lanes(self, found: Recording, heard: RecordedSpeakers, visitor: Visitor) -> str:
        may_change = visitor.may_change(found.collection)
        known = self._service.speakers.assignable(found.collection, visitor) if may_change else []
        return voice_lanes.voices(heard, found.duration_s, known, may_change=may_change)

    def turns(self, recording_id: str, visitor: Visitor) -> str:
        """Return all turns of a recording as a list."""
        return voice_lanes.turn_list(self._service.speakers.of_recording(recording_id, visitor))

    def answers(self, recording_id: str, question: str, engine: str, visitor: Visitor) -> str:
        """Return where in a recording a question is answered."""
        found = self._service.browse.recording(recording_id, visitor)
        return self._answers_or_problem(found, question, engine, visitor)

    def passages(self, recording_id: str, visitor: Visitor) -> str:
        """Return all passages of a recording with their transcripts."""
        heard = self._service.speakers.of_recording(recording_id, visitor)
        return recording_view.passage_list(self._service.browse.transcribed(recording_id, visitor), heard)

    def _answers_or_problem(self, found: Recording, question: str, engine: str, visitor: Visitor) -> str:
        if not question.strip():
            return ""
        filters = Filters(recording_ids=(found.recording_id,))
        query = Query(text=question.strip(), top_k=MOST_ANSWERS, filters=filters)
        try:
            results = self._service.search.find(query, engine or self._service.search.default(), visitor)
            several = sum(card.is_over_transcripts for card in self._engines.values()) > 1
            return recording_view.answers(results, self._engines[results.engine], is_recognizer_named=several)
        except SpeechSearchError as error:
            return view.problem(error)


def panel_routes(service: Service) -> APIRouter:
    """Return the routes from which the tab gets its parts."""
    handlers = RecordingHandlers(service, service.settings.server.root_path)
    router = APIRouter(prefix="/page/recordings", include_in_schema=False, default_response_class=HTMLResponse)

    def answer(make: Callable[[], str]) -> HTMLResponse:
        try:
            return HTMLResponse(make(), headers={"Cache-Control": "no-store"})
        except SpeechSearchError as error:
            return HTMLResponse(view.problem(error), status_of(error))

    @router.get("")
    def listed(request: Request, wanted: Looked) -> HTMLResponse:
        """Return the list of recordings."""
        return answer(lambda: handlers.listed(wanted, visitor_of(request)))

    @router.get("/filters")
    def filters(request: Request, wanted: Looked) -> HTMLResponse:
        """Return the filters of the list."""
        return answer(lambda: handlers.filters(wanted, visitor_of(request)))

    @router.get("/{recording_id}")
    def whole(request: Request, recording_id: RecordingId, q: Question = "", engine: Name = "") -> HTMLResponse:
        """Return one recording."""
        return answer(lambda: handlers.whole(recording_id, q, engine, visitor_of(request)))

    @router.get("/{recording_id}/answers")
    def answers(request: Request, recording_id: RecordingId, q: Question = "", engine: Name = "") -> HTMLResponse:
        """Return where a question is answered in it."""
        return answer(lambda: handlers.answers(recording_id, q, engine, visitor_of(request)))

    @router.get("/{recording_id}/passages")
    def passages(request: Request, recording_id: RecordingId) -> HTMLResponse:
        """Return its passages."""
        return answer(lambda: handlers.passages(recording_id, visitor_of(request)))

    @router.get("/{recording_id}/voices")
    def voices(request: Request, recording_id: RecordingId) -> HTMLResponse:
        """Return who speaks in it."""
        return answer(lambda: handlers.voices(recording_id, visitor_of(request)))

    @router.get("/{recording_id}/turns")
    def turns(request: Request, recording_id: RecordingId) -> HTMLResponse:
        """Return who speaks when as a list."""
        return answer(lambda: handlers.turns(recording_id, visitor_of(request)))

    return router


def build(root: str = "") -> None:
    """Lay out the tab inside the open Blocks."""
    gr.HTML(by_sound(root) + recording_lists.frame(root), apply_default_css=False, js_on_load=None)
