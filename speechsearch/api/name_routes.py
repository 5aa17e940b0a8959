"""Routes about My names: the list, its table, recorded examples, and where names were heard.

Names go into ``?name=``, because a name may hold slashes and dots.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Request, Response
from fastapi import Query as Parameter
from pydantic import BaseModel, Field, StringConstraints

from speechsearch.api.bodies import NameBody, NameHeardBody
from speechsearch.api.clip_routes import attachment
from speechsearch.api.identity import visitor_of
from speechsearch.api.search_routes import SPOKEN_QUESTION, spoken
from speechsearch.domain.listed_name import LONGEST_NAME, MOST_SPELLINGS, table_of

if TYPE_CHECKING:
    from speechsearch.service.open import Service

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_NAME)]
Name = Annotated[str, Parameter(min_length=1, max_length=LONGEST_NAME, description="as it is written in the list")]
TABLE = {
    "requestBody": {
        "required": True,
        "description": "CSV: a name a line, and in the other columns how it sounds. At most 1 MB.",
        "content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class NameText(BaseModel):
    """A name, and spellings that sound like it."""

    name: Line
    sounds_like: list[Line] = Field(default=[], max_length=MOST_SPELLINGS)


class ImportedBody(BaseModel):
    """What became of a table: how many names are new, how many were there, and which lines could not be used."""

    added: int
    changed: int
    refused: list[str]


class VerdictBody(BaseModel):
    """Whether a name is said in a passage: true, false, or null to forget what was said before."""

    name: Line
    passage_id: UUID
    is_said: bool | None


async def sent(request: Request) -> bytes:
    """Return the body of a request; the security middleware limits its bytes."""
    return await request.body()


def name_routes(service: Service) -> APIRouter:
    """Return the routes below ``/api/v1/names``."""
    router = APIRouter(prefix="/api/v1/names", tags=["names"])

    def body_of(name: str) -> NameBody:
        return NameBody.of(service.names.get(name), service.names.fingerprint)

    @router.get("")
    def names() -> list[NameBody]:
        """Return the list of names."""
        return [NameBody.of(one, service.names.fingerprint) for one in service.names.find()]

    @router.put("")
    def put(text: Annotated[NameText, Body()], request: Request) -> NameBody:
        """Add a name, or say anew how one sounds; for owners."""
        return body_of(service.names.put(text.name, tuple(text.sounds_like), visitor_of(request)).written)

    @router.delete("", status_code=204)
    def remove(name: Name, request: Request) -> None:
        """Remove a name, with what was confirmed and rejected; for owners."""
        service.names.remove(name, visitor_of(request))

    @router.post("/example", openapi_extra=SPOKEN_QUESTION)
    def example(name: Name, sound: Annotated[bytes, Depends(spoken)], request: Request) -> NameBody:
        """Keep how a recorded example of a name sounds, up to 10 s; the sound is not kept; for owners."""
        return body_of(service.names.record(name, sound, visitor_of(request)).written)

    @router.get("/table", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
    def export() -> Response:
        """Return the list as CSV; recorded examples are not in it."""
        headers = {"Content-Disposition": attachment("names", ".csv"), "Cache-Control": "no-store"}
        return Response(table_of(service.names.find()), media_type="text/csv; charset=utf-8", headers=headers)

    @router.post("/table", openapi_extra=TABLE)
    def import_table(content: Annotated[bytes, Depends(sent)], request: Request) -> ImportedBody:
        """Add the names of a CSV file to the list; for owners."""
        found = service.names.import_table(content, visitor_of(request))
        return ImportedBody(added=found.added, changed=found.changed, refused=list(found.refused))

    @router.get("/heard")
    def heard(
        name: Name,
        request: Request,
        k: Annotated[int, Parameter(ge=1, le=100, description="how many passages")] = 20,
        collection: Annotated[str, Parameter(max_length=200, description="only this one")] = "",
    ) -> list[NameHeardBody]:
        """Return the passages in which a name of the list was heard, without those that were rejected."""
        found = service.names_heard.find(name, k, collection, visitor_of(request))
        return [NameHeardBody.of(one) for one in found]

    @router.post("/heard")
    def judge(verdict: VerdictBody, request: Request) -> VerdictBody:
        """Keep that a name is said in a passage, or that it is not; searches go by it; for owners."""
        service.names.judge(verdict.name, str(verdict.passage_id), verdict.is_said, visitor_of(request))
        return verdict

    return router
