"""Sound clips with byte ranges, so that a player can seek without the whole clip (RFC 9110, section 14)."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi import Query as Parameter
from starlette.datastructures import Headers
from starlette.responses import Response

from speechsearch.api.identity import visitor_of
from speechsearch.domain.safe_text import safe_name

if TYPE_CHECKING:
    from speechsearch.service.open import Service

CONTEXT_S = 2.0
"""So much is before and after a passage in a clip that is saved."""
Download = Annotated[bool, Parameter(description="as a file to be saved")]
Context = Annotated[
    float | None,
    Parameter(ge=0, le=30, description=f"seconds before and after; if left out, {CONTEXT_S:g} in a file to be saved"),
]

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def clip_routes(service: Service) -> APIRouter:
    """Return the route below ``/api/v1/clips``."""
    router = APIRouter(prefix="/api/v1/clips", tags=["search"])

    @router.head("/{passage_id}", response_class=Response, include_in_schema=False)
    @router.get("/{passage_id}", response_class=Response)
    def clip(passage_id: UUID, request: Request, download: Download = False, context_s: Context = None) -> Response:
        """Return the sound of a passage as WAV, as loud as every other, whole or the asked range."""
        visitor = visitor_of(request)
        around_s = (CONTEXT_S if download else 0.0) if context_s is None else context_s
        response = clip_response(service.browse.clip(str(passage_id), visitor, around_s), request.headers)
        if download:
            passage = service.browse.passage(str(passage_id), visitor)
            minutes, rest_s = divmod(int(passage.span.start_s), 60)
            title = service.browse.recording(passage.recording_id, visitor).title
            response.headers["Content-Disposition"] = attachment(f"{title} {minutes}-{rest_s:02d}", ".wav")
        return response

    return router


def attachment(name: str, suffix: str = "") -> str:
    """Return the header that has a browser save a response under a name (RFC 6266).

    >>> attachment("Über/Wale", ".wav")
    "attachment; filename*=UTF-8''%C3%9Cber%20Wale.wav"
    """
    return f"attachment; filename*=UTF-8''{quote(safe_name(name, suffix), safe='')}"


def byte_range(header: str, size_bytes: int) -> range | None:
    """Return the bytes that a ``Range`` header asks for; None when it asks for nothing we serve in parts.

    A malformed header, another unit and several ranges at once count as no range, as the RFC allows. An empty
    ``range`` means that the header lies outside the content.

    >>> byte_range("bytes=0-99", 1000), byte_range("bytes=990-", 1000), byte_range("bytes=-5", 1000)
    (range(0, 100), range(990, 1000), range(995, 1000))
    >>> byte_range("bytes=1000-", 1000), byte_range("lines=1-2", 1000), byte_range("bytes=5-2", 1000)
    (range(0, 0), None, None)
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        return range(max(0, size_bytes - int(last)), size_bytes) if int(last) else range(0)
    if last and int(last) < int(first):
        return None
    end = min(int(last) + 1, size_bytes) if last else size_bytes
    return range(int(first), end) if int(first) < size_bytes else range(0)


def clip_response(content: bytes, request: Headers) -> Response:
    """Return a WAV clip as the request's headers ask for it: 200 whole, 206 in part, 304 unchanged, 416 outside."""
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"Accept-Ranges": "bytes", "ETag": etag, "Cache-Control": "private, max-age=600"}
    if etag in [tag.strip().removeprefix("W/") for tag in request.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    asked = byte_range(request.get("range", ""), len(content))
    if asked is None or request.get("if-range", etag) != etag:
        return Response(content, media_type="audio/wav", headers=headers)
    if not asked:
        return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{len(content)}"})
    headers["Content-Range"] = f"bytes {asked.start}-{asked.stop - 1}/{len(content)}"
    return Response(content[asked.start : asked.stop], status_code=206, media_type="audio/wav", headers=headers)
