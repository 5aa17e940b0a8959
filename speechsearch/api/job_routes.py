"""Routes that add recordings and watch the queue."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import anyio
from fastapi import APIRouter, Request, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from speechsearch.api.identity import visitor_of
from speechsearch.api.uploads import receive
from speechsearch.domain.errors import InputError, NotFoundError
from speechsearch.domain.progress import Progress
from speechsearch.domain.visitors import shown_name
from speechsearch.service.outward import check_address

if TYPE_CHECKING:
    from speechsearch.jobs.queue import JobQueue
    from speechsearch.service.open import Service
    from speechsearch.store import Job, JobFile

LOOK_EVERY_S = 0.5
SAY_EVERY_S = 15.0
"""How often a WebSocket hears of a job at which nothing changes."""
Descriptions = TypeAdapter(dict[str, dict[str, str]])
UPLOAD_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files", "collection"],
                    "properties": {
                        "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
                        "collection": {"type": "string"},
                        "metadata": {
                            "type": "string",
                            "description": "JSON: file name -> title, speaker, date, language, licence",
                        },
                    },
                }
            }
        },
    }
}


class JobFileBody(BaseModel):
    """What became of one file: indexed, updated, unchanged, duplicate, failed, warning or skipped."""

    name: str
    state: str
    passages: int
    duration_s: float
    message: str


class ProgressBody(BaseModel):
    """How far a job is: what of all is done (of transcripts, passages), seconds of sound a second, time left.

    ``stage``: of the second pass "encode" (sound is encoded anew) or "transcribe".
    """

    stage: str
    name: str
    done: float
    total: float
    rate: float
    remaining_s: float | None
    message: str

    @classmethod
    def of(cls, progress: Progress) -> ProgressBody:
        """Return the body of a progress event."""
        return cls(**{name: getattr(progress, name) for name in cls.model_fields})


class JobBody(BaseModel):
    """A task of the queue: queued, running, paused, done, failed or cancelled."""

    job_id: str
    kind: str
    collection: str
    state: str
    message: str
    created_at: str
    updated_at: str
    progress: ProgressBody | None = None
    files: list[JobFileBody] = []

    @classmethod
    def of(cls, job: Job, progress: Progress | None = None, files: list[JobFile] | None = None) -> JobBody:
        """Return the body of a job."""
        return cls(
            job_id=job.job_id,
            kind=job.kind,
            collection=shown_name(job.collection),
            state=job.state,
            message=job.message,
            created_at=job.created_at,
            updated_at=job.updated_at,
            progress=ProgressBody.of(progress) if progress else None,
            files=[
                JobFileBody(**{name: getattr(one, name) for name in JobFileBody.model_fields}) for one in files or ()
            ],
        )


class DatasetRequest(BaseModel):
    """A dataset of the Hugging Face hub to take in."""

    name: Annotated[str, Field(max_length=200, examples=["google/fleurs"])]
    collection: Annotated[str, Field(max_length=200)]
    split: Annotated[str, Field(max_length=100)] = "train"
    configuration: Annotated[str, Field(max_length=100)] = ""
    audio_column: Annotated[str, Field(max_length=100)] = ""
    limit: Annotated[int | None, Field(ge=1)] = None


class FeedRequest(BaseModel):
    """A podcast feed to take in; ``limit``: only so many episodes, as they come in it, mostly the newest first."""

    url: Annotated[str, Field(max_length=2000, examples=["https://example.org/feed.xml"])]
    collection: Annotated[str, Field(max_length=200)]
    limit: Annotated[int | None, Field(ge=1)] = None


def job_routes(service: Service, jobs: JobQueue) -> APIRouter:
    """Return the routes that take recordings, and those below ``/api/v1/jobs``."""
    router = APIRouter(prefix="/api/v1", tags=["jobs"])

    @router.post("/recordings", status_code=202, openapi_extra=UPLOAD_FORM)
    async def add_recordings(request: Request) -> JobBody:
        """Take audio files and archives into the queue and return the job that will index them."""
        visitor = visitor_of(request)
        length = request.headers.get("content-length", "")
        announced_bytes = int(length) if length.isdecimal() and len(length) < 18 else 0
        await run_in_threadpool(jobs.check, "any", visitor, announced_bytes)
        with jobs.arriving(visitor) as (folder, arrived):
            try:
                upload = await receive(request, folder, service.limits, arrived)
            except ClientDisconnect:
                raise InputError("The upload broke off.", "Send it again.") from None
            descriptions = descriptions_of(upload.value("metadata"))
            collection = upload.value("collection")
            job = await run_in_threadpool(jobs.submit_files, upload.files, collection, visitor, descriptions)
        return JobBody.of(job)

    @router.post("/recordings/dataset", status_code=202)
    def add_dataset(request: Request, dataset: DatasetRequest) -> JobBody:
        """Take a dataset of the Hugging Face hub into the queue; only owners may."""
        options = dataset.model_dump(exclude={"name", "collection"})
        return JobBody.of(jobs.submit_dataset(dataset.name, dataset.collection, visitor_of(request), **options))

    @router.post("/recordings/feed", status_code=202)
    def add_feed(request: Request, feed: FeedRequest) -> JobBody:
        """Take the episodes of a podcast feed (RSS) into the queue; only owners may."""
        visitor = visitor_of(request)
        if visitor.is_owner:
            check_address(feed.url, service.settings.network.hosts)
        return JobBody.of(jobs.submit_feed(feed.url, feed.collection, visitor, feed.limit))

    @router.get("/jobs")
    def list_jobs(request: Request) -> list[JobBody]:
        """Return the tasks in the order in which they came: the visitor's own, an owner's all."""
        return [JobBody.of(*found) for found in jobs.jobs_now(visitor_of(request))]

    @router.get("/jobs/{job_id}")
    def one_job(request: Request, job_id: str) -> JobBody:
        """Return a task with what became of each of its files."""
        visitor = visitor_of(request)
        return JobBody.of(*jobs.job_now(job_id, visitor), jobs.files(job_id, visitor))

    @router.post("/jobs/{job_id}/pause")
    def pause(request: Request, job_id: str) -> JobBody:
        """Halt a task after its current batch."""
        return JobBody.of(jobs.pause(job_id, visitor_of(request)))

    @router.post("/jobs/{job_id}/resume")
    def resume(request: Request, job_id: str) -> JobBody:
        """Let a paused task go on."""
        return JobBody.of(jobs.resume(job_id, visitor_of(request)))

    @router.post("/jobs/{job_id}/cancel")
    def cancel(request: Request, job_id: str) -> JobBody:
        """End a task; what it has taken in stays."""
        return JobBody.of(jobs.cancel(job_id, visitor_of(request)))

    @router.websocket("/jobs/{job_id}/events")
    async def events(websocket: WebSocket, job_id: str) -> None:
        """Send the task as JSON whenever it has changed, until it has ended."""
        visitor = visitor_of(websocket)
        try:
            await run_in_threadpool(jobs.job, job_id, visitor)
        except NotFoundError as error:
            await websocket.close(1008, error.message)
            return
        await websocket.accept()
        said, silent_s = None, 0.0
        try:
            while True:
                job, progress = await run_in_threadpool(jobs.job_now, job_id, visitor)
                body = JobBody.of(job, progress)
                if body != said or silent_s >= SAY_EVERY_S:
                    await websocket.send_json(body.model_dump())
                    said, silent_s = body, 0.0
                if job.has_ended:
                    await websocket.close()
                    return
                await anyio.sleep(LOOK_EVERY_S)
                silent_s += LOOK_EVERY_S
        except (NotFoundError, WebSocketDisconnect):
            return  # the task was removed, or nobody listens any more

    return router


def descriptions_of(metadata: str) -> Mapping[str, Mapping[str, str]]:
    """Return the descriptions of files in the form's JSON; none when it is empty.

    Raises:
        InputError: it is no such JSON.

    >>> descriptions_of('{"a.mp3": {"title": "Opening"}}')
    {'a.mp3': {'title': 'Opening'}}
    """
    if not metadata.strip():
        return {}
    try:
        return Descriptions.validate_python(json.loads(metadata))
    except (ValidationError, ValueError, RecursionError) as error:
        raise InputError(
            "The metadata is not JSON of the form {file: {title: ...}}.", "See /api/openapi.json."
        ) from error
