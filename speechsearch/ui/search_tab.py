"""The Search tab: one question, two engines side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from speechsearch.domain.errors import EmptyQueryError, SpeechSearchError
from speechsearch.domain.question_syntax import SYNTAX
from speechsearch.domain.values import Audio, Query
from speechsearch.domain.visitors import Visitor
from speechsearch.library.second_pass import LAST
from speechsearch.ui import search_events, view
from speechsearch.ui.ask_handlers import AskHandlers
from speechsearch.ui.asked import ANSWERS, LONGEST_QUESTION, MOST_ANSWERS, Asked
from speechsearch.ui.cards import about_engine
from speechsearch.ui.comparison import Shown, comparison
from speechsearch.ui.search_events import Parts
from speechsearch.ui.texts import About, Ask, Nouns, Search, Voices

if TYPE_CHECKING:
    from speechsearch.service.open import Service

LONGEST_DATE = 10


def shortcuts() -> str:
    """Return the button that shows the keyboard shortcuts, and their dialog."""
    keys = "".join(f"<div><dt><kbd>{key}</kbd></dt><dd>{what}</dd></div>" for key, what in About.KEYS.items())
    return (
        f'<button type="button" class="ss-help-open" aria-haspopup="dialog">{About.KEYBOARD}</button>'
        f'<dialog class="ss-help" aria-labelledby="ss-help-title"><h2 id="ss-help-title">{About.KEYBOARD}</h2>'
        f'<dl>{keys}</dl><label><input type="checkbox" class="ss-keys" checked> {About.USE_KEYS}</label>'
        f'<form method="dialog"><button>{About.CLOSE}</button></form></dialog>'
    )


class SearchHandlers:
    """What the tab's controls do; every method returns HTML and raises nothing that a visitor can cause."""

    def __init__(self, service: Service, root: str = "") -> None:
        self._service = service
        self._root = root
        self.engines = {engine.name: engine for engine in service.search.cards()}
        self.left, self.right = service.search.default(), service.search.baseline()

    def intro(self, asked: Asked) -> Shown:
        """Return the columns before a search: how each engine works."""
        return "", self._about(asked.left), self._about(asked.right)

    def _about(self, engine: str) -> str:
        return about_engine(self.engines[engine]) if engine in self.engines else ""

    def typed(self, asked: Asked, visitor: Visitor) -> Shown:
        """Return both engines' answers to a typed question."""
        try:
            if not asked.text.strip():
                raise EmptyQueryError(*Search.EMPTY)
            return self.compare(replace(asked, text=asked.text.strip()[:LONGEST_QUESTION]), None, visitor)
        except SpeechSearchError as error:
            return (view.problem(error), *self.intro(asked)[1:])

    def spoken(self, asked: Asked, visitor: Visitor) -> Shown:
        """Return both engines' answers to a recorded or dropped question."""
        try:
            if not asked.audio_path:
                raise EmptyQueryError(*Search.NO_SOUND)
            sound = self._service.search.query_audio(Path(asked.audio_path))
            return self.compare(replace(asked, text=""), sound, visitor)
        except SpeechSearchError as error:
            return (view.problem(error), *self.intro(asked)[1:])

    def asked(self, asked: Asked, visitor: Visitor) -> Shown:
        """Return the answers to the typed question, to the spoken one where nothing is typed."""
        is_spoken = asked.audio_path and not asked.text.strip()
        return self.spoken(asked, visitor) if is_spoken else self.typed(asked, visitor)

    def again(self, asked: Asked, visitor: Visitor) -> Shown:
        """Return the answers to the question at hand after a control has moved; the intro when there is none."""
        has_question = asked.text.strip() or asked.audio_path
        return self.asked(asked, visitor) if has_question else self.intro(asked)

    def narrowing(self, visitor: Visitor, chosen: Asked | None = None) -> list[Any]:
        """Return updates of the controls that narrow a search: what can be chosen now, and with ``chosen`` what is."""
        facets = self._service.browse.facets(visitor)
        updates: list[Any] = []
        for name in ("collections", "speakers", "languages"):
            there = list(dict.fromkeys(facets[name]))
            offered = counted(self._service.browse.speakers(visitor)) if name == "speakers" else there
            value: dict[str, Any] = {}
            if chosen is not None:
                value["value"] = [one for one in getattr(chosen, name) if one in there]
            updates.append(gr.update(choices=offered, visible=len(there) > 1, **value))
        for name in ("date_from", "date_to"):
            value = {} if chosen is None else {"value": getattr(chosen, name)}
            updates.append(gr.update(visible=any(facets["dates"]), **value))
        return updates

    def load(self, parameters: Iterable[tuple[str, str]], typed: str, visitor: Visitor) -> list[Any]:
        """Return updates for a page that has come up: an address with ``?q=`` is answered.

        Args:
            parameters: of the address.
            typed: what the visitor has typed meanwhile; it is left alone.
        """
        asked = Asked.of_address(parameters, list(self.engines))
        if not asked.text.strip() or typed.strip():
            return [gr.skip()] * 4 + self.narrowing(visitor) + [gr.skip()] * 3
        controls = [asked.text, asked.top_k, asked.left, asked.right]
        return [*controls, *self.narrowing(visitor, asked), *self.typed(asked, visitor)]

    def examples(self) -> list[list[str]]:
        """Return example questions, one a row."""
        return [[question] for question in self._service.browse.example_questions(6)]

    def compare(self, asked: Asked, sound: Audio | None, visitor: Visitor) -> Shown:
        """Return both engines' answers to words or to a sound. Raises what a search does."""
        if not self._service.browse.has_passages(visitor):
            raise EmptyQueryError(*Search.NOTHING_THERE)
        query = Query(text=asked.text, audio=sound, top_k=int(asked.top_k), filters=asked.filters())
        found = self._service.search.compare(query, asked.left, asked.right, visitor)
        lacking = [one for one in (found.left, found.right) if not one.hits and not one.coverage.is_whole]
        return comparison(
            found,
            asked,
            self.engines,
            self._root,
            is_spoken=sound is not None,
            are_transcripts_coming=not lacking or any(one.maker not in LAST for one in self._service.manage.missing()),
        )


