"""The robustness bench of the Compare tab: a question, the clip that answers it, and sliders that spoil the sound."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import gradio as gr

from speechsearch.audio.degrade import Degradation, NoiseKind
from speechsearch.domain.errors import EmptyQueryError, InputError, SpeechSearchError
from speechsearch.domain.values import Query, Recording, Span
from speechsearch.domain.visitors import LOCAL, Visitor
from speechsearch.evaluation.robustness import RobustnessBench
from speechsearch.ui import bench_view, view
from speechsearch.ui.texts import Bench
from speechsearch.ui.visitor import visitor_of

if TYPE_CHECKING:
    from speechsearch.service.open import Service

LONGEST_QUESTION = 1000
TRIALS = "trials"
"""The queue of the trials, of which a visitor may have one at a time."""
OFFERED = 10
"""Hits of each engine among which the right clip is chosen."""
NOISES = [(title, name) for name, title in Bench.NOISES.items()]
BIT_RATES = [(title, rate) for rate, title in Bench.BIT_RATES.items()]
TARGETS = [(title, name) for name, title in Bench.TARGETS.items()]

Choices = list[tuple[str, str]]
What = Literal["clip", "question"]


def degradation(noise: str, ratio_db: float, is_telephone: bool, mp3_kbps: float, speed: float) -> Degradation:
    """Return the settings of the controls.

    >>> degradation("pink", 10, True, 32, 1.1) == Degradation("pink", 10.0, is_telephone=True, mp3_kbps=32, speed=1.1)
    True

    Raises:
        InputError: they lie outside what the controls offer.
    """
    if noise not in {name for _, name in NOISES} or mp3_kbps not in {rate for _, rate in BIT_RATES}:
        raise InputError(*Bench.NO_SUCH)
    if not (0 <= ratio_db <= 40 and 0.8 <= speed <= 1.25):
        raise InputError(Bench.OUTSIDE)
    kind = cast(NoiseKind, noise)
    return Degradation(kind, float(ratio_db), bool(is_telephone), int(mp3_kbps), round(float(speed), 2))


class BenchHandlers:
    """What the bench's controls do; every method returns HTML and raises nothing that a visitor can cause."""

    def __init__(self, service: Service, root: str = "") -> None:
        self._service, self._root = service, root
        self._bench = RobustnessBench(service)
        self.engines = {card.name: card for card in service.search.cards()}

    def clips(self, text: str, path: str | None, visitor: Visitor = LOCAL) -> tuple[Choices, str]:
        """Return the clips that may be the right one as (label, passage id), likeliest first, and a message."""
        try:
            query = self._query(text, path)
            found: dict[str, tuple[Recording, Span, list[str]]] = {}
            for engine in (self._service.search.default(), self._service.search.baseline()):
                for hit in self._service.search.find(query, engine, visitor).hits:
                    known = found.setdefault(hit.passage.passage_id, (hit.recording, hit.passage.span, []))
                    known[2].append(f"{self.engines[engine].title} #{hit.rank}")
            if not found:
                return [], view.told(Bench.NOTHING)
            return [(label(*one), passage_id) for passage_id, one in found.items()], ""
        except SpeechSearchError as error:
            return [], view.problem(error)

    def trial(
        self, text: str, path: str | None, passage_id: str | None, what: What, how: Mapping[str, Any],
        visitor: Visitor = LOCAL,
    ) -> str:  # fmt: skip
        """Return what becomes of the right clip's ranks; ``how`` are the arguments of ``degradation``."""
        try:
            if not passage_id:
                raise InputError(*Bench.NO_CLIP)
            wanted = degradation(**how)
            if what == "question":
                if not path:
                    raise EmptyQueryError(*Bench.NO_SPOKEN)
                sound = self._service.search.query_audio(Path(path))
                value = self._bench.question(passage_id, sound, wanted, visitor)
                return bench_view.trial(value, bench_view.sound_address(sound), sound.duration_s, what, self.engines)
            value = self._bench.clip(passage_id, self._query(text, path), wanted, visitor)
            clean = f"{self._root}/api/v1/clips/{value.passage.passage_id}"
            return bench_view.trial(value, clean, value.passage.span.duration_s, what, self.engines)
        except SpeechSearchError as error:
            return view.problem(error)

    def from_address(self, parameters: Mapping[str, str], visitor: Visitor = LOCAL) -> tuple[str, Choices, str]:
        """Return question, clips and HTML for an address with ``?bench=PASSAGE_ID&q=``; the clip named comes first."""
        text, passage_id = parameters.get("q", "")[:LONGEST_QUESTION], parameters.get("bench", "")[:64]
        try:
            passage = self._service.browse.passage(passage_id, visitor)
            recording = self._service.browse.recording(passage.recording_id, visitor)
        except SpeechSearchError as error:
            return text, [], view.problem(error)
        others = [one for one in self.clips(text, None, visitor)[0] if one[1] != passage_id] if text.strip() else []
        choices = [(label(recording, passage.span, []), passage_id), *others]
        return text, choices, self.trial(text, None, passage_id, "clip", START, visitor)

    def _query(self, text: str, path: str | None) -> Query:
        if text.strip():
            return Query(text=text.strip()[:LONGEST_QUESTION], top_k=OFFERED)
        if path:
            return Query(audio=self._service.search.query_audio(Path(path)), top_k=OFFERED)
        raise EmptyQueryError(*Bench.NO_QUESTION)


