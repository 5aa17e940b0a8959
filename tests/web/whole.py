"""The whole application, page and all, as the doors' tests see it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from speechsearch.api import create_app
from speechsearch.jobs.queue import JobQueue


def whole_app(service: Any, jobs: JobQueue) -> FastAPI:
    """Return the application as ``serve`` makes it; Gradio's folder is that of GRADIO_TEMP_DIR."""
    from speechsearch.ui.page import build_page, mount

    async def build() -> FastAPI:  # inside a loop, because Gradio leaves one open where there is none
        return mount(create_app(service, jobs=jobs), build_page(service, jobs), service, jobs)

    return asyncio.run(build())


@contextmanager
def no_files_left(folder: Path) -> Iterator[None]:
    """Fail when there are other files below a folder than before."""
    before = sorted(path for path in folder.rglob("*") if path.is_file())
    yield
    assert sorted(path for path in folder.rglob("*") if path.is_file()) == before
