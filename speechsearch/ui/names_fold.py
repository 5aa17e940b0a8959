"""My names, a fold of the Collections tab: the list, and where its names were heard.

Its HTML comes from the server and is put in place by the page's script (static/names.js). That sends changes to the
REST routes, and offers the names while a question is typed.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Request
from fastapi import Query as Parameter
from fastapi.responses import HTMLResponse

from speechsearch.api.identity import visitor_of
from speechsearch.domain.listed_name import LONGEST_NAME
from speechsearch.ui import names_view

if TYPE_CHECKING:
    from speechsearch.service.open import Service

MOST_SHOWN = 20
Name = Annotated[str, Parameter(min_length=1, max_length=LONGEST_NAME)]


def build(service: Service) -> None:
    """Lay out the fold inside the open Blocks."""
    import gradio as gr

    root = escape(service.settings.server.root_path.rstrip("/"), quote=True)
    gr.HTML(f'<ss-names data-root="{root}"></ss-names>', apply_default_css=False, js_on_load=None)


def panel_routes(service: Service) -> APIRouter:
    """Return the routes that give the fold its HTML."""
    router = APIRouter(prefix="/page/names", include_in_schema=False, default_response_class=HTMLResponse)
    root = service.settings.server.root_path.rstrip("/")

    @router.get("")
    def panel(request: Request) -> str:
        """Return the list."""
        may_change = visitor_of(request).is_owner
        return names_view.panel(service.names.find(), root, service.names.fingerprint, may_change=may_change)

    @router.get("/heard")
    def heard(name: Name, request: Request) -> str:
        """Return where a name was heard."""
        visitor = visitor_of(request)
        found = service.names_heard.find(name, MOST_SHOWN, visitor=visitor)
        return names_view.heard(found, root, may_change=visitor.is_owner)

    return router
