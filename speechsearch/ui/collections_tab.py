"""The Collections tab: what is there, change and delete it, and the map of its passages.

The tab is HTML from the server that the page's script (static/collections.js) asks for and puts in place. Changes go to
the REST routes.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi import Query as Parameter
from fastapi.responses import HTMLResponse, JSONResponse

from speechsearch.api.identity import visitor_of
from speechsearch.domain.errors import NotFoundError
from speechsearch.domain.visitors import Visitor
from speechsearch.library.contents import LONGEST_PAGE
from speechsearch.service.manage import LONGEST_NAME
from speechsearch.store import CollectionSummary
from speechsearch.ui import collection_forms as forms
from speechsearch.ui import collection_views as views
from speechsearch.ui.texts import Collections

if TYPE_CHECKING:
    from speechsearch.service.open import Service

Name = Annotated[str, Parameter(max_length=200)]
RecordingId = Annotated[str, Parameter(pattern="^[0-9a-f]{64}$")]
API = "/api/v1"


def build(service: Service) -> None:
    """Lay out the tab inside the open Blocks."""
    import gradio as gr

    root = escape(service.settings.server.root_path.rstrip("/"), quote=True)
    gr.HTML(f'<ss-collections data-root="{root}"></ss-collections>', apply_default_css=False, js_on_load=None)


def panel_routes(service: Service) -> APIRouter:
    """Return the routes that give the tab its HTML."""
    router = APIRouter(prefix="/page/collections", include_in_schema=False, default_response_class=HTMLResponse)
    root = service.settings.server.root_path.rstrip("/")

    @router.get("")
    def panel(
        request: Request,
        name: Name = "",
        words: Annotated[str, Parameter(max_length=200)] = "",
        page: Annotated[int, Parameter(ge=1, le=1_000_000)] = 1,
    ) -> str:
        """Return the tab with one collection open: the named one, or the first when there is none of that name."""
        return _panel(service, visitor_of(request), name, words, page, root)

    @router.get("/leftovers", response_class=JSONResponse)
    def leftovers(request: Request) -> list[str]:
        """Return what a check of database, index and audio files finds."""
        return service.browse.leftovers(visitor_of(request))

    @router.get("/dialog/new")
    def new() -> str:
        """Return the form of a new collection."""
        body = forms.collection_fields(None, LONGEST_NAME)
        return forms.dialog(
            Collections.NEW, body, "POST", f"{root}{API}/collections", Collections.NEW_GO, Collections.NEW_DONE
        )

    @router.get("/dialog/edit")
    def edit(request: Request, name: Name) -> str:
        """Return the form of a collection."""
        body = forms.collection_fields(_summary(service, name, visitor_of(request)), LONGEST_NAME)
        action = f"{root}{API}/collections?name={quote(name, safe='')}"
        return forms.dialog(Collections.EDIT_TITLE, body, "PATCH", action, Collections.SAVE, Collections.SAVED)

    @router.get("/dialog/delete")
    def delete(request: Request, name: Name) -> str:
        """Return the question whether a collection is to be deleted."""
        summary = _summary(service, name, visitor_of(request))
        body = forms.farewell(summary, service.browse.contents(name, visitor=visitor_of(request)).media_bytes)
        action = f"{root}{API}/collections?name={quote(name, safe='')}"
        return forms.dialog(Collections.DELETE_TITLE, body, "DELETE", action, Collections.DELETE)

    @router.get("/dialog/recording")
    def recording(request: Request, id: RecordingId) -> str:
        """Return the form of a recording."""
        body = forms.recording_fields(service.browse.recording(id, visitor_of(request)))
        action = f"{root}{API}/recordings/{id}"
        return forms.dialog(Collections.EDIT_RECORDING, body, "PATCH", action, Collections.SAVE, Collections.SAVED)

    @router.get("/dialog/delete-recording")
    def delete_recording(request: Request, id: RecordingId) -> str:
        """Return the question whether a recording is to be deleted."""
        visitor = visitor_of(request)
        found, passages = service.browse.recording(id, visitor), service.browse.passages_of(id, visitor)
        media_bytes = service.browse.media_bytes(id, visitor)
        body = forms.farewell_recording(found, len(passages), media_bytes)
        action = f"{root}{API}/recordings/{id}"
        return forms.dialog(Collections.DELETE_RECORDING, body, "DELETE", action, Collections.DELETE)

    @router.get("/dialog/reindex")
    def reindex() -> str:
        """Return the question whether the index is to be made anew."""
        body, action = f"<p>{Collections.REINDEX_ABOUT}</p>", f"{root}{API}/reindex"
        title, go, said = Collections.REINDEX_TITLE, Collections.REINDEX, Collections.REINDEX_DONE
        return forms.dialog(title, body, "POST", action, go, said)

    return router


def _summary(service: Service, name: str, visitor: Visitor) -> CollectionSummary:
    key = service.browse.resolve(name, visitor)
    (found,) = [one for one in service.browse.collections(visitor) if one.name == key]
    return found


def _panel(service: Service, visitor: Visitor, name: str, words: str, page: int, root: str) -> str:
    seen = [(views.named(one, visitor.sees_all), one) for one in service.browse.collections(visitor)]
    try:
        key = service.browse.resolve(name, visitor) if name else ""
    except NotFoundError:  # it may just have been deleted
        key = ""
    key = key or (seen[0][1].name if seen else "")
    rights = views.Rights(visitor.may_add, bool(key) and visitor.may_change(key), visitor.is_owner)
    bar = views.toolbar(rights, service.browse.storage() if visitor.is_owner else None)
    shown = ""
    if key:
        contents = service.browse.contents(key, words, page, visitor)
        last = max(1, -(-contents.found // LONGEST_PAGE))
        if page > last:
            contents, page = service.browse.contents(key, words, last, visitor), last
        called = views.named(contents.summary, visitor.sees_all)
        shown = views.detail(called, contents, rights, words, page, root, service.browse.channels())
    return views.panel(seen, key, bar, shown)
