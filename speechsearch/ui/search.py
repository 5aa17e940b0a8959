"""The Search tab: one question, two engines side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from speechsearch.datatypes import Query
from speechsearch.errors import EmptyQueryError, SpeechSearchError
from speechsearch.ui import view

if TYPE_CHECKING:
    from speechsearch.service import Service

LONGEST_QUESTION = 1000
MOST_ANSWERS = 20
ANSWERS = 5
LEFT, RIGHT = "hybrid", "asr"

Shown = tuple[str, str, str]
"""HTML of the message above the columns, the left column and the right one."""

KEEP_ADDRESS = """(q, k, engine) => {
  const address = new URL(window.location.href);
  address.search = q ? new URLSearchParams({ q, k, engine }).toString() : "";
  window.history.replaceState(window.history.state, "", address);
}"""


class SearchHandlers:
    """What the tab's controls do; every method returns HTML and raises nothing that a visitor can cause."""

    def __init__(self, service: Service, root: str = "") -> None:
        self._service = service
        self._root = root
        self.engines = {engine.name: engine for engine in service.engines()}

    def intro(self, left: str, right: str) -> Shown:
        """Return the columns before a search: how each engine works."""
        return "", view.about_engine(self.engines[left]), view.about_engine(self.engines[right])

    def typed(self, text: str, top_k: float, left: str, right: str) -> Shown:
        """Return both engines' answers to a typed question."""
        try:
            if not text.strip():
                raise EmptyQueryError("The question is empty.", "Type or speak what you are looking for.")
            return self._compare(Query(text=text.strip()[:LONGEST_QUESTION], top_k=int(top_k)), left, right)
        except SpeechSearchError as error:
            return (view.problem(error), *self.intro(left, right)[1:])

    def spoken(self, path: str | None, top_k: float, left: str, right: str) -> Shown:
        """Return both engines' answers to a recorded or dropped question."""
        try:
            if not path:
                raise EmptyQueryError("No sound has arrived.", "Record the question again, or drop a file.")
            query = Query(audio=self._service.query_audio(Path(path)), top_k=int(top_k))
            return self._compare(query, left, right)
        except SpeechSearchError as error:
            return (view.problem(error), *self.intro(left, right)[1:])

    def asked(self, text: str, path: str | None, top_k: float, left: str, right: str) -> Shown:
        """Return the answers to the typed question, to the spoken one where nothing is typed."""
        spoken = path and not text.strip()
        return self.spoken(path, top_k, left, right) if spoken else self.typed(text, top_k, left, right)

    def again(self, text: str, path: str | None, top_k: float, left: str, right: str) -> Shown:
        """Return the answers to the question at hand after a control has moved; the intro when there is none."""
        has_question = text.strip() or path
        return self.asked(text, path, top_k, left, right) if has_question else self.intro(left, right)

    def from_address(self, parameters: Mapping[str, str]) -> tuple[str, int, str, str, str, str]:
        """Return question, count, left engine and the HTML for an address with ``?q=&k=&engine=``."""
        text = parameters.get("q", "")[:LONGEST_QUESTION]
        count = parameters.get("k", "")[:4]
        top_k = min(MOST_ANSWERS, max(1, int(count))) if count.isascii() and count.isdigit() else ANSWERS
        left = parameters.get("engine", LEFT)
        left = left if left in self.engines else LEFT
        return text, top_k, left, *self.again(text, None, top_k, left, RIGHT)

    def examples(self) -> list[list[str]]:
        """Return example questions, one a row."""
        return [[question] for question in self._service.example_questions(6)]

    def _compare(self, query: Query, left: str, right: str) -> Shown:
        if not any(collection.passages for collection in self._service.collections()):
            raise EmptyQueryError("There is nothing to search yet.", "Add recordings on the second tab.")
        found = self._service.compare(query, left, right)
        return (
            "",
            view.column(found.left, self.engines[left], root=self._root),
            view.column(found.right, self.engines[right], root=self._root),
        )


