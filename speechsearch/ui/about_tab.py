"""The About tab: what this is, what its words mean, how good it is, its limits, licences, and its status."""

from __future__ import annotations

import importlib.metadata
import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

import speechsearch
from speechsearch.domain.assets import EVALUATION
from speechsearch.domain.errors import NotAllowedError, SpeechSearchError
from speechsearch.domain.visitors import LOCAL, Visitor
from speechsearch.evaluation import describe_machine
from speechsearch.retrieval.engine_cards import EngineCard
from speechsearch.service.known_models import KnownModel, known_models
from speechsearch.ui import view
from speechsearch.ui.cards import technical
from speechsearch.ui.compare_view import table
from speechsearch.ui.measured import figures
from speechsearch.ui.texts import About, Add
from speechsearch.ui.visitor import visitor_of

if TYPE_CHECKING:
    from speechsearch.jobs.queue import JobQueue
    from speechsearch.service.open import Service

PACKAGES = (
    "torch", "transformers", "onnxruntime", "silero-vad", "qdrant-edge-py", "sqlalchemy", "gradio", "fastapi",
    "soundfile", "soxr", "av", "numpy", "scipy", "num2words", "snowballstemmer",
)  # fmt: skip


class AboutHandlers:
    """What the tab shows; nothing is raised that a visitor can cause."""

    def __init__(self, service: Service, jobs: JobQueue | None = None, evaluation: Path = EVALUATION) -> None:
        self._service, self._jobs, self._evaluation = service, jobs, evaluation

    def shown(self, visitor: Visitor = LOCAL) -> str:
        """Return the tab for a visitor; the status of the program only for an owner."""
        return self._card + (self.health() if visitor.is_owner else "")

    @cached_property
    def _card(self) -> str:
        """All that does not change; made when somebody looks, because the device is asked for."""
        loader = self._service.loader
        models = known_models(loader.catalog, self._service.settings.engines)
        device = f"{loader.device.name}, {loader.device.dtype}"
        return card(self._evaluation, self._service.search.cards(), models, device)

    def health(self) -> str:
        """Return how long the program runs, what it takes, and what became of its jobs."""
        import psutil

        process, storage = psutil.Process(), self._service.browse.storage()
        free_bytes = shutil.disk_usage(self._service.settings.data_dir.expanduser()).free
        jobs = Counter(job.state for job in (self._jobs.jobs() if self._jobs else ()))
        facts = {
            About.RUNNING_FOR: view.duration(time.time() - process.create_time()),
            About.MEMORY: size(process.memory_info().rss),
            About.AUDIO: size(storage.audio_bytes),
            About.DATABASE: size(storage.database_bytes),
            About.INDEX: size(storage.index_bytes),
            About.FREE: size(free_bytes),
            About.TASKS: ", ".join(f"{number} {Add.STATES[state]}" for state, number in sorted(jobs.items()))
            or About.NO_TASKS,
        }
        return section(About.STATUS, pairs(facts), "health")

    def checked(self, visitor: Visitor = LOCAL) -> str:
        """Return what does not agree between database, index and audio files."""
        try:
            if not visitor.is_owner:
                raise NotAllowedError(*About.OWNER_ONLY)
            found = self._service.browse.differences()
        except SpeechSearchError as error:
            return view.problem(error)
        if not found:
            return view.notice(About.AGREES)
        items = "".join(f"<li>{view.text(one, 300)}</li>" for one in found[:50])
        more = f"<p>{About.MORE.format(number=len(found) - 50)}</p>" if len(found) > 50 else ""
        listed = f"<strong>{About.DIFFERS}</strong><ul>{items}</ul>{more}"
        return f'<div class="ss-notice ss-problem" role="alert">{listed}</div>'


def card(evaluation: Path, engines: Sequence[EngineCard], models: Sequence[KnownModel], device: str) -> str:
    """Return all that does not change while the program runs; ``device``: on which the models compute."""
    parts = ((About.WHAT, About.WHAT_TEXT), (About.HOW, About.HOW_TEXT))
    told = "".join(section(title, f"<p>{view.text(words, 900)}</p>") for title, words in parts)
    limits = "".join(f"<li>{view.text(one, 400)}</li>" for one in About.LIMITS_LIST)
    keys = pairs(About.KEYS, is_keys=True)
    there = {**machine(), About.DEVICE: device}
    return (
        f'<div class="ss-two">{told}</div>'
        f'<div class="ss-two">{section(About.ENGINES, engine_list(engines))}'
        f"{section(About.GLOSSARY, pairs(About.TERMS), 'glossary')}</div>"
        f'<div class="ss-two">{section(About.LIMITS, f"<ul>{limits}</ul>")}{section(About.KEYBOARD, keys)}</div>'
        f"{section(About.ACCURACY, figures(evaluation))}"
        f"{section(About.MODELS, model_table(models))}"
        f"{section(About.LICENCES, licences())}"
        f'<div class="ss-two">{section(About.SERVER, pairs(there))}{section(About.READ_MORE, pairs(About.PAGES))}</div>'
    )


