"""Routes that find passages and play them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi import Query as Parameter

from speechsearch.api.clips import clip_response
from speechsearch.api.identity import visitor_of
from speechsearch.api.models import ComparisonBody, ResultsBody
from speechsearch.datatypes import Filters, Query

if TYPE_CHECKING:
    from speechsearch.service import Service

Words = Annotated[str, Parameter(max_length=1000, description="what to look for")]
Count = Annotated[int, Parameter(ge=1, le=100, description="how many answers")]
Collection = Annotated[str, Parameter(max_length=200, description="only this collection; all when empty")]


def search_routes(service: Service) -> APIRouter:
    """Return the routes below ``/api/v1`` for search, comparison and clips."""
    router = APIRouter(prefix="/api/v1", tags=["search"])

    def query_of(text: str, top_k: int, collection: str) -> Query:
        return Query(text=text, top_k=top_k, filters=Filters(collections=(collection,) if collection else ()))

    @router.get("/search")
    def search(
        request: Request, q: Words, engine: str = "hybrid", k: Count = 5, collection: Collection = ""
    ) -> ResultsBody:
        """Return the passages that answer a question, best first."""
        return ResultsBody.of(service.search(query_of(q, k, collection), engine, visitor_of(request)))

    @router.get("/compare")
    def compare(
        request: Request, q: Words, left: str = "hybrid", right: str = "asr", k: Count = 5, collection: Collection = ""
    ) -> ComparisonBody:
        """Return two engines' answers to the same question."""
        return ComparisonBody.of(service.compare(query_of(q, k, collection), left, right, visitor_of(request)))

    @router.head("/clips/{passage_id}", response_class=Response, include_in_schema=False)
    @router.get("/clips/{passage_id}", response_class=Response)
    def clip(passage_id: UUID, request: Request) -> Response:
        """Return the sound of a passage as WAV, whole or the asked range."""
        return clip_response(service.clip(str(passage_id), visitor_of(request)), request.headers)

    return router
