"""The page: header, banner and tabs in one Gradio Blocks, and how it is mounted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from speechsearch.errors import SpeechSearchError
from speechsearch.ui import add, search, view
from speechsearch.ui.background import BackgroundRun

if TYPE_CHECKING:
    from fastapi import FastAPI

    from speechsearch.service import Service

STATIC = Path(__file__).parent / "static"
STYLES = ("base.css",)
SCRIPTS = ("player.js",)
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Helvetica Neue', Arial, sans-serif"
MONO = "ui-monospace, 'Cascadia Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"
POLL_EVERY_S = 1.5


def header(service: Service) -> str:
    """Return the page's head: what this is and how much there is to search."""
    held = view.text(view.holdings(service.collections()))
    return (
        '<header class="ss-header"><div><h1>speech<span>search</span></h1>'
        "<p>Find the moment in spoken recordings by meaning, without speech recognition.</p></div>"
        f'<p class="ss-held">{held}</p></header>'
    )


def banner(background: BackgroundRun) -> str:
    """Return how far the background run is, why it failed, or nothing."""
    progress, failure = background.progress(), background.failure()
    if progress is not None:
        return view.progress_bar(progress, background.name)
    return view.problem(failure) if failure is not None else ""


def build_page(service: Service, ingest_files: add.IngestFiles, background: BackgroundRun) -> gr.Blocks:
    """Return the whole page.

    Args:
        service: answers the questions.
        ingest_files: indexes the files that a visitor drops.
        background: the indexing that the start has begun, shown above the tabs while it runs.
    """
    handlers = search.SearchHandlers(service, service.settings.server.root_path)
    with gr.Blocks(title="speechsearch", analytics_enabled=False, delete_cache=(3600, 86400)) as page:
        head = gr.HTML(header(service), elem_id="head", apply_default_css=False, js_on_load=None)
        news = gr.HTML(banner(background), elem_id="banner", apply_default_css=False, js_on_load=None)
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab("Search", id="search"):
                examples = search.build(handlers)
            with gr.Tab("Add recordings", id="add"):
                refresh: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
                files = add.build(
                    add.AddHandlers(ingest_files),
                    lambda event: event.then(lambda: header(service), None, head, **refresh),
                )
        timer = gr.Timer(POLL_EVERY_S)

        def look() -> tuple[str, str, gr.Dataset, gr.Timer]:
            is_running = background.progress() is not None
            samples = gr.Dataset(samples=handlers.examples())
            return header(service), banner(background), samples, gr.Timer(active=is_running)

        gr.on([page.load, timer.tick], look, None, [head, news, examples, timer], **refresh)
    for control in [*files, *[block for block in page.blocks.values() if isinstance(block, gr.Audio)]]:
        _take_uploads_only(control)
    page.queue(default_concurrency_limit=4, max_size=64)
    return page


def _take_uploads_only(control: Any) -> None:
    """Make a control refuse addresses: Gradio would otherwise fetch what a request names."""
    move = control.async_move_resource_to_block_cache

    async def move_local(path: Any) -> Any:
        if isinstance(path, str) and "://" in path:
            raise SpeechSearchError("This server does not fetch addresses.")
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
        button_primary_background_fill_hover_dark="*primary_600",
        button_primary_text_color="white",
        block_border_width="1px",
        block_shadow="none",
        slider_color="*primary_600",
    )


def mount(app: FastAPI, page: gr.Blocks, service: Service) -> FastAPI:
    """Serve the page at the root of an application and return the application."""
    settings = service.settings
    # Each script in a scope of its own.
    scripts = "".join(f"{{\n{(STATIC / name).read_text(encoding='utf-8')}}}\n" for name in SCRIPTS)
    gr.mount_gradio_app(
        app,
        page,
        path="",
        root_path=settings.server.root_path or None,
        blocked_paths=[str(settings.data_dir.expanduser().resolve())],
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=settings.limits.file_bytes,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        theme=theme(),
        css="\n".join((STATIC / name).read_text(encoding="utf-8") for name in STYLES),
        js=f"() => {{\n{scripts}}}",
    )
    # Gradio checks that a path in a request is the visitor's own upload only once this is set, and mounting does not.
    page.has_launched = True
    return app
