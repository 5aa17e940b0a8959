"""The Compare tab: measure the engines on questions with known answers, and add noise until they lose it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from speechsearch.domain.errors import NotFoundError, SpeechSearchError
from speechsearch.domain.visitors import LOCAL, Visitor, shown_name
from speechsearch.evaluation.outcomes import found_by_one, recall_curve
from speechsearch.evaluation.within import CollectionEvaluation, evaluate_within, has_questions
from speechsearch.ui import bench, compare_view, view
from speechsearch.ui.index_fold import index_fold
from speechsearch.ui.texts import Compare, Tabs
from speechsearch.ui.visitor import visitor_of

if TYPE_CHECKING:
    from speechsearch.service.open import Service

MOST_SHOWN = 10
"""Questions in each list of what only one engine answers."""
REPORT_EVERY_S = 0.4
KEPT_S = 3600
EVALUATIONS = "evaluations"
"""The queue of the runs, of which a visitor may have one at a time."""


class CompareHandlers:
    """What the evaluation's controls do; every method returns HTML and raises nothing that a visitor can cause."""

    def __init__(self, service: Service, root: str = "") -> None:
        self._service, self._root = service, root
        cards = service.search.cards()
        self.titles = {card.name: card.label for card in cards}
        self.usual = [card.name for card in cards if not card.is_experimental]
        self.default, self.baseline = service.search.default(), service.search.baseline()

    def collections(self, visitor: Visitor = LOCAL) -> list[str]:
        """Return the names of the collections that hold something, those with questions first."""
        names = [one.name for one in self._service.browse.collections(visitor) if one.passages]
        return [shown_name(name) for name in sorted(names, key=lambda name: (not has_questions(name), name))]

    def index_costs(self) -> str:
        """Return what was measured of the ways to index this library."""
        return index_fold(self._service.data_dir)

    def run(
        self, collection: str | None, files: Sequence[str] | None, engines: Sequence[str], baseline: str,
        visitor: Visitor = LOCAL,
    ) -> Iterator[tuple[str, str, CollectionEvaluation | None]]:  # fmt: skip
        """Yield (progress, report, evaluation) while the engines are asked and at the end."""
        try:
            if not collection:
                raise NotFoundError(*Compare.NOTHING)
            chosen = [name for name in self.titles if name in engines]
            steps = evaluate_within(
                self._service, collection, [Path(f) for f in files or ()], chosen, baseline, visitor
            )
            said_s = 0.0
            while True:
                try:
                    progress = next(steps)
                except StopIteration as end:
                    evaluation: CollectionEvaluation = end.value
                    break
                if time.monotonic() - said_s >= REPORT_EVERY_S:
                    said_s = time.monotonic()
                    step = chosen.index(progress.name) + 1
                    title = self.titles[progress.name]
                    yield compare_view.evaluation_progress(progress, step, len(chosen), title), "", None
            yield "", self._report(evaluation), evaluation
        except SpeechSearchError as error:
            yield view.problem(error), "", None

    def stopped(self) -> str:
        """Return what is said after the visitor has ended a run."""
        return view.told(Compare.STOPPED)

    def _report(self, found: CollectionEvaluation) -> str:
        relevance = found.questions.relevance
        curves = {name: recall_curve(run.rankings, relevance) for name, run in found.runs.items()}
        return (
            compare_view.report_table(found.report, self.titles)
            + compare_view.curves(curves, self.titles)
            + compare_view.downloads(found.report)
        )

    def differences(
        self, finished: CollectionEvaluation | None, ours: str, theirs: str, k: int, visitor: Visitor = LOCAL
    ) -> str:
        """Return what only one of two engines answers, both ways round."""
        if finished is None:
            return ""
        runs = finished.runs
        if ours == theirs or ours not in runs or theirs not in runs:
            return view.notice(Compare.CHOOSE_TWO)
        both = [(ours, theirs), (theirs, ours)]
        return f'<div class="ss-both">{"".join(self._only(finished, a, b, k, visitor) for a, b in both)}</div>'

    def _only(self, finished: CollectionEvaluation, ours: str, theirs: str, k: int, visitor: Visitor) -> str:
        questions, runs = finished.questions, finished.runs
        ids = found_by_one(runs[ours].rankings, runs[theirs].rankings, questions.relevance, k)
        texts = {query.query_id: query.text for query in questions.queries}
        shown = [
            compare_view.Disagreement(
                texts[query],
                [self._title(one, visitor) for one in questions.relevance[query]],
                {
                    name: self._clip(runs[name].first_passages.get(query), questions.relevance[query], visitor)
                    for name in (ours, theirs)
                },
            )
            for query in ids[:MOST_SHOWN]
        ]
        return compare_view.disagreements(shown, len(ids), ours, theirs, k, self.titles, self._root)

    def _title(self, recording_id: str, visitor: Visitor) -> str:
        try:
            return self._service.browse.recording(recording_id, visitor).title
        except NotFoundError:
            return Compare.DELETED

    def _clip(self, passage_id: str | None, relevant: object, visitor: Visitor) -> compare_view.Clip | None:
        try:
            if passage_id is None:
                return None
            passage = self._service.browse.passage(passage_id, visitor)
            recording = self._service.browse.recording(passage.recording_id, visitor)
            return compare_view.Clip(recording, passage, recording.recording_id in relevant)  # type: ignore[operator]
        except NotFoundError:
            return None


