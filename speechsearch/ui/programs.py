"""Endpoints for Gradio's own clients, with the same answers as the routes below ``/api/v1``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import gradio as gr

from speechsearch.api.answer_bodies import AnswerBody
from speechsearch.api.bodies import CollectionBody, ComparisonBody, ResultsBody, SpeakerBody
from speechsearch.api.job_routes import JobBody
from speechsearch.api.similar_bodies import DuplicateBody, SimilarsBody
from speechsearch.domain.alike import Sense
from speechsearch.domain.errors import SpeechSearchError
from speechsearch.domain.values import Filters, Query
from speechsearch.ui.visitor import visitor_of

if TYPE_CHECKING:
    from speechsearch.jobs.queue import JobQueue
    from speechsearch.service.open import Service


def build(service: Service, jobs: JobQueue | None) -> None:
    """Add the endpoints to the open Blocks."""
    default, baseline = service.search.default(), service.search.baseline()

    def query(question: str, top_k: int, collection: str, speaker: str) -> Query:
        narrowed = Filters(collections=(collection,) if collection else (), speakers=(speaker,) if speaker else ())
        return Query(text=question, top_k=top_k, filters=narrowed)

    def search(
        question: str,
        request: gr.Request,
        engine: str = default,
        top_k: int = 5,
        collection: str = "",
        speaker: str = "",
    ) -> dict[str, Any]:
        """Find the passages of spoken recordings that answer a question, best first."""
        with _said_to_the_client():
            asked = query(question, top_k, collection, speaker)
            return ResultsBody.of(service.search.find(asked, engine, visitor_of(request))).model_dump()

    def compare(
        question: str,
        request: gr.Request,
        left: str = default,
        right: str = baseline,
        top_k: int = 5,
        collection: str = "",
        speaker: str = "",
    ) -> dict[str, Any]:
        """Put a question to two engines, for example to search by sound and to search by transcript."""
        with _said_to_the_client():
            asked = query(question, top_k, collection, speaker)
            return ComparisonBody.of(service.search.compare(asked, left, right, visitor_of(request))).model_dump()

    def ask(
        question: str, request: gr.Request, engine: str = default, collection: str = "", speaker: str = ""
    ) -> dict[str, Any]:
        """Answer a question in sentences that cite what is said, where and when, or say that nothing was found."""
        with _said_to_the_client():
            asked = query(question, 1, collection, speaker)
            return AnswerBody.of(service.ask.whole(asked, visitor_of(request), engine)).model_dump()

    def similar(
        track_id: str, request: gr.Request, sense: Sense = "recording", top_k: int = 5, collection: str = ""
    ) -> dict[str, Any]:
        """Find what is like a recording or a passage: copies of it, the same words, or what sounds alike."""
        with _said_to_the_client():
            narrowed = Filters(collections=(collection,) if collection else ())
            found = service.similar.of_track(track_id, sense, top_k, narrowed, visitor_of(request))
            return SimilarsBody.of(found).model_dump()

    def duplicates(request: gr.Request, collection: str = "") -> list[dict[str, Any]]:
        """List the recordings that are there twice, whole or in part; nothing is deleted."""
        with _said_to_the_client():
            found = service.duplicates.find(collection, visitor_of(request))
            return [DuplicateBody.of(one).model_dump() for one in found]

    def collections(request: gr.Request) -> list[dict[str, Any]]:
        """List the collections that can be searched and how much is in each."""
        return [CollectionBody.of(one).model_dump() for one in service.browse.collections(visitor_of(request))]

    def speakers(request: gr.Request) -> list[dict[str, Any]]:
        """List who is heard in the recordings, for how long, and in how many of them."""
        return [SpeakerBody.of(one).model_dump() for one in service.speakers.all(visitor_of(request))]

    def ingest_status(request: gr.Request) -> list[dict[str, Any]]:
        """List the tasks of the queue that add recordings and how far each is."""
        if jobs is None:
            return []
        return [JobBody.of(*found).model_dump() for found in jobs.jobs_now(visitor_of(request))]

    for endpoint in (search, compare, ask, similar, duplicates, collections, speakers, ingest_status):
        gr.api(endpoint, api_name=endpoint.__name__)  # type: ignore[attr-defined]


@contextmanager
def _said_to_the_client() -> Iterator[None]:
    """Let the client read our errors; those that nobody foresaw stay in the terminal."""
    try:
        yield
    except SpeechSearchError as error:
        raise gr.Error(str(error), print_exception=False) from error
