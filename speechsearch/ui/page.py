"""The page: header, banner and tabs in one Gradio Blocks, and how it is mounted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from speechsearch.api.doors import LONGEST_QUESTION_BYTES
from speechsearch.api.log_lines import PageTraceback
from speechsearch.api.question_files import question_file_routes
from speechsearch.api.turns import share_queue
from speechsearch.domain.errors import SpeechSearchError
from speechsearch.domain.visitors import Visitor
from speechsearch.ui import (
    about_tab,
    add_tab,
    ask_handlers,
    bench,
    collections_tab,
    colours,
    compare_tab,
    names_fold,
    people_fold,
    programs,
    recording_tab,
    search_tab,
    similar_fold,
    view,
)
from speechsearch.ui.texts import SCRIPTS as SCRIPT_TEXTS
from speechsearch.ui.texts import Page, Tabs
from speechsearch.ui.visitor import visitor_of

if TYPE_CHECKING:
    from fastapi import FastAPI

    from speechsearch.jobs.queue import JobQueue
    from speechsearch.service.open import Service

STATIC = Path(__file__).parent / "static"
STYLES = (
    "base.css",
    "account.css",
    "search.css",
    "ask.css",
    "add.css",
    "compare.css",
    "about.css",
    "collections.css",
    "recording.css",
    "names.css",
    "speakers.css",
    "similar.css",
)
SCRIPTS = (
    "player.js",
    "account.js",
    "search.js",
    "add.js",
    "collections.js",
    "map.js",
    "recording.js",
    "names.js",
    "ask.js",
    "speakers.js",
    "similar.js",
)
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Helvetica Neue', Arial, sans-serif"
MONO = "ui-monospace, 'Cascadia Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def header(collections: Sequence[view.Holding]) -> str:
    """Return the page's head: what this is and how much there is to search."""
    return (
        f'<header class="ss-header"><div><h1>{Page.TITLE_START}<span>{Page.TITLE_END}</span></h1>'
        f"<p>{Page.TAGLINE}</p></div>"
        f'<p class="ss-held">{view.text(view.holdings(collections))}</p></header>'
    )


def build_page(service: Service, jobs: JobQueue | None = None) -> gr.Blocks:
    """Return the whole page for a service that answers the questions; ``jobs`` tells programs what is being added."""
    root = service.settings.server.root_path
    handlers = search_tab.SearchHandlers(service, root)
    title = Page.TITLE_START + Page.TITLE_END
    with gr.Blocks(title=title, analytics_enabled=False, delete_cache=(3600, 86400)) as page:
        everybodys = service.browse.collections(Visitor(""))
        head = gr.HTML(header(everybodys), elem_id="head", apply_default_css=False, js_on_load=None)
        gr.HTML('<div id="news"></div>', elem_id="banner", apply_default_css=False, js_on_load=None)
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab(Tabs.SEARCH, id="search"):
                examples = search_tab.build(handlers, ask_handlers.AskHandlers(service, handlers, root))
            with gr.Tab(Tabs.RECORDINGS, id="recording"):
                recording_tab.build(root)
            with gr.Tab(Tabs.ADD, id="add"):
                add_tab.build(service.limits)
            with gr.Tab(Tabs.COLLECTIONS, id="collections"):
                collections_tab.build(service)
                similar_fold.build(service)
                names_fold.build(service)
                people_fold.build(service)
            with gr.Tab(Tabs.COMPARE, id="compare") as compare_place:
                trials = bench.BenchHandlers(service, root)
                compare_tab.build(compare_tab.CompareHandlers(service, root), trials, tabs, compare_place)
            with gr.Tab(Tabs.ABOUT, id="about") as about_place:
                about_tab.build(about_tab.AboutHandlers(service, jobs), about_place)
        # The script presses it when a task has ended.
        changed = gr.Button(Page.REFRESH, elem_id="changed", elem_classes="ss-hidden")

        def look(request: gr.Request) -> tuple[str, gr.Dataset]:
            return header(service.browse.collections(visitor_of(request))), gr.Dataset(samples=handlers.examples())

        programs.build(service, jobs)
        refresh: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        gr.on([page.load, changed.click], look, None, [head, examples], **refresh)
    for control in [block for block in page.blocks.values() if isinstance(block, gr.Audio | gr.File)]:
        _take_uploads_only(control)
    page.queue(default_concurrency_limit=4, max_size=64)
    built: gr.Blocks = page
    return built


def _take_uploads_only(control: Any) -> None:
    """Make a control refuse addresses: Gradio would otherwise fetch what a request names."""
    move = control.async_move_resource_to_block_cache

    async def move_local(path: Any) -> Any:
        if isinstance(path, str) and "://" in path:
            raise SpeechSearchError(*Page.NO_ADDRESSES)
        return await move(path)

    control.async_move_resource_to_block_cache = move_local


def theme() -> Any:
    """Return the page's theme: the system's own fonts, so that nothing is fetched."""
    base = gr.themes.Base(primary_hue="teal", neutral_hue="slate", radius_size="lg", text_size="md")
    base.font, base.font_mono = FONT, MONO
    return base.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        button_primary_text_color="white",
        block_border_width="1px",
        block_shadow="none",
        slider_color="*primary_600",
    )


def scripts() -> str:
    """Return the page's scripts, each in a scope of its own, and before them what they say."""
    own = "".join(f"{{\n{(STATIC / name).read_text(encoding='utf-8')}}}\n" for name in SCRIPTS)
    return f"const texts = {json.dumps(SCRIPT_TEXTS)};\n{(STATIC / 'fill.js').read_text(encoding='utf-8')}{own}"


def mount(app: FastAPI, page: gr.Blocks, service: Service, jobs: JobQueue) -> FastAPI:
    """Serve the page at the root of an application and return the application."""
    settings, cards = service.settings, service.search.cards()
    app.include_router(add_tab.page_routes(service, jobs))

    app.include_router(collections_tab.panel_routes(service))
    app.include_router(recording_tab.panel_routes(service))
    app.include_router(names_fold.panel_routes(service))
    app.include_router(people_fold.panel_routes(service))
    app.include_router(similar_fold.panel_routes(service))
    app.include_router(question_file_routes(Path(gr.utils.get_upload_folder()), service.limits))
    early = (STATIC / "early.js").read_text(encoding="utf-8")
    app.state.page_scripts = (early,)  # Gradio's own script puts it into the page
    gr.mount_gradio_app(
        app,
        page,
        path="",
        root_path=settings.server.root_path or None,
        blocked_paths=[str(settings.data_dir.expanduser().resolve())],
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=LONGEST_QUESTION_BYTES,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        theme=theme(),
        css="\n".join([*((STATIC / name).read_text(encoding="utf-8") for name in STYLES), colours.stylesheet(cards)]),
        js=f"() => {{\n{scripts()}}}",
        head=f"<script>{early}</script>",
    )
    # Gradio checks that a path in a request is the visitor's own upload only once this is set, and mounting does not.
    page.has_launched = True
    # Events that have a queue are answered only there, where each visitor has a turn.
    page.api_open = False
    parts: tuple[Any, ...] = (gr.queueing, gr.routes)
    for part in parts:
        part.traceback = PageTraceback
    share_queue(page._queue, (compare_tab.EVALUATIONS, bench.TRIALS))
    return app
