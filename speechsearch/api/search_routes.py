"""Routes that find passages, for typed and for spoken questions, and what a search can be narrowed to."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi import Query as Parameter
from starlette.requests import ClientDisconnect

from speechsearch.api.bodies import ComparisonBody, ResultsBody
from speechsearch.api.identity import visitor_of
from speechsearch.api.uploads import receive
from speechsearch.domain.errors import InputError
from speechsearch.domain.limits import Limits
from speechsearch.domain.question_syntax import SYNTAX
from speechsearch.domain.values import Filters, Query

if TYPE_CHECKING:
    from speechsearch.service.open import Service

Words = Annotated[str, Parameter(max_length=1000, description=f"what to look for. {SYNTAX}")]
Count = Annotated[int, Parameter(ge=1, le=100, description="how many answers")]
Several = Annotated[
    list[Annotated[str, Parameter(max_length=200)]],
    Parameter(max_length=50, description="only these; all when absent; can be given several times"),
]
Day = Annotated[
    str, Parameter(pattern=r"^(\d{4}(-\d{2}(-\d{2})?)?)?$", description="as 2024, 2024-05 or 2024-05-31; included")
]
ONE_FILE = Limits(archive_files=1, free_disk_bytes=0)
"""Of a spoken question; the security middleware limits its bytes."""
SPOKEN_QUESTION: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "Sound in any format that recordings may have, as the body or as the field `audio` of a form.",
        "content": {
            "audio/*": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["audio"],
                    "properties": {"audio": {"type": "string", "format": "binary"}},
                }
            },
        },
    }
}


def narrowed(
    collection: Several = [],  # noqa: B006 (FastAPI copies defaults)
    speaker: Several = [],  # noqa: B006
    language: Several = [],  # noqa: B006
    recording: Several = [],  # noqa: B006
    date_from: Annotated[Day, Parameter(alias="from")] = "",
    date_to: Annotated[Day, Parameter(alias="to")] = "",
) -> Filters:
    """Return what a request narrows its search to."""
    return Filters(
        collections=tuple(one for one in collection if one),
        recording_ids=tuple(recording),
        speakers=tuple(speaker),
        languages=tuple(language),
        date_from=date_from,
        date_to=date_to,
    )


Narrowed = Annotated[Filters, Depends(narrowed)]


def asked(filters: Narrowed, q: Words, k: Count = 5) -> Query:
    """Return what a request asks in words."""
    return Query(text=q, top_k=k, filters=filters)


Asked = Annotated[Query, Depends(asked)]


async def spoken(request: Request) -> bytes:
    """Return the sound that a request carries; the security middleware limits its bytes.

    Raises:
        InputError: there is none.
    """
    try:
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            with tempfile.TemporaryDirectory() as folder:
                upload = await receive(request, Path(folder), ONE_FILE)
                sent = zip(upload.file_fields, upload.files, strict=True)
                sound = next((path.read_bytes() for field, (path, _) in sent if field == "audio"), b"")
        else:
            sound = await request.body()
    except ClientDisconnect as error:
        raise InputError("The upload broke off.", "Send it again.") from error
    if not sound:
        raise InputError(
            "There is no sound in the request.", "Send it as the body, or as the field 'audio' of a multipart form."
        )
    return sound


Spoken = Annotated[bytes, Depends(spoken)]


def search_routes(service: Service) -> APIRouter:
    """Return the routes below ``/api/v1`` for search and comparison."""
    router = APIRouter(prefix="/api/v1", tags=["search"])
    default, baseline = service.search.default(), service.search.baseline()

    def query_of(sound: bytes, filters: Filters, top_k: int) -> Query:
        return Query(audio=service.search.query_audio(sound), top_k=top_k, filters=filters)

    @router.get("/search")
    def search(request: Request, query: Asked, engine: str = default) -> ResultsBody:
        """Return the passages that answer a question, best first."""
        return ResultsBody.of(service.search.find(query, engine, visitor_of(request)))

    @router.post("/search", openapi_extra=SPOKEN_QUESTION)
    def search_spoken(
        request: Request, sound: Spoken, filters: Narrowed, k: Count = 5, engine: str = default
    ) -> ResultsBody:
        """Return the passages that answer a spoken question, best first."""
        return ResultsBody.of(service.search.find(query_of(sound, filters, k), engine, visitor_of(request)))

    @router.get("/compare")
    def compare(request: Request, query: Asked, left: str = default, right: str = baseline) -> ComparisonBody:
        """Return two engines' answers to the same question."""
        return ComparisonBody.of(service.search.compare(query, left, right, visitor_of(request)))

    @router.post("/compare", openapi_extra=SPOKEN_QUESTION)
    def compare_spoken(
        request: Request, sound: Spoken, filters: Narrowed, k: Count = 5, left: str = default, right: str = baseline
    ) -> ComparisonBody:
        """Return two engines' answers to the same spoken question."""
        return ComparisonBody.of(service.search.compare(query_of(sound, filters, k), left, right, visitor_of(request)))

    return router