def build(handlers: CompareHandlers, trials: bench.BenchHandlers, tabs: gr.Tabs, tab: gr.Tab) -> None:
    """Lay out ``tab``, one of the page's ``tabs``, inside the open Blocks and bind its events."""
    with gr.Tabs(elem_id="compare-tabs") as inner:
        with gr.Tab(Tabs.MEASURE, id="measure"):
            measure(handlers, tab)
        with gr.Tab(Tabs.BENCH, id="bench"):
            bench.build(trials, tabs, inner)


def measure(handlers: CompareHandlers, tab: gr.Tab) -> None:
    """Lay out the evaluation and bind its events."""
    names = handlers.collections(Visitor(""))  # everybody's; a visitor's own come when he opens the tab
    choices = [(title, name) for name, title in handlers.titles.items()]
    gr.HTML(f'<p class="ss-about">{Compare.ABOUT}</p>', apply_default_css=False, js_on_load=None)
    with gr.Row(elem_id="measure-what"):
        collection = gr.Dropdown(names, value=names[0] if names else None, label=Compare.COLLECTION, min_width=180)
        engines = gr.CheckboxGroup(choices, value=handlers.usual, label=Compare.ENGINES, scale=2, min_width=280)
        baseline = gr.Dropdown(choices, value=handlers.baseline, label=Compare.BASELINE, min_width=180)
    with gr.Accordion(Compare.OWN, open=False, elem_id="measure-own"):
        gr.HTML(f'<p class="ss-about">{Compare.OWN_ABOUT}</p>', apply_default_css=False, js_on_load=None)
        files = gr.File(
            file_count="multiple", file_types=[".csv", ".jsonl", ".tsv"], label=Compare.OWN_FILES, height=140,
            elem_id="measure-files",
        )  # fmt: skip
    with gr.Row(elem_id="measure-run"):
        go = gr.Button(Compare.GO, variant="primary", scale=0, min_width=190, elem_id="measure-go")
        stop = gr.Button(Compare.STOP, scale=0, min_width=90, elem_id="measure-stop")
    progress = gr.HTML(elem_id="measure-progress", apply_default_css=False, js_on_load=None)
    report = gr.HTML(elem_id="measure-report", apply_default_css=False, js_on_load=None)
    kept = gr.State(None, time_to_live=KEPT_S)
    with gr.Column(visible=False, elem_id="measure-differences") as differences:
        gr.HTML(f'<h3 class="ss-title">{Compare.DIFFERENCES}</h3>', apply_default_css=False, js_on_load=None)
        with gr.Row(elem_id="measure-pair"):
            ours = gr.Dropdown(choices, value=handlers.default, label=Compare.FIRST_ENGINE, min_width=160)
            theirs = gr.Dropdown(choices, value=handlers.baseline, label=Compare.SECOND_ENGINE, min_width=160)
            within = [(Compare.WITHIN_ONE, 1), (Compare.WITHIN_FIVE, 5)]
            k = gr.Radio(within, value=1, label=Compare.WITHIN, min_width=220)
        lists = gr.HTML(elem_id="measure-lists", apply_default_css=False, js_on_load=None)
    costs = gr.HTML(handlers.index_costs(), elem_id="index-costs", apply_default_css=False, js_on_load=None)

    def run(
        collection: str | None, files: list[str] | None, engines: list[str], baseline: str, request: gr.Request
    ) -> Iterator[tuple[str, str, CollectionEvaluation | None]]:
        yield from handlers.run(collection, files, engines, baseline, visitor_of(request))

    def differ(
        finished: CollectionEvaluation | None, ours: str, theirs: str, k: int, request: gr.Request
    ) -> tuple[str, Any]:
        return handlers.differences(finished, ours, theirs, int(k), visitor_of(request)), gr.Column(
            visible=finished is not None
        )

    def offered(chosen: str | None, request: gr.Request) -> Any:
        found = handlers.collections(visitor_of(request))
        return gr.Dropdown(found, value=chosen if chosen in found else (found[0] if found else None))

    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    running = go.click(
        run, [collection, files, engines, baseline], [progress, report, kept],
        concurrency_limit=2, concurrency_id=EVALUATIONS, trigger_mode="once", **private,
    )  # fmt: skip
    pair = [kept, ours, theirs, k]
    running.then(differ, pair, [lists, differences], **private)
    stop.click(handlers.stopped, None, progress, cancels=[running], queue=False, **private)
    gr.on([ours.input, theirs.input, k.input], differ, pair, [lists, differences], **private)
    tab.select(offered, collection, collection, queue=False, **private)
    tab.select(handlers.index_costs, None, costs, queue=False, **private)
