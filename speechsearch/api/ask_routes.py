"""The route that answers a question: at once as JSON, or sentence by sentence as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Request
from fastapi import Query as Parameter
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from speechsearch.api.answer_bodies import AnswerBody, EvidenceBody, QuotesBody, SentenceBody
from speechsearch.api.bodies import ErrorBody
from speechsearch.api.identity import visitor_of
from speechsearch.api.search_routes import SPOKEN_QUESTION, Narrowed, spoken
from speechsearch.domain.answers import AnswerEvent, Earlier, Evidence, Quotes, Sentence
from speechsearch.domain.counters import ERRORS, Counters
from speechsearch.domain.errors import SpeechSearchError
from speechsearch.domain.values import Filters, Query

if TYPE_CHECKING:
    from speechsearch.service.open import Service

EVENTS = "text/event-stream"
AT_ONCE = 4
"""So many questions are answered at once; others wait without a thread, which all other routes need."""
Several = Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=50)]
Day = Annotated[str, Field(pattern=r"^(\d{4}(-\d{2}(-\d{2})?)?)?$")]
STREAM: dict[str, Any] = {
    "responses": {
        "200": {
            "description": "The answer; with `Accept: text/event-stream` the events `evidence`, `quotes` (only where a "
            "language model puts them into words), `sentence` (several), `done` or `error`, each with a JSON body.",
            "content": {EVENTS: {"schema": {"type": "string"}}},
        }
    }
}


class NarrowedBody(BaseModel):
    """What a question is narrowed to, as in a search."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    collections: Several = []
    recordings: Several = []
    speakers: Several = []
    languages: Several = []
    date_from: Day = Field("", alias="from")
    date_to: Day = Field("", alias="to")

    def filters(self) -> Filters:
        """Return it as the search takes it."""
        return Filters(
            tuple(one for one in self.collections if one),
            tuple(self.recordings),
            tuple(self.speakers),
            tuple(self.languages),
            self.date_from,
            self.date_to,
        )


class QuestionBody(NarrowedBody):
    """A question, and what it is narrowed to; ``engine``: what finds the evidence.

    ``thread``: earlier questions, the first one first, by which a question that follows them is understood.
    """

    question: str = Field(max_length=1000)
    engine: str = Field("", max_length=80)
    thread: Annotated[list[Annotated[str, Field(max_length=1000)]], Field(max_length=20)] = []

    def earlier(self) -> list[Earlier]:
        """Return what was asked before."""
        return [Earlier(one) for one in self.thread]

    def query(self) -> Query:
        """Return the query."""
        return Query(self.question, filters=self.filters())


SPOKEN = SPOKEN_QUESTION["requestBody"]
QUESTION: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The question as JSON; or spoken, and narrowed by the parameters of the address. "
        + SPOKEN["description"],
        "content": {"application/json": {"schema": QuestionBody.model_json_schema()}, **SPOKEN["content"]},
    }
}


@dataclass(frozen=True, slots=True, eq=False)
class Put:
    """A question that was put: its JSON, or the sound of it and what it is narrowed to."""

    body: QuestionBody | None
    sound: bytes
    filters: Filters
    engine: str


async def put(
    request: Request,
    filters: Narrowed,
    engine: Annotated[str, Parameter(max_length=80, description="of a spoken question: what finds the evidence")] = "",
) -> Put:
    """Return the question of a request.

    Raises:
        RequestValidationError, InputError: it is none.
    """
    kind = request.headers.get("content-type", "application/json")
    if "json" not in kind.lower():
        return Put(None, await spoken(request), filters, engine)
    try:
        return Put(QuestionBody.model_validate_json(await request.body()), b"", filters, engine)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False, include_context=False)) from error


def ask_routes(service: Service) -> APIRouter:
    """Return the route below ``/api/v1`` that answers questions."""
    router = APIRouter(prefix="/api/v1", tags=["answers"])
    threads = CapacityLimiter(AT_ONCE)

    def asked_of(put: Put) -> tuple[Query, str, list[Earlier]]:
        if put.body is not None:
            return put.body.query(), put.body.engine, put.body.earlier()
        return Query(audio=service.search.query_audio(put.sound), filters=put.filters), put.engine, []

    @router.post("/ask", response_model=AnswerBody, openapi_extra={**QUESTION, **STREAM})
    async def ask(request: Request, given: Annotated[Put, Depends(put)]) -> AnswerBody | StreamingResponse:
        """Answer a question from the recordings, every sentence with what it cites, or say that nothing was found.

        The question is typed, in JSON, or spoken, in any format that recordings may have.
        Experimental: of the questions that recordings answer, a fifth to a half are refused; search finds more.
        """
        query, engine, thread = await run_sync(asked_of, given, limiter=threads)
        asked = (query, visitor_of(request), engine, thread)
        if EVENTS not in request.headers.get("accept", ""):
            return AnswerBody.of(await run_sync(service.ask.whole, *asked, limiter=threads))
        events = service.ask.answer(*asked)
        # What is wrong with the question is told by the status, in both forms.
        first = await run_sync(next, events, limiter=threads)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        said = in_threads(streamed(chain([first], events), service.counters), threads)
        return StreamingResponse(said, media_type=EVENTS, headers=headers)

    return router


async def in_threads(parts: Iterator[str], threads: CapacityLimiter) -> AsyncIterator[str]:
    """Yield what an iterator gives; each step is made in one of the threads."""
    while (part := await run_sync(next, parts, None, limiter=threads)) is not None:
        yield part


def streamed(events: Iterator[AnswerEvent], counters: Counters) -> Iterator[str]:
    """Yield an answer's events as server-sent events; an error in the midst of it is one, too, and is counted."""
    try:
        for event in events:
            if isinstance(event, Evidence):
                yield written("evidence", EvidenceBody.of(event))
            elif isinstance(event, Quotes):
                yield written("quotes", QuotesBody.of(event))
            elif isinstance(event, Sentence):
                yield written("sentence", SentenceBody.of(event))
            else:
                yield written("done", AnswerBody.of(event))
    except SpeechSearchError as error:
        counters.add(ERRORS, code=error.code)
        yield written("error", ErrorBody(code=error.code, message=error.message, hint=error.hint))


def written(name: str, body: BaseModel) -> str:
    r"""Return a server-sent event; JSON has no line breaks of its own.

    >>> written("error", ErrorBody(code="input", message="a\nb"))
    'event: error\ndata: {"code":"input","message":"a\\nb","hint":""}\n\n'
    """
    return f"event: {name}\ndata: {body.model_dump_json()}\n\n"