def engine_list(engines: Sequence[EngineCard]) -> str:
    """Return the engines: what each is called, what engineers call it, and what it does."""
    rows = "".join(
        f"<div><dt>{view.text(one.label)}<br>{technical(one)}</dt><dd>{view.text(one.summary, 400)}</dd></div>"
        for one in engines
    )
    return f'<dl class="ss-facts">{rows}</dl>'


def section(title: str, content: str, name: str = "") -> str:
    """Return a card with a heading; ``content`` is HTML."""
    attribute = f' id="about-{name}"' if name else ""
    return f'<section class="ss-card"{attribute}><h3>{view.text(title)}</h3>{content}</section>'


def pairs(facts: Mapping[str, str], is_keys: bool = False) -> str:
    """Return names and what is to say about each.

    >>> pairs({"a": "b"})
    '<dl class="ss-facts"><div><dt><bdi>a</bdi></dt><dd><bdi>b</bdi></dd></div></dl>'
    """
    tag = "kbd" if is_keys else ""
    rows = "".join(
        f"<div><dt>{f'<{tag}>' if tag else ''}{view.text(name)}{f'</{tag}>' if tag else ''}</dt>"
        f"<dd>{view.text(what, 400)}</dd></div>"
        for name, what in facts.items()
    )
    return f'<dl class="ss-facts">{rows}</dl>'


def size(count: int) -> str:
    """Return a number of bytes in words.

    >>> size(900), size(12_345_678), size(3_200_000_000)
    ('900 B', '12.3 MB', '3.2 GB')
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} B"


def licences() -> str:
    """Return what stands under which licence, as the installed packages say themselves; models have their own table."""
    own = [
        ("speechsearch", speechsearch.__version__, "Apache-2.0"),
        (About.SAMPLES, "", "CC0-1.0"),
    ]
    rows = "".join(
        f'<tr><th scope="row">{view.text(name)}</th><td>{escape(version)}</td><td>{view.text(licence, 140)}</td></tr>'
        for name, version, licence in [*own, *packages(PACKAGES)]
    )
    return table(About.LICENCE_HEADS, rows, About.LICENCES)


def model_table(models: Sequence[KnownModel]) -> str:
    """Return the models of the catalog, with those in use marked."""
    in_use = f' <span class="ss-state" data-state="indexed">{About.IN_USE}</span>'
    rows = "".join(
        f'<tr><th scope="row">{view.text(one.name)}{in_use if one.is_used else ""}</th><td>{view.text(one.task)}</td>'
        f"<td>{view.text(one.languages)}</td><td>{view.text(one.parameters)}</td><td>{view.text(one.licence)}</td>"
        f"<td>{view.text(one.summary, 300)}</td></tr>"
        for one in models
    )
    return table(About.MODEL_HEADS, rows, About.MODELS)


def packages(names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return (name, version, licence) of the packages that are installed.

    >>> packages(["no such package"])
    []
    """
    found = []
    for name in names:
        try:
            fields = importlib.metadata.metadata(name).json
        except importlib.metadata.PackageNotFoundError:
            continue
        written = str(fields.get("license", ""))
        short = written if "\n" not in written and len(written) <= 60 else ""
        kinds = [one.split(" :: ")[-1] for one in fields.get("classifier", ()) if one.startswith("License")]
        licence = str(fields.get("license_expression", "")) or short or ", ".join(kinds) or About.SEE_PACKAGE
        found.append((name, str(fields["version"]), licence))
    return found


def machine() -> dict[str, str]:
    """Return what the program runs on."""
    found = describe_machine()
    return {
        About.PROCESSOR: found.processor,
        About.CORES: str(found.cores),
        About.MEMORY: size(found.memory_bytes),
        About.SYSTEM: found.system,
        About.PYTHON: found.python,
    }


def build(handlers: AboutHandlers, tab: gr.Tab) -> None:
    """Lay out the tab inside the open Blocks and bind its events; ``tab`` is the tab itself."""
    html = gr.HTML(elem_id="about", apply_default_css=False, js_on_load=None)
    with gr.Column(visible=False, elem_id="about-check") as check:
        button = gr.Button(About.CHECK, scale=0, min_width=260, elem_id="doctor")
        found = gr.HTML(elem_id="about-found", apply_default_css=False, js_on_load=None)

    def show(request: gr.Request) -> tuple[str, Any]:
        visitor = visitor_of(request)
        return handlers.shown(visitor), gr.Column(visible=visitor.is_owner)

    def doctor(request: gr.Request) -> str:
        return handlers.checked(visitor_of(request))

    private: dict[str, Any] = {"api_visibility": "private"}
    tab.select(show, None, [html, check], queue=False, show_progress="hidden", **private)
    button.click(doctor, None, found, concurrency_limit=1, show_progress_on=[found], **private)