def build(handlers: SearchHandlers) -> gr.Dataset:
    """Lay out the tab inside the open Blocks, bind its events and return the example questions."""
    with gr.Row(elem_id="ask"):
        text = gr.Textbox(
            placeholder="What are you looking for?",
            label="Question",
            show_label=False,
            container=False,
            max_length=LONGEST_QUESTION,
            autofocus=True,
            scale=1,
            min_width=160,
            elem_id="question",
        )
        button = gr.Button("Search", variant="primary", scale=0, min_width=96, elem_id="go")
    examples = gr.Dataset(
        components=["textbox"],
        samples=handlers.examples(),
        type="values",
        layout="gallery",
        show_label=False,
        label="Example questions",
        container=False,
        elem_id="examples",
    )
    label = "Speak the question, drop an audio file, or change how many answers"
    with gr.Accordion(label, open=False, elem_id="more"), gr.Row():
        audio = gr.Audio(
            sources=["microphone", "upload"],
            type="filepath",
            label="Spoken question",
            waveform_options=gr.WaveformOptions(sample_rate=16_000),
            editable=False,
            elem_id="spoken",
        )
        top_k = gr.Slider(1, MOST_ANSWERS, ANSWERS, step=1, label="Answers in each column", elem_id="count", buttons=[])
    message = gr.HTML(elem_id="message", apply_default_css=False, js_on_load=None)
    with gr.Row(elem_id="columns"):
        left, left_html = _column(handlers, "left", LEFT)
        right, right_html = _column(handlers, "right", RIGHT)
    _bind(handlers, (text, button), audio, top_k, (left, right), (message, left_html, right_html), examples)
    return examples


def _column(handlers: SearchHandlers, side: str, engine: str) -> tuple[gr.Radio, gr.HTML]:
    with gr.Column(min_width=320, elem_id=side):
        choices = [(info.title, info.name) for info in handlers.engines.values()]
        radio = gr.Radio(
            choices, value=engine, label=f"Engine of the {side} column", container=False, elem_classes="ss-engines"
        )
        html = gr.HTML(view.about_engine(handlers.engines[engine]), apply_default_css=False, js_on_load=None)
    return radio, html


def _bind(
    handlers: SearchHandlers,
    ask: tuple[gr.Textbox, gr.Button],
    audio: gr.Audio,
    top_k: gr.Slider,
    engines: Sequence[gr.Radio],
    shown: Sequence[gr.HTML],
    examples: gr.Dataset,
) -> None:
    text, button = ask
    options = [top_k, *engines]
    common: dict[str, Any] = {"api_visibility": "private", "show_progress_on": list(shown[1:])}

    def load(request: gr.Request) -> Sequence[Any]:
        if "q" in request.query_params:
            return handlers.from_address(request.query_params)
        # Nothing is written, because the visitor may have begun to type.
        return [gr.skip()] * 6

    def type_example(row: Sequence[str]) -> str:
        return row[0]

    def keep_address(event: Any) -> None:
        event.then(None, [text, top_k, engines[0]], None, js=KEEP_ADDRESS, api_visibility="private")

    keep_address(text.submit(handlers.typed, [text, *options], shown, **common))
    text.submit(lambda: None, None, audio, api_visibility="private", queue=False)
    keep_address(button.click(handlers.asked, [text, audio, *options], shown, **common))
    chosen = examples.click(type_example, examples, text, api_visibility="private", queue=False, show_progress="hidden")
    keep_address(chosen.then(handlers.typed, [text, *options], shown, **common))
    for heard in (audio.stop_recording, audio.upload):
        heard(lambda: "", None, text, api_visibility="private", queue=False)
        keep_address(heard(handlers.spoken, [audio, *options], shown, **common))
    for moved in (top_k.release, engines[0].input, engines[1].input):
        keep_address(moved(handlers.again, [text, audio, *options], shown, **common))
    if (page := gr.context.Context.root_block) is not None:
        page.load(load, None, [text, top_k, engines[0], *shown], api_visibility="private", show_progress="hidden")
