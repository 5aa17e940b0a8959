"""Routes about collections: what there is, making, changing and deleting them, and the map of their passages.

Names go into ``?name=``, because a name may hold slashes and dots.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Request
from fastapi import Query as Parameter
from pydantic import BaseModel, ConfigDict, StringConstraints
from starlette.responses import StreamingResponse

from speechsearch.api.bodies import CollectionBody
from speechsearch.api.clip_routes import attachment
from speechsearch.api.identity import visitor_of
from speechsearch.domain.visitors import shown_name

if TYPE_CHECKING:
    from speechsearch.domain.values import Recording
    from speechsearch.jobs.queue import JobQueue
    from speechsearch.library.maps import PassageMap
    from speechsearch.library.removal import Deleted
    from speechsearch.service.open import Service

Name = Annotated[str, Parameter(min_length=1, max_length=200, description="the collection's name, as in the list")]
RecordingId = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]
Prose = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)]


class Change(BaseModel):
    """Fields that are overwritten; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    def given(self) -> dict[str, str]:
        """Return the fields that the request has."""
        return {name: value for name, value in self if name in self.model_fields_set and value is not None}


class CollectionText(Change):
    """What is said about a new collection."""

    name: Line
    description: Prose = ""
    licence: Line = ""
    source: Line = ""


class CollectionChange(Change):
    """What is to be said about a collection; another ``name`` renames it."""

    name: Line | None = None
    description: Prose | None = None
    licence: Line | None = None
    source: Line | None = None


class RecordingChange(Change):
    """What is to be said about a recording."""

    title: Line | None = None
    speaker: Line | None = None
    date: Line | None = None
    language: Line | None = None
    licence: Line | None = None
    source: Line | None = None


class DescriptionBody(BaseModel):
    """What is said about a recording."""

    recording_id: str
    collection: str
    title: str
    speaker: str
    date: str
    language: str
    licence: str
    source: str

    @classmethod
    def of(cls, recording: Recording) -> DescriptionBody:
        """Return the body of a recording; its collection as people see it."""
        said = {name: getattr(recording, name) for name in cls.model_fields}
        return cls(**said | {"collection": shown_name(recording.collection)})


class DeletedBody(BaseModel):
    """What a deletion removed, and what a check found of it afterwards; nothing is left when ``leftovers`` is empty."""

    recordings: int
    passages: int
    media_bytes: int
    leftovers: list[str]

    @classmethod
    def of(cls, gone: Deleted) -> DeletedBody:
        """Return the body of a deletion."""
        return cls.model_validate(asdict(gone))


class MapRecordingBody(BaseModel):
    """A recording on a map."""

    recording_id: str
    title: str
    speaker: str


class MapPointBody(BaseModel):
    """A passage on a map; ``recording`` is the place of its recording in the map's list."""

    passage_id: str
    recording: int
    start_s: float
    end_s: float
    x: float
    y: float


class MapBody(BaseModel):
    """The two principal axes of a collection's passages; ``points`` are all of them or an even sample."""

    passages: int
    variance_share: float
    recordings: list[MapRecordingBody]
    points: list[MapPointBody]

    @classmethod
    def of(cls, drawn: PassageMap) -> MapBody:
        """Return the body of a map."""
        places = {recording_id: place for place, recording_id in enumerate(drawn.recordings)}
        return cls(
            passages=drawn.passages,
            variance_share=round(drawn.variance_share, 4),
            recordings=[
                MapRecordingBody(recording_id=one.recording_id, title=one.title, speaker=one.speaker)
                for one in drawn.recordings.values()
            ],
            points=[
                MapPointBody(
                    passage_id=point.passage.passage_id,
                    recording=places[point.passage.recording_id],
                    start_s=point.passage.span.start_s,
                    end_s=point.passage.span.end_s,
                    x=round(point.x, 4),
                    y=round(point.y, 4),
                )
                for point in drawn.points
            ],
        )


def collection_routes(service: Service) -> APIRouter:
    """Return the routes below ``/api/v1/collections``, and the one that describes a recording."""
    router = APIRouter(prefix="/api/v1", tags=["collections"])

    def body_of(key: str, request: Request) -> CollectionBody:
        (found,) = [one for one in service.browse.collections(visitor_of(request)) if one.name == key]
        return CollectionBody.of(found)

    @router.get("/collections")
    def collections(request: Request) -> list[CollectionBody]:
        """Return all collections and how much they hold."""
        return [CollectionBody.of(collection) for collection in service.browse.collections(visitor_of(request))]

    @router.post("/collections", status_code=201)
    def create_collection(text: CollectionText, request: Request) -> CollectionBody:
        """Make an empty collection."""
        visitor = visitor_of(request)
        return body_of(
            service.manage.create_collection(text.name, text.description, text.licence, text.source, visitor), request
        )

    @router.patch("/collections")
    def change_collection(name: Name, change: CollectionChange, request: Request) -> CollectionBody:
        """Rename a collection, or change what is said about it."""
        given = change.given()
        new_name = given.pop("name", "")
        return body_of(service.manage.change_collection(name, given, new_name, visitor_of(request)), request)

    @router.delete("/collections")
    def delete_collection(name: Name, request: Request) -> DeletedBody:
        """Delete a collection with all its recordings, and check that nothing is left."""
        return DeletedBody.of(service.manage.delete_collection(name, visitor_of(request)))

    @router.get("/collections/export", response_class=StreamingResponse)
    def export_collection(name: Name, request: Request) -> StreamingResponse:
        """Return a collection as a ZIP (BagIt) of its sound, metadata and transcripts, which can be added again."""
        shown, chunks = service.export.zip_of(name, visitor_of(request))
        headers = {"Content-Disposition": attachment(shown, ".zip"), "Cache-Control": "no-store"}
        return StreamingResponse(chunks, media_type="application/zip", headers=headers)

    @router.get("/collections/map")
    def collection_map(name: Name, request: Request) -> MapBody:
        """Return where the passages of a collection lie in a picture; near ones are about similar things."""
        return MapBody.of(service.browse.map_of(name, visitor_of(request)))

    @router.patch("/recordings/{recording_id}")
    def change_recording(recording_id: RecordingId, change: RecordingChange, request: Request) -> DescriptionBody:
        """Change what is said about a recording."""
        return DescriptionBody.of(service.manage.change_recording(recording_id, change.given(), visitor_of(request)))

    return router


def reindex_routes(jobs: JobQueue) -> APIRouter:
    """Return the route that makes the index anew."""
    router = APIRouter(prefix="/api/v1", tags=["collections"])

    @router.post("/reindex", status_code=202)
    def reindex(request: Request) -> dict[str, str]:
        """Make the index anew with the present models, as a job; for owners."""
        return {"job_id": jobs.submit("reindex", visitor=visitor_of(request)).job_id}

    return router
