"""Who is at the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speechsearch.domain.visitors import Visitor

if TYPE_CHECKING:
    import gradio as gr


def visitor_of(request: gr.Request) -> Visitor:
    """Return the visitor whose browser sent an event, as the application's middleware has found it."""
    assert request.request is not None, "an event always comes with its request"
    visitor: Visitor = request.request.scope["state"]["visitor"]
    return visitor