def counted(recordings: Mapping[str, int]) -> list[tuple[str, str]]:
    """Return what a control offers of speakers, given in how many recordings each is, and what it then holds.

    >>> counted({"Ann": 7, "Speaker 3": 1})
    [('Ann (7 recordings)', 'Ann'), ('Speaker 3 (1 recording)', 'Speaker 3')]
    """
    label = Voices.IN_RECORDINGS
    return [(label.format(name=one, recordings=view.count(n, Nouns.RECORDING)), one) for one, n in recordings.items()]


def build(handlers: SearchHandlers, asking: AskHandlers) -> gr.Dataset:
    """Lay out the tab inside the open Blocks, bind its events and return the example questions."""
    with gr.Row(elem_id="ask"):
        text = gr.Textbox(
            placeholder=Search.PLACEHOLDER,
            label=Search.QUESTION,
            show_label=False,
            container=False,
            max_length=LONGEST_QUESTION,
            autofocus=True,
            scale=1,
            min_width=160,
            elem_id="question",
        )
        button = gr.Button(Search.GO, variant="primary", scale=0, min_width=96, elem_id="go")
        ask = gr.Button(Ask.GO, scale=0, min_width=72, elem_id="ask-go")
    gr.HTML(f'<p class="ss-hint">{escape(SYNTAX)}</p>', apply_default_css=False, js_on_load=None, elem_id="syntax")
    examples = gr.Dataset(
        components=["textbox"],
        samples=handlers.examples(),
        type="values",
        layout="gallery",
        show_label=False,
        label=Search.EXAMPLES,
        container=False,
        elem_id="examples",
    )
    with gr.Row(elem_id="more", equal_height=False):
        with gr.Accordion(Search.SPOKEN, open=False, elem_classes="ss-extra"):
            audio = gr.Audio(
                sources=["microphone", "upload"],
                type="filepath",
                label=Search.SPOKEN_QUESTION,
                waveform_options=gr.WaveformOptions(sample_rate=16_000),
                editable=False,
                elem_id="spoken",
            )
        with gr.Accordion(Search.FILTERS, open=False, elem_classes="ss-extra", elem_id="narrow") as narrow:
            top_k, *narrowing = _narrowing()
    answer = gr.HTML(elem_id="answer", apply_default_css=False, js_on_load=None)
    message = gr.HTML(elem_id="message", apply_default_css=False, js_on_load=None)
    with gr.Row(elem_id="columns"):
        left, left_html = _column(handlers, "left", handlers.left)
        right, right_html = _column(handlers, "right", handlers.right)
    gr.HTML(shortcuts(), elem_id="help", apply_default_css=False, js_on_load=None)
    # The script presses it where a follow-up is to be asked as it was typed.
    alone = gr.Button(Ask.AS_TYPED, elem_id="ask-alone", elem_classes="ss-hidden")
    controls = [text, audio, top_k, left, right, *narrowing]
    shown = [message, left_html, right_html, answer]
    search_events.bind(handlers, asking, Parts(controls, shown, button, ask, alone, narrow, examples))
    return examples


def _narrowing() -> list[Any]:
    top_k = gr.Slider(1, MOST_ANSWERS, ANSWERS, step=1, label=Search.ANSWERS, elem_id="count", buttons=[])
    named = (("collections", Search.COLLECTIONS), ("speakers", Search.SPEAKERS), ("languages", Search.LANGUAGES))
    choices = [
        gr.Dropdown([], value=[], label=label, multiselect=True, visible=False, elem_id=name, min_width=200)
        for name, label in named
    ]
    with gr.Row():
        dates = [
            gr.Textbox(
                "",
                label=label,
                placeholder=Search.DATE_PLACEHOLDER,
                max_length=LONGEST_DATE,
                max_lines=1,
                visible=False,
                elem_id=name,
                min_width=140,
            )
            for name, label in (("date-from", Search.DATE_FROM), ("date-to", Search.DATE_TO))
        ]
    return [top_k, *choices, *dates]


def _column(handlers: SearchHandlers, side: str, engine: str) -> tuple[gr.Radio, gr.HTML]:
    with gr.Column(min_width=320, elem_id=side):
        choices = [(card.label, card.name) for card in handlers.engines.values()]
        radio = gr.Radio(choices, value=engine, label=Search.ENGINES[side], container=False, elem_classes="ss-engines")
        html = gr.HTML(about_engine(handlers.engines[engine]), apply_default_css=False, js_on_load=None)
    return radio, html
