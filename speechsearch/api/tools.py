"""The same searches as tools of the Model Context Protocol (MCP), at ``/mcp``, and what an assistant needs beside them.

Gradio could serve its endpoints as tools, too; but it sends each call through an HTTP client of its own to an address
that it takes from the first request's Host header, without the visitor's login. Here a tool is a call of the service.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from pydantic import Field
from starlette.types import Receive, Scope, Send

from speechsearch.api.agent_tools import Found, reading_tools, task_tools
from speechsearch.api.answer_bodies import AnswerBody
from speechsearch.api.ask_routes import AT_ONCE
from speechsearch.api.bodies import CollectionBody, ComparisonBody, NameBody, NameHeardBody, ResultsBody, SpeakerBody
from speechsearch.api.identity import visitor_of
from speechsearch.api.observed import UNEXPECTED
from speechsearch.api.similar_bodies import DuplicateBody, SimilarsBody
from speechsearch.domain.alike import Sense
from speechsearch.domain.counters import ERRORS
from speechsearch.domain.question_syntax import SYNTAX
from speechsearch.domain.values import Filters, Query
from speechsearch.domain.visitors import Visitor
from speechsearch.retrieval.engine_cards import EngineCard

if TYPE_CHECKING:
    from mcp.server.fastmcp import FastMCP

    from speechsearch.jobs.queue import JobQueue
    from speechsearch.service.open import Service

INSTRUCTIONS = (
    "Searches spoken recordings by meaning, without speech recognition. Every hit is a passage of a recording with its "
    "start and end in seconds and addresses below this server: clip_url has its sound, page_url shows it to people. "
    "Begin with search; read on around a hit with passage, and cite recording, time and page_url. Transcripts are "
    "written by recognisers, which mishear names: where it matters, listen to the clip."
)
Words = Annotated[str, Field(max_length=1000, description=f"A question or a few words, in plain language. {SYNTAX}")]
TrackId = Annotated[str, Field(max_length=64, description="The recording_id or passage_id of a hit.")]
InSense = Annotated[
    Sense,
    Field(description="recording: copies of it, with the offset; words: the same is said; sound: it sounds alike."),
]
MOST_NAMED, MOST_PAIRS = 200, 50
"""So many collections, speakers, and names of the list, are in one answer."""
Count = Annotated[int, Field(ge=1, le=25, description="How many passages to return.")]
In = Annotated[str, Field(max_length=200, description="Only this collection; all when empty.")]
By = Annotated[
    str, Field(max_length=200, description="Only what this speaker says: a name, label or id of `speakers`.")
]


def tool_server(service: Service, jobs: JobQueue | None) -> FastMCP[Any]:
    """Return the tools, not yet connected to anything."""
    from mcp.server.fastmcp import FastMCP
    from mcp.server.fastmcp.exceptions import ToolError
    from mcp.types import ToolAnnotations

    from speechsearch.domain.errors import SpeechSearchError

    default, baseline = service.search.default(), service.search.baseline()
    asking = CapacityLimiter(AT_ONCE)
    server: FastMCP[Any] = FastMCP("speechsearch", instructions=INSTRUCTIONS, log_level="WARNING")

    def visitor() -> Visitor:
        request = server.get_context().request_context.request
        assert request is not None, "over HTTP a call always comes with its request"
        return visitor_of(request)

    async def answer(function: Any, *arguments: Any, limiter: CapacityLimiter | None = None) -> Any:
        try:
            return await run_sync(function, *arguments, limiter=limiter)
        except SpeechSearchError as error:
            service.counters.add(ERRORS, code=error.code)
            raise ToolError(str(error)) from error
        except Exception:  # the door: it becomes an answer of the protocol
            service.counters.add(ERRORS, code=UNEXPECTED)
            raise

    async def for_visitor(function: Callable[[Visitor], Found]) -> Found:
        found: Found = await answer(function, visitor())
        return found

    def query(text: str, top_k: int, collection: str, speaker: str) -> Query:
        narrowed = Filters(collections=(collection,) if collection else (), speakers=(speaker,) if speaker else ())
        return Query(text=text, top_k=top_k, filters=narrowed)

    async def search(
        question: Words, engine: str = default, top_k: Count = 5, collection: In = "", speaker: By = ""
    ) -> ResultsBody:
        """Find the passages of spoken recordings that answer a question, best first."""
        asked = query(question, top_k, collection, speaker)
        return ResultsBody.of(await answer(service.search.find, asked, engine, visitor()))

    async def ask(question: Words, engine: str = default, collection: In = "", speaker: By = "") -> AnswerBody:
        """Answer a question from the recordings: sentences that cite what is said, where and when, or "nothing found".

        Every sentence is a quote, or a count of quotes. Nothing is answered from a model's memory. Experimental: of the
        questions that recordings answer, a fifth to a half are refused, so that search is the tool to rely on.
        """
        asked = query(question, 1, collection, speaker)
        return AnswerBody.of(await answer(service.ask.whole, asked, visitor(), engine, limiter=asking))

    async def compare(
        question: Words,
        left: str = default,
        right: str = baseline,
        top_k: Count = 5,
        collection: In = "",
        speaker: By = "",
    ) -> ComparisonBody:
        """Put a question to two engines, for example to search by sound and to search by transcript."""
        asked = query(question, top_k, collection, speaker)
        return ComparisonBody.of(await answer(service.search.compare, asked, left, right, visitor()))

    async def collections() -> list[CollectionBody]:
        """List the collections that can be searched and how much is in each; of very many, the first 200."""
        found = await answer(service.browse.collections, visitor())
        return [CollectionBody.of(one) for one in found[:MOST_NAMED]]

    async def speakers() -> list[SpeakerBody]:
        """List who is heard in the recordings, for how long, in how many of them; at most 200, named ones first."""
        found = await answer(service.speakers.all, visitor())
        return [SpeakerBody.of(one) for one in found[:MOST_NAMED]]

    async def names() -> list[NameBody]:
        """List the names that this library hears in a way of their own, at most 200; searches go by them already."""
        found = await answer(service.names.find)
        return [NameBody.of(one, service.names.fingerprint) for one in found[:MOST_NAMED]]

    async def names_heard(name: Words, top_k: Count = 20, collection: In = "") -> list[NameHeardBody]:
        """List the passages in which a name of the list was heard, the likeliest first, with when it is said."""
        found = await answer(service.names_heard.find, name, top_k, collection, visitor())
        return [NameHeardBody.of(one) for one in found]

    async def similar(
        track_id: TrackId, sense: InSense = "recording", top_k: Count = 5, collection: In = ""
    ) -> SimilarsBody:
        """Find what is like a recording or a passage: copies of it, the same words, or what sounds alike."""
        narrowed = Filters(collections=(collection,) if collection else ())
        return SimilarsBody.of(await answer(service.similar.of_track, track_id, sense, top_k, narrowed, visitor()))

    async def duplicates(collection: In = "") -> list[DuplicateBody]:
        """List recordings that are there twice, whole or in part, at most 50 pairs; nothing is deleted."""
        found = await answer(service.duplicates.find, collection, visitor())
        return [DuplicateBody.of(one) for one in found[:MOST_PAIRS]]

    engine_word = Annotated[str, Field(description=engines_said(service.search.cards()))]
    own: tuple[Callable[..., Any], ...] = (
        search,
        ask,
        compare,
        collections,
        speakers,
        names,
        names_heard,
        similar,
        duplicates,
    )
    for tool in (*own, *reading_tools(service, for_visitor), *task_tools(service, jobs, for_visitor)):
        chosen = [name for name in ("engine", "left", "right") if name in tool.__annotations__]
        tool.__annotations__.update(dict.fromkeys(chosen, engine_word))  # of this service's engines, so not in the text
        is_reading = not tool.__name__.startswith("add")
        about = ToolAnnotations(readOnlyHint=is_reading, destructiveHint=False, openWorldHint=not is_reading)
        server.add_tool(tool, annotations=about, structured_output=False if tool.__name__ == "clip" else None)
    return server


def engines_said(cards: Sequence[EngineCard]) -> str:
    """Return what an assistant must know to choose an engine.

    >>> from speechsearch.retrieval.engine_cards import ASR, PHONETIC
    >>> print(engines_said([PHONETIC, ASR]))
    phonetic: How the words of your question sound. Good for names and rare words, however they are spelled.
    asr: The usual way: a speech recogniser writes the passages down, and that text is searched.
    """
    return "\n".join(f"{card.name}: {card.summary}{' Experimental.' * card.is_experimental}" for card in cards)


class ToolEndpoint:
    """Answers requests at ``/mcp`` (streamable HTTP, one request a session) while the application runs."""

    def __init__(self, service: Service, jobs: JobQueue | None = None) -> None:
        self._service, self._jobs = service, jobs
        self._manager: Any = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answer until the block ends; can be entered again."""
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
        from mcp.server.transport_security import TransportSecuritySettings

        # Host and Origin are checked for every door by our own middleware.
        unchecked = TransportSecuritySettings(enable_dns_rebinding_protection=False)
        server = tool_server(self._service, self._jobs)._mcp_server
        self._manager = StreamableHTTPSessionManager(
            server, json_response=True, stateless=True, security_settings=unchecked
        )
        async with self._manager.run():
            yield
        self._manager = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        await self._manager.handle_request(scope, receive, send)
