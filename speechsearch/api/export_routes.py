"""The route that gives results as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Request, Response
from fastapi import Query as Parameter

from speechsearch.api import export_formats
from speechsearch.api.bodies import ResultsBody
from speechsearch.api.clip_routes import attachment
from speechsearch.api.identity import visitor_of
from speechsearch.api.search_routes import Asked

if TYPE_CHECKING:
    from speechsearch.service.open import Service

Format = Annotated[
    Literal["csv", "json", "m3u", "vtt"],
    Parameter(description="a table, what /search returns, a playlist of the clips, or captions"),
]
KINDS = {
    "csv": ("text/csv; charset=utf-8", ".csv"),
    "json": ("application/json", ".json"),
    "m3u": ("audio/x-mpegurl; charset=utf-8", ".m3u8"),
    "vtt": ("text/vtt; charset=utf-8", ".vtt"),
}


def export_routes(service: Service) -> APIRouter:
    """Return the route ``/api/v1/export``."""
    router = APIRouter(prefix="/api/v1", tags=["search"])
    default = service.search.default()

    @router.get(
        "/export", response_class=Response, responses={200: {"content": {kind: {} for kind, _ in KINDS.values()}}}
    )
    def export(request: Request, query: Asked, format: Format = "csv", engine: str = default) -> Response:
        """Return the answers to a question as a file."""
        results = service.search.find(query, engine, visitor_of(request))
        root = f"{request.url.scheme}://{request.url.netloc}{service.settings.server.root_path.rstrip('/')}"
        if format == "csv":
            content = export_formats.as_csv(results, root)
        elif format == "m3u":
            content = export_formats.as_m3u(results, query.text, root)
        elif format == "vtt":
            content = export_formats.as_vtt(results)
        else:
            content = ResultsBody.of(results).model_dump_json(indent=2)
        kind, suffix = KINDS[format]
        headers = {"Content-Disposition": attachment(query.text, suffix), "Cache-Control": "no-store"}
        return Response(content, media_type=kind, headers=headers)

    return router
