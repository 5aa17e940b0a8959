"""The FastAPI application: every route is a thin door to the service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from fastapi import FastAPI

from speechsearch.api.collections import collection_routes
from speechsearch.api.errors import add_error_handlers
from speechsearch.api.identity import IdentityMiddleware
from speechsearch.api.models import ErrorBody, HealthBody, IndexingBody
from speechsearch.api.search import search_routes
from speechsearch.api.security import SecurityMiddleware
from speechsearch.progress import Progress

if TYPE_CHECKING:
    from speechsearch.service import Service

API_VERSION = "1.0"

_FAILURES: dict[int | str, dict[str, object]] = {
    status: {"model": ErrorBody} for status in (403, 404, 413, 422, 429, 501, 503)
}


def create_app(
    service: Service,
    *,
    indexing: Callable[[], Progress | None] = lambda: None,
    frame_ancestors: Sequence[str] = ("'self'",),
) -> FastAPI:
    """Return the application with all REST routes.

    Args:
        service: answers the requests.
        indexing: says how far the indexing in the background is; None when there is none.
        frame_ancestors: who may show the page in a frame, as words of a Content-Security-Policy.
    """
    app = FastAPI(
        title="speechsearch",
        version=API_VERSION,
        description="Find the moment in spoken recordings by meaning.",
        openapi_url="/api/openapi.json",
        # The interactive pages load their scripts from elsewhere; nothing here leaves the host.
        docs_url=None,
        redoc_url=None,
        responses=_FAILURES,
    )
    is_shared, is_open = service.uploads == "shared", service.uploads != "off"
    app.add_middleware(IdentityMiddleware, is_owner=is_shared, may_add=is_open)
    app.add_middleware(SecurityMiddleware, frame_ancestors=frame_ancestors)
    add_error_handlers(app)
    app.include_router(search_routes(service))
    app.include_router(collection_routes(service))

    @app.get("/health")
    def health() -> HealthBody:
        """Return that the program answers and what it holds."""
        collections, progress = service.collections(), indexing()
        return HealthBody(
            recordings=sum(collection.recordings for collection in collections),
            passages=sum(collection.passages for collection in collections),
            indexing=IndexingBody.of(progress) if progress else None,
        )

    return app
