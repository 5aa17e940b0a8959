"""Speakers, a fold of the Collections tab: who is heard, with a sample of each, and what can be said about them.

Its HTML comes from the server and is put in place by the page's script (static/speakers.js), which sends changes to the
REST routes.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi import Query as Parameter
from fastapi.responses import HTMLResponse

from speechsearch.api.identity import visitor_of
from speechsearch.domain.errors import NotFoundError
from speechsearch.domain.visitors import Visitor
from speechsearch.domain.who_said import sample
from speechsearch.ui import people_view
from speechsearch.ui.people_view import SAMPLE_S, HeardIn
from speechsearch.ui.texts import People

if TYPE_CHECKING:
    from speechsearch.service.open import Service

MOST_SHOWN, MOST_VOICES = 50, 20
SpeakerId = Annotated[str, Path(pattern="^[0-9a-f-]{36}$")]
RecordingId = Annotated[str, Parameter(pattern="^([0-9a-f]{64})?$")]


def build(service: Service) -> None:
    """Lay out the fold inside the open Blocks."""
    import gradio as gr

    root = escape(service.settings.server.root_path.rstrip("/"), quote=True)
    gr.HTML(f'<ss-people data-root="{root}"></ss-people>', apply_default_css=False, js_on_load=None)


def panel_routes(service: Service) -> APIRouter:
    """Return the routes that give the fold its HTML and its sounds."""
    router = APIRouter(prefix="/page/speakers", include_in_schema=False, default_response_class=HTMLResponse)
    root, speakers = service.settings.server.root_path.rstrip("/"), service.speakers

    @router.get("")
    def panel(request: Request, words: Annotated[str, Parameter(max_length=100)] = "") -> str:
        """Return the list."""
        visitor = visitor_of(request)
        known = speakers.all(visitor)
        if not known:
            return people_view.nobody(are_heard=speakers.are_heard)
        wanted = words.casefold().split()
        found = people_view.ordered(one for one in known if all(word in one.label.casefold() for word in wanted))
        shown = [one.speaker_id for one in found[:MOST_SHOWN]]
        changeable = frozenset(one for one in shown if speakers.may_change(one, visitor))
        return people_view.panel(found, len(known), words, MOST_SHOWN, root, changeable)

    @router.get("/{speaker_id}")
    def person(speaker_id: SpeakerId, request: Request) -> str:
        """Return one speaker with all voices."""
        visitor = visitor_of(request)
        speaker, may_change = speakers.get(speaker_id, visitor), speakers.may_change(speaker_id, visitor)
        others = speakers.mergeable(speaker_id, visitor) if may_change else []
        every, heard = speakers.recordings_of(speaker_id, visitor), []
        for recording, voice in every[:MOST_VOICES]:
            turns = speakers.of_recording(recording.recording_id, visitor).turns
            first_s = min((one.span.start_s for one in turns if one.voice == voice.number), default=0.0)
            heard.append(HeardIn(recording, voice, first_s))
        return people_view.person(speaker, others, heard, root, len(every), may_change=may_change)

    @router.get("/{speaker_id}/sample", response_class=Response)
    def sound(
        speaker_id: SpeakerId,
        request: Request,
        recording: RecordingId = "",
        voice: Annotated[int, Parameter(ge=0, le=10_000)] = 0,
    ) -> Response:
        """Return a few seconds of a speaker as WAV, from one recording or from that with most of this voice."""
        content = _sample(service, speaker_id, recording, voice, visitor_of(request))
        return Response(content, media_type="audio/wav", headers={"Cache-Control": "private, no-store"})

    return router


def _sample(service: Service, speaker_id: str, recording_id: str, number: int, visitor: Visitor) -> bytes:
    heard = service.speakers.recordings_of(speaker_id, visitor)
    if recording_id:
        heard = [one for one in heard if (one[0].recording_id, one[1].number) == (recording_id, number)]
    for recording, voice in sorted(heard, key=lambda one: -one[1].speech_s):
        span = sample(service.speakers.of_recording(recording.recording_id, visitor).turns, voice.number, SAMPLE_S)
        if span is not None:
            return service.browse.excerpt(recording.recording_id, span, visitor)
    raise NotFoundError(*People.NO_SOUND)