START: dict[str, Any] = {"noise": "white", "ratio_db": 10.0, "is_telephone": False, "mp3_kbps": 0, "speed": 1.0}
"""Where the controls stand at first."""


def label(recording: Recording, span: Span, found_by: list[str]) -> str:
    """Return a clip's line in the list.

    >>> label(Recording("1", "c", "The old gate", 9.0), Span(0, 9.0), ["Transcript #1"])
    'The old gate, 0:00–0:09 (Transcript #1)'
    """
    title = " ".join(recording.title.split())
    title = title if len(title) <= 80 else title[:79] + "…"
    return f"{title}, {view.span(span)}" + (f" ({', '.join(found_by)})" if found_by else "")


def build(handlers: BenchHandlers, tabs: gr.Tabs, inner: gr.Tabs) -> None:
    """Lay out the bench and bind its events; an address with ``?bench=`` opens it."""
    gr.HTML(f'<p class="ss-about">{Bench.ABOUT}</p>', apply_default_css=False, js_on_load=None)
    with gr.Row(elem_id="bench-ask"):
        text = gr.Textbox(
            placeholder=Bench.PLACEHOLDER, label=Bench.QUESTION, show_label=False, container=False,
            max_length=LONGEST_QUESTION, scale=1, min_width=160, elem_id="bench-question",
        )  # fmt: skip
        find = gr.Button(Bench.FIND, variant="primary", scale=0, min_width=110, elem_id="bench-find")
    with gr.Accordion(Bench.SPOKEN, open=False, elem_id="bench-spoken"):
        audio = gr.Audio(
            sources=["microphone", "upload"], type="filepath", label=Bench.SPOKEN_QUESTION, editable=False,
            waveform_options=gr.WaveformOptions(sample_rate=16_000),
        )  # fmt: skip
    with gr.Row(elem_id="bench-what"):
        clip = gr.Dropdown([], value=None, label=Bench.CLIP, scale=3, min_width=240, elem_id="bench-clip")
        what = gr.Radio(
            TARGETS, value="clip", label=Bench.TARGET, scale=1, min_width=300, elem_id="bench-target",
        )  # fmt: skip
    with gr.Row(elem_classes="ss-how"):
        noise = gr.Radio(NOISES, value=START["noise"], label=Bench.NOISE, scale=5, min_width=260)
        ratio = gr.Slider(0, 40, START["ratio_db"], step=1, label=Bench.RATIO, scale=4, min_width=240, buttons=[])
        telephone = gr.Checkbox(START["is_telephone"], label=Bench.TELEPHONE, info=Bench.TELEPHONE_BAND, min_width=170)
    with gr.Row(elem_classes="ss-how"):
        rate = gr.Radio(BIT_RATES, value=START["mp3_kbps"], label=Bench.MP3, min_width=260)
        speed = gr.Slider(0.8, 1.25, START["speed"], step=0.01, label=Bench.SPEED, min_width=240, buttons=[])
    result = gr.HTML(elem_id="bench-result", apply_default_css=False, js_on_load=None)

    def run(
        text: str, path: str | None, passage_id: str | None, what: What, noise: str, ratio_db: float,
        is_telephone: bool, mp3_kbps: float, speed: float, request: gr.Request,
    ) -> str:  # fmt: skip
        how = {"noise": noise, "ratio_db": ratio_db, "is_telephone": is_telephone, "mp3_kbps": mp3_kbps, "speed": speed}
        return handlers.trial(text, path, passage_id, what, how, visitor_of(request))

    def find_clips(
        text: str, path: str | None, what: What, noise: str, ratio_db: float, is_telephone: bool, mp3_kbps: float,
        speed: float, request: gr.Request,
    ) -> tuple[Any, str]:  # fmt: skip
        choices, message = handlers.clips(text, path, visitor_of(request))
        first = choices[0][1] if choices else None
        if first is not None:
            message = run(text, path, first, what, noise, ratio_db, is_telephone, mp3_kbps, speed, request)
        return gr.Dropdown(choices, value=first), message

    def load(request: gr.Request) -> Any:
        if "bench" not in request.query_params:
            return [gr.skip()] * 5
        question, choices, html = handlers.from_address(request.query_params, visitor_of(request))
        chosen = gr.Dropdown(choices, value=choices[0][1] if choices else None)
        return gr.Tabs(selected="compare"), gr.Tabs(selected="bench"), question, chosen, html

    common: dict[str, Any] = {
        "api_visibility": "private", "show_progress": "minimal", "show_progress_on": [result], "concurrency_limit": 2,
        "concurrency_id": TRIALS,
    }  # fmt: skip
    how = [what, noise, ratio, telephone, rate, speed]
    asked = [text.submit, find.click, audio.stop_recording, audio.upload]
    gr.on(asked, find_clips, [text, audio, *how], [clip, result], **common)
    moved = [clip.input, what.input, noise.input, ratio.release, telephone.input, rate.input, speed.release]
    gr.on(moved, run, [text, audio, clip, *how], result, trigger_mode="always_last", **common)
    if (page := gr.context.Context.root_block) is not None:
        page.load(load, None, [tabs, inner, text, clip, result], show_progress="hidden", api_visibility="private")
