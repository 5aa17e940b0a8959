"""The Add recordings tab: drop files or an archive, watch, and see what became of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import gradio as gr

from speechsearch.errors import InputError, SpeechSearchError
from speechsearch.progress import Progress
from speechsearch.ui import view

LONGEST_NAME = 80
COLLECTION = "my recordings"

IngestFiles: TypeAlias = Callable[[Sequence[Path], str], Iterator["Progress | view.FileOutcome"]]
"""Indexes files into a collection and yields how far it is and what became of each file."""

HELP = (
    "WAV, FLAC, MP3, Ogg, Opus, M4A, MP4 and WebM files, or a ZIP or TAR of them. An archive may hold a "
    "<code>metadata.csv</code> with the columns file, title, speaker, date, language and licence."
)


class AddHandlers:
    """What the tab's controls do."""

    def __init__(self, ingest_files: IngestFiles) -> None:
        self._ingest_files = ingest_files

    def add(self, paths: list[str] | None, collection: str) -> Iterator[tuple[str, str]]:
        """Yield the HTML of the progress line and of the table of files, after every step."""
        outcomes: list[view.FileOutcome] = []
        try:
            for event in self._ingest_files(*_checked(paths, collection)):
                if isinstance(event, Progress):
                    yield view.progress_bar(event), view.outcome_table(outcomes)
                else:
                    outcomes.append(event)
            yield _summary(outcomes), view.outcome_table(outcomes)
        except SpeechSearchError as error:
            yield view.problem(error), view.outcome_table(outcomes)


def _checked(paths: list[str] | None, collection: str) -> tuple[list[Path], str]:
    name = " ".join(collection.split())
    if not paths:
        raise InputError("There are no files to add.", "Drop audio files or an archive above.")
    if not name:
        raise InputError("The collection has no name.", "Give it one, for example: my recordings.")
    if len(name) > LONGEST_NAME:
        raise InputError(f"The collection's name is longer than {LONGEST_NAME} characters.", "Choose a shorter one.")
    return [Path(path) for path in paths], name


def _summary(outcomes: Sequence[view.FileOutcome]) -> str:
    found, failed, known = (
        sum(outcome.state in states for outcome in outcomes)
        for states in ({"indexed"}, {"failed"}, {"unchanged", "duplicate"})
    )
    passages = sum(outcome.passages for outcome in outcomes if outcome.state == "indexed")
    said = f"{view.count(found, 'file')} added, {view.count(passages, 'passage')} more to search."
    more = [f"{view.count(known, 'file')} known already."] if known else []
    more += [f"{view.count(failed, 'file')} could not be used: see the table."] if failed else []
    return view.notice(said, " ".join(more), "info" if found or known else "problem")


def build(handlers: AddHandlers, on_added: Callable[[gr.events.Dependency], None]) -> list[gr.File]:
    """Lay out the tab inside the open Blocks, bind its events and return the controls that take files.

    Args:
        on_added: gets the event after which the collections hold more.
    """
    gr.HTML(f'<p class="ss-about">{HELP}</p>', apply_default_css=False, js_on_load=None)
    files = gr.File(file_count="multiple", label="Recordings", height=220, elem_id="files")
    with gr.Row(elem_id="add-row"):
        collection = gr.Textbox(
            COLLECTION, label="Collection", max_length=LONGEST_NAME, scale=3, min_width=200, elem_id="collection"
        )
        button = gr.Button("Add recordings", variant="primary", scale=1, min_width=160, elem_id="add")
    progress = gr.HTML(elem_id="add-progress", apply_default_css=False, js_on_load=None)
    table = gr.HTML(elem_id="add-table", apply_default_css=False, js_on_load=None)
    on_added(
        button.click(
            handlers.add,
            [files, collection],
            [progress, table],
            api_visibility="private",
            concurrency_limit=1,
            concurrency_id="ingest",
            show_progress="hidden",
            trigger_mode="once",
        )
    )
    return [files]
