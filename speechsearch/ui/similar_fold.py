"""Where the page gets what is similar: a fold on cards and recordings, one for a sound, and one with duplicates.

The HTML comes from the server and is put in place by the page's script (static/similar.js). What an owner decides goes
to the REST routes.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Request, Response
from fastapi import Query as Parameter
from starlette.responses import HTMLResponse

from speechsearch.api.error_responses import status_of
from speechsearch.api.identity import visitor_of
from speechsearch.api.search_routes import Spoken
from speechsearch.domain.alike import SENSES, Sense, SimilarResults
from speechsearch.domain.errors import InputError, SpeechSearchError
from speechsearch.domain.values import Span
from speechsearch.ui import similar_view, view
from speechsearch.ui.collection_views import named
from speechsearch.ui.similar_view import LONGEST_EXCERPT_S
from speechsearch.ui.texts import Similar

if TYPE_CHECKING:
    from speechsearch.service.open import Service

MOST_HITS, MOST_PAIRS = 8, 50
Track = Annotated[str, Parameter(pattern="^([0-9a-f]{64}|[0-9a-f-]{36})$")]
RecordingId = Annotated[str, Parameter(pattern="^[0-9a-f]{64}$")]
Seconds = Annotated[float, Parameter(ge=0, le=1e6, allow_inf_nan=False)]
Name = Annotated[str, Parameter(max_length=200)]


def build(service: Service) -> None:
    """Lay out the fold with duplicates inside the open Blocks."""
    import gradio as gr

    root = escape(service.settings.server.root_path.rstrip("/"), quote=True)
    gr.HTML(f'<ss-duplicates data-root="{root}"></ss-duplicates>', apply_default_css=False, js_on_load=None)


def panel_routes(service: Service) -> APIRouter:
    """Return the routes that give the folds their HTML and their sounds."""
    router = APIRouter(prefix="/page/similar", include_in_schema=False, default_response_class=HTMLResponse)
    root, similar = service.settings.server.root_path.rstrip("/"), service.similar

    def answer(make: Callable[[], str], around: Callable[[str], str] = lambda html: html) -> HTMLResponse:
        status = 200
        try:
            shown = make()
        except SpeechSearchError as error:
            shown, status = view.problem(error), status_of(error)
        return HTMLResponse(around(shown), status, headers={"Cache-Control": "no-store"})

    def in_sense(sense: Sense | None, find: Callable[[Sense], SimilarResults]) -> HTMLResponse:
        senses = similar.senses()
        chosen = sense or (senses or SENSES)[0]
        return answer(
            lambda: similar_view.found(find(chosen), root), lambda html: similar_view.panel(chosen, senses, html)
        )

    @router.get("")
    def like_a_track(request: Request, track: Track, sense: Sense | None = None) -> HTMLResponse:
        """Return what is like a recording or a passage, in the first sense that there is or another one."""
        return in_sense(sense, lambda one: similar.of_track(track, one, MOST_HITS, visitor=visitor_of(request)))

    @router.post("")
    def like_a_sound(request: Request, sound: Spoken, sense: Sense | None = None) -> HTMLResponse:
        """Return what is like a sound that is sent; it is not kept."""
        visitor = visitor_of(request)
        return in_sense(sense, lambda one: similar.of_sound(similar.sound(sound), one, MOST_HITS, visitor=visitor))

    @router.get("/excerpt", response_class=Response)
    def excerpt(request: Request, recording: RecordingId, start: Seconds, end: Seconds) -> Response:
        """Return a stretch of a recording as WAV, as loud as every other."""
        if not 0 < end - start <= LONGEST_EXCERPT_S + 1:
            raise InputError(*Similar.TOO_LONG)
        content = service.browse.excerpt(recording, Span(start, end), visitor_of(request))
        return Response(content, media_type="audio/wav", headers={"Cache-Control": "private, no-store"})

    @router.get("/duplicates")
    def duplicates(request: Request, collection: Name = "", look: bool = False) -> HTMLResponse:
        """Return the form that looks for duplicates and, when that is asked for, the pairs."""
        visitor = visitor_of(request)

        def make() -> str:
            names = [named(one, visitor.sees_all) for one in service.browse.collections(visitor)]
            form = similar_view.chooser(names, collection)
            if not look:
                return form
            return form + similar_view.duplicates(service.duplicates.find(collection, visitor), MOST_PAIRS, root)

        return answer(make)

    return router
