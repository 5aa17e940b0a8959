"""The FastAPI application: every route is a thin door to the service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from fastapi import FastAPI, Request, Response
from fastapi import Query as Parameter

from speechsearch.api.clips import clip_response
from speechsearch.api.errors import add_error_handlers
from speechsearch.api.models import (
    CollectionBody,
    ComparisonBody,
    ErrorBody,
    HealthBody,
    IndexingBody,
    ResultsBody,
)
from speechsearch.api.security import SecurityMiddleware
from speechsearch.datatypes import Filters, Query
from speechsearch.errors import NotFoundError
from speechsearch.progress import Progress

if TYPE_CHECKING:
    from speechsearch.service import Service

API_VERSION = "1.0"

Words = Annotated[str, Parameter(max_length=1000, description="what to look for")]
Count = Annotated[int, Parameter(ge=1, le=100, description="how many answers")]
Collection = Annotated[str, Parameter(max_length=200, description="only this collection; all when empty")]

_FAILURES: dict[int | str, dict[str, object]] = {status: {"model": ErrorBody} for status in (404, 413, 422, 501, 503)}


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
    app.add_middleware(SecurityMiddleware, frame_ancestors=frame_ancestors)
    add_error_handlers(app)
    _add_routes(app, service, indexing)
    return app


def _query(service: Service, text: str, top_k: int, collection: str) -> Query:
    if collection and collection not in {summary.name for summary in service.collections()}:
        raise NotFoundError(f"There is no collection {collection!r}.", "GET /api/v1/collections lists them.")
    return Query(text=text, top_k=top_k, filters=Filters(collections=(collection,) if collection else ()))


def _add_routes(app: FastAPI, service: Service, indexing: Callable[[], Progress | None]) -> None:
    @app.get("/health")
    def health() -> HealthBody:
        """Return that the program answers and what it holds."""
        collections, progress = service.collections(), indexing()
        return HealthBody(
            recordings=sum(collection.recordings for collection in collections),
            passages=sum(collection.passages for collection in collections),
            indexing=IndexingBody.of(progress) if progress else None,
        )

    @app.get("/api/v1/search")
    def search(q: Words, engine: str = "hybrid", k: Count = 5, collection: Collection = "") -> ResultsBody:
        """Return the passages that answer a question, best first."""
        return ResultsBody.of(service.search(_query(service, q, k, collection), engine))

    @app.get("/api/v1/compare")
    def compare(
        q: Words, left: str = "hybrid", right: str = "asr", k: Count = 5, collection: Collection = ""
    ) -> ComparisonBody:
        """Return two engines' answers to the same question."""
        return ComparisonBody.of(service.compare(_query(service, q, k, collection), left, right))

    @app.head("/api/v1/clips/{passage_id}", response_class=Response, include_in_schema=False)
    @app.get("/api/v1/clips/{passage_id}", response_class=Response)
    def clip(passage_id: UUID, request: Request) -> Response:
        """Return the sound of a passage as WAV, whole or the asked range."""
        return clip_response(service.clip(str(passage_id)), request.headers)

    @app.get("/api/v1/collections")
    def collections() -> list[CollectionBody]:
        """Return all collections and how much they hold."""
        return [CollectionBody.of(collection) for collection in service.collections()]
