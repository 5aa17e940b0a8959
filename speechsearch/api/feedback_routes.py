"""Routes that keep judgements and give them to evaluation tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi import Query as Parameter
from pydantic import BaseModel, Field

from speechsearch.api import export_formats
from speechsearch.api.clip_routes import attachment
from speechsearch.api.identity import visitor_of
from speechsearch.retrieval.engine_cards import DEFAULT

if TYPE_CHECKING:
    from speechsearch.service.open import Service
    from speechsearch.store import Judgement

All = Annotated[bool, Parameter(alias="all", description="everybody's judgements; only for owners")]


class JudgementBody(BaseModel):
    """Whether a passage answers a question: 1 yes, 0 no, null takes a judgement back."""

    question: str = Field(min_length=1, max_length=1000)
    passage_id: UUID
    relevance: Literal[0, 1] | None
    engine: str = Field(DEFAULT, max_length=50, description="which engine had found it")
    rank: int = Field(0, ge=0, le=1_000_000, description="at which place; 0 when it is not known")

    @classmethod
    def of(cls, judgement: Judgement) -> JudgementBody:
        """Return the body of a judgement."""
        return cls.model_validate(judgement, from_attributes=True)


def feedback_routes(service: Service) -> APIRouter:
    """Return the routes below ``/api/v1/feedback``."""
    router = APIRouter(prefix="/api/v1/feedback", tags=["feedback"])

    @router.post("")
    def judge(request: Request, judgement: JudgementBody) -> JudgementBody:
        """Keep a judgement over your earlier one of the same question and passage."""
        service.feedback.judge(
            judgement.question,
            str(judgement.passage_id),
            judgement.relevance,
            judgement.engine,
            judgement.rank,
            visitor_of(request),
        )
        return judgement

    @router.get("")
    def judgements(
        request: Request, question: Annotated[str | None, Parameter(max_length=1000)] = None
    ) -> list[JudgementBody]:
        """Return your judgements, of one question if it is named."""
        return [JudgementBody.of(one) for one in service.feedback.judgements(question, visitor_of(request))]

    @router.get("/qrels", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    def qrels(request: Request, of_everybody: All = False) -> Response:
        """Return judgements as TREC's tools read them: question id, 0, passage id, relevance."""
        found = service.feedback.judgements(None, visitor_of(request), of_everybody)
        return _file(export_formats.as_qrels(found), "text/plain", "qrels", ".txt")

    @router.get("/queries", response_class=Response, responses={200: {"content": {"text/tab-separated-values": {}}}})
    def queries(request: Request, of_everybody: All = False) -> Response:
        """Return the judged questions: question id, tab, question."""
        found = service.feedback.judgements(None, visitor_of(request), of_everybody)
        return _file(export_formats.as_queries(found), "text/tab-separated-values", "queries", ".tsv")

    return router


def _file(content: str, kind: str, name: str, suffix: str) -> Response:
    headers = {"Content-Disposition": attachment(name, suffix), "Cache-Control": "no-store"}
    return Response(content, media_type=f"{kind}; charset=utf-8", headers=headers)
