"""Routes about recordings: what is said about them, their passages, their sound and its outline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi import Query as Parameter
from pydantic import BaseModel
from starlette.responses import FileResponse, Response

from speechsearch.api.clip_routes import Download, attachment
from speechsearch.api.collection_routes import DeletedBody, RecordingId
from speechsearch.api.identity import visitor_of
from speechsearch.domain.captions import CaptionFormat
from speechsearch.domain.safe_text import safe_name
from speechsearch.domain.values import Passage, Recording, Transcript
from speechsearch.domain.visitors import shown_name

if TYPE_CHECKING:
    from speechsearch.service.open import Service

Collection = Annotated[str, Parameter(max_length=200, description="only this collection; all when empty")]
Limit = Annotated[int, Parameter(ge=1, le=500, description="how many at most")]
Offset = Annotated[int, Parameter(ge=0, description="how many to pass over")]
RecognizerName = Annotated[
    str, Parameter(max_length=100, description='whose transcript; the first there is when empty, or "given"')
]
Points = Annotated[int, Parameter(ge=1, le=8_000, description="how many heights")]


class RecordingBody(BaseModel):
    """A recording and where its sound is."""

    recording_id: str
    title: str
    collection: str
    duration_s: float
    speaker: str
    date: str
    language: str
    licence: str
    source: str
    file_name: str
    audio_url: str

    @classmethod
    def of(cls, recording: Recording) -> RecordingBody:
        """Return the body of a recording; its collection as people see it."""
        said = {name: getattr(recording, name) for name in cls.model_fields if name != "audio_url"}
        said["collection"] = shown_name(recording.collection)
        return cls(**said, audio_url=f"/api/v1/recordings/{recording.recording_id}/audio")


class RecordingsBody(BaseModel):
    """A page of the recordings, by title, and how many there are."""

    total: int
    recordings: list[RecordingBody]


class WordBody(BaseModel):
    """A recognised word, in seconds from the start of the recording."""

    text: str
    start_s: float
    end_s: float


class PassageBody(BaseModel):
    """A passage with what the recogniser made of it; ``words`` is empty unless they were asked for."""

    passage_id: str
    start_s: float
    end_s: float
    transcript: str
    words: list[WordBody] = []

    @classmethod
    def of(cls, passage: Passage, transcript: Transcript | None, has_words: bool) -> PassageBody:
        """Return the body of a passage."""
        start_s = passage.span.start_s
        return cls(
            passage_id=passage.passage_id,
            start_s=start_s,
            end_s=passage.span.end_s,
            transcript=transcript.text if transcript else "",
            words=[
                WordBody(text=word.text, start_s=round(start_s + word.start_s, 3), end_s=round(start_s + word.end_s, 3))
                for word in (transcript.words if transcript and has_words else ())
            ],
        )


class ChapterBody(BaseModel):
    """A part of a recording, as its author names it."""

    start_s: float
    title: str


class RecordingDetailBody(RecordingBody):
    """A recording with its passages, and the chapters that came with it, in order of time."""

    passages: list[PassageBody]
    chapters: list[ChapterBody]


class PeaksBody(BaseModel):
    """The outline of the waveform: heights from 0 to 255 at equal steps from start to end."""

    duration_s: float
    peaks: list[int]


class NeighboursBody(BaseModel):
    """A passage and the ids of those before and after it in its recording; null at the ends."""

    passage_id: str
    recording_id: str
    start_s: float
    end_s: float
    previous: str | None
    next: str | None


def recording_routes(service: Service) -> APIRouter:
    """Return the routes below ``/api/v1/recordings`` and ``/api/v1/passages``."""
    router = APIRouter(prefix="/api/v1", tags=["recordings"])

    @router.get("/recordings")
    def recordings(
        request: Request, collection: Collection = "", limit: Limit = 50, offset: Offset = 0
    ) -> RecordingsBody:
        """Return recordings by title."""
        found = service.browse.recordings(collection or None, visitor_of(request))
        page = [RecordingBody.of(one) for one in found[offset : offset + limit]]
        return RecordingsBody(total=len(found), recordings=page)

    @router.get("/recordings/{recording_id}")
    def recording(request: Request, recording_id: RecordingId, words: bool = False) -> RecordingDetailBody:
        """Return a recording with its passages and their transcripts; with the times of the words if asked."""
        found = service.browse.recording(recording_id, visitor_of(request))
        said = service.browse.transcribed(recording_id, visitor_of(request))
        passages = [PassageBody.of(passage, transcript, words) for passage, transcript in said]
        parts = service.browse.chapters(recording_id, visitor_of(request))
        chapters = [ChapterBody(start_s=one.start_s, title=one.title) for one in parts]
        return RecordingDetailBody(**RecordingBody.of(found).model_dump(), passages=passages, chapters=chapters)

    @router.delete("/recordings/{recording_id}")
    def delete(request: Request, recording_id: RecordingId) -> DeletedBody:
        """Delete a recording with its sound, passages, vectors and transcripts, and check that nothing is left."""
        return DeletedBody.of(service.manage.delete_recording(recording_id, visitor_of(request)))

    @router.head("/recordings/{recording_id}/audio", response_class=Response, include_in_schema=False)
    @router.get("/recordings/{recording_id}/audio", response_class=FileResponse)
    def sound(request: Request, recording_id: RecordingId, download: Download = False) -> FileResponse:
        """Return the sound of a recording, whole or the asked ranges; the file as it came if it is to be saved."""
        visitor = visitor_of(request)
        if download:
            (found, path), kind = service.browse.media(recording_id, visitor), "application/octet-stream"
        else:
            found, path, kind = service.browse.playable(recording_id, visitor)
        return FileResponse(
            path,
            media_type=kind,
            headers={"Cache-Control": "private, max-age=600"},
            filename=safe_name(found.title, path.suffix),
            content_disposition_type="attachment" if download else "inline",
        )

    @router.get("/recordings/{recording_id}/subtitles", response_class=Response)
    def subtitles(
        request: Request,
        recording_id: RecordingId,
        format: CaptionFormat = "vtt",
        recognizer: RecognizerName = "",
        speakers: bool = False,
    ) -> Response:
        """Return the subtitles of a recording as a file, WebVTT or SubRip; if asked, with the names of who speaks."""
        visitor = visitor_of(request)
        text = service.export.subtitles(recording_id, format, recognizer, visitor, names_speakers=speakers)
        title = service.browse.recording(recording_id, visitor).title
        kind = "text/vtt" if format == "vtt" else "application/x-subrip"
        headers = {"Content-Disposition": attachment(title, f".{format}"), "Cache-Control": "no-store"}
        return Response(text, media_type=f"{kind}; charset=utf-8", headers=headers)

    @router.get("/recordings/{recording_id}/peaks")
    def peaks(request: Request, recording_id: RecordingId, points: Points = 400) -> PeaksBody:
        """Return the outline of a recording's waveform."""
        visitor = visitor_of(request)
        found, heights = service.browse.outline(recording_id, points, visitor)
        return PeaksBody(duration_s=found.duration_s, peaks=heights)

    @router.get("/passages/{passage_id}")
    def passage(request: Request, passage_id: UUID) -> NeighboursBody:
        """Return when a passage is said and which passages are beside it."""
        visitor = visitor_of(request)
        found = service.browse.passage(str(passage_id), visitor)
        ids = [one.passage_id for one in service.browse.passages_of(found.recording_id, visitor)]
        place = ids.index(found.passage_id)
        return NeighboursBody(
            passage_id=found.passage_id,
            recording_id=found.recording_id,
            start_s=found.span.start_s,
            end_s=found.span.end_s,
            previous=ids[place - 1] if place else None,
            next=ids[place + 1] if place + 1 < len(ids) else None,
        )

    return router
