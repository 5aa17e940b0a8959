"""The whole application, page and all, as the doors' tests see it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.routing import BaseRoute

from speechsearch.api import create_app
from speechsearch.api.doors import WEBSOCKET
from speechsearch.jobs.queue import JobQueue


def whole_app(service: Any, jobs: JobQueue) -> FastAPI:
    """Return the application as ``serve`` makes it; Gradio's folder is that of GRADIO_TEMP_DIR."""
    from speechsearch.ui.page import build_page, mount

    async def build() -> FastAPI:  # inside a loop, because Gradio leaves one open where there is none
        return mount(create_app(service, jobs=jobs), build_page(service, jobs), service, jobs)

    return asyncio.run(build())


def leaves(routes: list[BaseRoute], before: str = "") -> Iterator[tuple[BaseRoute, str]]:
    """Yield every route that answers, of included routers and mounted applications too, with its whole path."""
    for route in routes:
        inside = getattr(route, "original_router", None)
        if inside is not None:
            yield from leaves(inside.routes, before)
        elif getattr(route, "endpoint", None) is not None or not hasattr(route, "routes"):
            yield route, before + route.path
        else:
            yield from leaves(route.routes, before + route.path)


def methods_of(route: BaseRoute) -> list[str]:
    """Return the methods that a route answers to; every one where it leaves that to its own program."""
    if not hasattr(route, "methods"):
        return [WEBSOCKET]
    return sorted(route.methods or ("GET", "POST", "DELETE"))


def example(path: str, values: dict[str, str]) -> str:
    """Return an address of a path with its {parameters} filled in."""
    return re.sub(r"\{(\w+)[^}]*\}", lambda match: values.get(match[1], "x"), path)


@contextmanager
def no_files_left(folder: Path) -> Iterator[None]:
    """Fail when there are other files below a folder than before."""
    before = sorted(path for path in folder.rglob("*") if path.is_file())
    yield
    assert sorted(path for path in folder.rglob("*") if path.is_file()) == before
