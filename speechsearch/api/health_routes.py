"""Whether the program lives, and whether it can answer questions: what balancers and orchestrators ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from speechsearch.api.bodies import HealthBody, IndexingBody
from speechsearch.api.identity import visitor_of
from speechsearch.jobs.queue import only_writes_transcripts

if TYPE_CHECKING:
    from speechsearch.jobs.queue import JobQueue
    from speechsearch.service.open import Service

NO_STORE = {"Cache-Control": "no-store"}


class LiveBody(BaseModel):
    """That the program answers."""

    status: str = "ok"


class ReadyBody(BaseModel):
    """Whether questions can be answered: "ok" or "failing", and which parts fail."""

    status: str
    failing: list[str]


def health_routes(service: Service, jobs: JobQueue | None) -> APIRouter:
    """Return the routes below ``/health``."""
    router = APIRouter(prefix="/health", tags=["operations"])

    @router.get("")
    def health(request: Request) -> HealthBody:
        """Return that the program answers and what it holds for this visitor."""
        collections, current = service.browse.collections(visitor_of(request)), jobs.current() if jobs else None
        if current is not None and only_writes_transcripts(*current):
            current = None
        return HealthBody(
            recordings=sum(collection.recordings for collection in collections),
            passages=sum(collection.passages for collection in collections),
            indexing=IndexingBody.of(current[1]) if current else None,
        )

    @router.get("/live")
    async def live(response: Response) -> LiveBody:
        """Return that the program answers; restart it when it does not."""
        response.headers.update(NO_STORE)
        return LiveBody()

    @router.get("/ready", responses={503: {"model": ReadyBody, "description": "Database or index fails."}})
    def ready(response: Response) -> ReadyBody:
        """Return whether database and index answer; send nobody here while they do not."""
        response.headers.update(NO_STORE)
        failing = service.failing()
        response.status_code = 503 if failing else 200
        return ReadyBody(status="failing" if failing else "ok", failing=failing)

    return router
