"""The route that answers a question: at once as JSON, or sentence by sentence as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Annotated

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from speechsearch.api.answer_bodies import AnswerBody, EvidenceBody, SentenceBody
from speechsearch.api.bodies import ErrorBody
from speechsearch.api.identity import visitor_of
from speechsearch.domain.answers import AnswerEvent, Earlier, Evidence, Sentence
from speechsearch.domain.errors import SpeechSearchError
from speechsearch.domain.values import Filters, Query

if TYPE_CHECKING:
    from speechsearch.service.open import Service

EVENTS = "text/event-stream"
AT_ONCE = 4
"""So many questions are answered at once; others wait without a thread, which all other routes need."""
Several = Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=50)]
Day = Annotated[str, Field(pattern=r"^(\d{4}(-\d{2}(-\d{2})?)?)?$")]
STREAM = {
    "responses": {
        "200": {
            "description": "The answer; with `Accept: text/event-stream` the events `evidence`, `sentence` (several), "
            "`done` or `error`, each with a JSON body.",
            "content": {EVENTS: {"schema": {"type": "string"}}},
        }
    }
}


class QuestionBody(BaseModel):
    """A question, and what it is narrowed to, as in a search; ``engine``: what finds the evidence.

    ``thread``: earlier questions, the first one first, by which a question that follows them is understood.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    question: str = Field(max_length=1000)
    engine: str = Field("", max_length=80)
    collections: Several = []
    recordings: Several = []
    speakers: Several = []
    languages: Several = []
    date_from: Day = Field("", alias="from")
    date_to: Day = Field("", alias="to")
    thread: Annotated[list[Annotated[str, Field(max_length=1000)]], Field(max_length=20)] = []

    def earlier(self) -> list[Earlier]:
        """Return what was asked before."""
        return [Earlier(one) for one in self.thread]

    def query(self) -> Query:
        """Return the query."""
        filters = Filters(
            tuple(one for one in self.collections if one),
            tuple(self.recordings),
            tuple(self.speakers),
            tuple(self.languages),
            self.date_from,
            self.date_to,
        )
        return Query(self.question, filters=filters)


def ask_routes(service: Service) -> APIRouter:
    """Return the route below ``/api/v1`` that answers questions."""
    router = APIRouter(prefix="/api/v1", tags=["answers"])
    threads = CapacityLimiter(AT_ONCE)

    @router.post("/ask", response_model=AnswerBody, openapi_extra=STREAM)
    async def ask(request: Request, body: QuestionBody) -> AnswerBody | StreamingResponse:
        """Answer a question from the recordings, every sentence with what it cites, or say that nothing was found.

        Experimental: of the questions that recordings answer, more than a third are refused; search finds more.
        """
        asked = (body.query(), visitor_of(request), body.engine, body.earlier())
        if EVENTS not in request.headers.get("accept", ""):
            return AnswerBody.of(await run_sync(service.ask.whole, *asked, limiter=threads))
        events = service.ask.answer(*asked)
        # What is wrong with the question is told by the status, in both forms.
        first = await run_sync(next, events, limiter=threads)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        said = in_threads(streamed(chain([first], events)), threads)
        return StreamingResponse(said, media_type=EVENTS, headers=headers)

    return router


async def in_threads(parts: Iterator[str], threads: CapacityLimiter) -> AsyncIterator[str]:
    """Yield what an iterator gives; each step is made in one of the threads."""
    while (part := await run_sync(next, parts, None, limiter=threads)) is not None:
        yield part


def streamed(events: Iterator[AnswerEvent]) -> Iterator[str]:
    """Yield an answer's events as server-sent events; an error in the midst of it is one, too."""
    try:
        for event in events:
            if isinstance(event, Evidence):
                yield written("evidence", EvidenceBody.of(event))
            elif isinstance(event, Sentence):
                yield written("sentence", SentenceBody.of(event))
            else:
                yield written("done", AnswerBody.of(event))
    except SpeechSearchError as error:
        yield written("error", ErrorBody(code=error.code, message=error.message, hint=error.hint))


def written(name: str, body: BaseModel) -> str:
    r"""Return a server-sent event; JSON has no line breaks of its own.

    >>> written("error", ErrorBody(code="input", message="a\nb"))
    'event: error\ndata: {"code":"input","message":"a\\nb","hint":""}\n\n'
    """
    return f"event: {name}\ndata: {body.model_dump_json()}\n\n"
