"""The page that describes the routes, with scripts from this host."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from speechsearch.domain.errors import MissingDependencyError


def add_reference(app: FastAPI, root_path: str) -> None:
    """Serve the description of the routes at ``/api/docs``."""
    found = find_spec("fastapi_offline")
    if found is None or found.origin is None:
        raise MissingDependencyError("fastapi-offline is not installed.", "pip install -r requirements.txt")
    app.mount("/api/docs/static", StaticFiles(directory=Path(found.origin).parent / "static"), name="reference")
    static = f"{root_path}/api/docs/static"

    @app.get("/api/docs", include_in_schema=False)
    def reference() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url=f"{root_path}/api/openapi.json",
            title="speechsearch: the routes",
            swagger_js_url=f"{static}/swagger-ui-bundle.js",
            swagger_css_url=f"{static}/swagger-ui.css",
            swagger_favicon_url=f"{static}/favicon.png",
            swagger_ui_parameters={"validatorUrl": None},  # a service elsewhere
        )
