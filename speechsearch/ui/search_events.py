"""What the controls of the Search tab set off."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from speechsearch.api.ask_routes import AT_ONCE
from speechsearch.domain.visitors import Visitor
from speechsearch.ui.ask_handlers import AskHandlers, Latest, Thread, Update
from speechsearch.ui.asked import Asked
from speechsearch.ui.comparison import Shown
from speechsearch.ui.visitor import visitor_of

if TYPE_CHECKING:
    from speechsearch.ui.search_tab import SearchHandlers

SHOWN = "(...controls) => window.speechsearch.shown(...controls)"
"""Keeps the address, says the outcome and asks for the visitor's judgements: search.js."""
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of the tab. ``controls`` in the order of ``Asked``; ``shown``: message, both columns, answer."""

    controls: Sequence[Any]
    shown: Sequence[gr.HTML]
    search: gr.Button
    ask: gr.Button
    alone: gr.Button
    narrow: gr.Accordion
    examples: gr.Dataset


def bind(handlers: SearchHandlers, asking: AskHandlers, parts: Parts) -> None:
    """Bind the tab's events inside the open Blocks; a new question stops the answer to the one before."""
    text, audio, top_k, left, right, collections, speakers, languages, *dates = parts.controls
    thread, latest = gr.State(Thread()), Latest()

    def searching(function: Callable[[Asked, Visitor], Shown]) -> Callable[..., Update]:
        def searched(request: gr.Request, before: Thread, *values: Any) -> Update:
            latest.begin(str(request.session_hash))
            return [*function(Asked(*values), visitor_of(request)), "", replace(before, is_shown=False)]

        return searched

    def growing(function: Callable[[Asked, Thread, Visitor], Iterator[Update]]) -> Callable[..., Iterator[Update]]:
        def grown(request: gr.Request, before: Thread, *values: Any) -> Iterator[Update]:
            updates = function(Asked(*values), before, visitor_of(request))
            yield from latest.only(str(request.session_hash), updates)

        return grown

    def as_typed(asked: Asked, before: Thread, visitor: Visitor) -> Iterator[Update]:
        return asking.ask(asked, Thread(), visitor)

    def load(request: gr.Request, typed_already: str) -> Iterator[Update]:
        assert request.request is not None, "an event always comes with its request"
        parameters = request.request.query_params.multi_items()
        updates = asking.load(parameters, typed_already, visitor_of(request))
        yield from latest.only(str(request.session_hash), updates)

    def narrowed(request: gr.Request) -> list[Any]:
        return handlers.narrowing(visitor_of(request))

    def type_example(row: Sequence[str]) -> str:
        return row[0]

    inputs, outputs = [thread, *parts.controls], [*parts.shown, thread]

    def search(listener: Any, function: Callable[[Asked, Visitor], Shown]) -> None:
        columns = parts.shown[1:3]
        event = listener(searching(function), inputs, outputs, api_visibility="private", show_progress_on=columns)
        event.then(None, parts.controls, None, js=SHOWN, **QUIET)

    def ask(listener: Any, function: Callable[[Asked, Thread, Visitor], Iterator[Update]]) -> None:
        event = listener(
            growing(function), inputs, outputs, trigger_mode="multiple", concurrency_limit=AT_ONCE, **QUIET
        )
        event.then(None, parts.controls, None, js=SHOWN, **QUIET)

    search(text.submit, handlers.typed)
    text.submit(lambda: None, None, audio, queue=False, **QUIET)
    search(parts.search.click, handlers.asked)
    ask(parts.ask.click, asking.ask)
    ask(parts.alone.click, as_typed)
    type_it = parts.examples.click(type_example, parts.examples, text, queue=False, **QUIET)
    search(type_it.then, handlers.typed)
    for heard in (audio.stop_recording, audio.upload):
        heard(lambda: "", None, text, queue=False, **QUIET)
        search(heard, handlers.spoken)
    for moved in (top_k.release, left.input, right.input, collections.input, speakers.input, languages.input):
        ask(moved, asking.again)
    for date in dates:
        ask(date.submit, asking.again)
    filters = [collections, speakers, languages, *dates]
    parts.narrow.expand(narrowed, None, filters, queue=False, **QUIET)
    if (page := gr.context.Context.root_block) is not None:
        loaded = [text, top_k, left, right, *filters, *outputs]
        page.load(load, text, loaded, **QUIET).then(None, parts.controls, None, js=SHOWN, **QUIET)
