"""Routes about who speaks: the speakers of the library, their names, and whose the voices of recordings are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Request
from fastapi import Path as Part
from pydantic import BaseModel, Field
from starlette.responses import Response

from speechsearch.api.bodies import SpeakerBody
from speechsearch.api.clip_routes import attachment
from speechsearch.api.collection_routes import RecordingId
from speechsearch.api.identity import visitor_of
from speechsearch.domain.speakers import LONGEST_NAME, RecordedSpeakers, RecordedVoice
from speechsearch.domain.values import Recording, Speaker

if TYPE_CHECKING:
    from speechsearch.service.open import Service

VoiceNumber = Annotated[int, Part(ge=1, le=1_000_000, description="the number of a voice in its recording")]
MOST_RECORDINGS = 1_000


class NamedBody(BaseModel):
    """A speaker's name; empty takes it away."""

    name: str = Field(max_length=LONGEST_NAME)


class IntoBody(BaseModel):
    """The speaker who stays when two are merged."""

    into: UUID


class RecordingsOf(BaseModel):
    """Recordings by their ids."""

    recording_ids: list[Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = Field(
        min_length=1, max_length=MOST_RECORDINGS
    )


class OwnerBody(BaseModel):
    """Whose a voice is; null: somebody's who is not known yet."""

    speaker_id: UUID | None = None


class VoiceBody(BaseModel):
    """A voice of a recording and whose it is; ``is_confirmed``: somebody said so, else it was matched by its sound."""

    number: int
    speech_s: float
    is_confirmed: bool
    speaker: SpeakerBody

    @classmethod
    def of(cls, voice: RecordedVoice) -> VoiceBody:
        """Return the body of a voice."""
        return cls(
            number=voice.number,
            speech_s=round(voice.speech_s, 2),
            is_confirmed=voice.is_confirmed,
            speaker=SpeakerBody.of(voice.speaker),
        )


class TurnBody(BaseModel):
    """A stretch in which a voice speaks; ``is_overlap``: another one does too."""

    start_s: float
    end_s: float
    voice: int
    is_overlap: bool


class RecordedSpeakersBody(BaseModel):
    """Who speaks when in a recording; nothing while that was not heard (``is_heard``)."""

    is_heard: bool
    voices: list[VoiceBody]
    turns: list[TurnBody]

    @classmethod
    def of(cls, found: RecordedSpeakers) -> RecordedSpeakersBody:
        """Return the body of what was heard."""
        turns = [
            TurnBody(
                start_s=round(one.span.start_s, 3),
                end_s=round(one.span.end_s, 3),
                voice=one.voice,
                is_overlap=one.is_overlap,
            )
            for one in found.turns
        ]
        return cls(is_heard=found.is_heard, voices=[VoiceBody.of(one) for one in found.voices], turns=turns)


class HeardInBody(BaseModel):
    """A recording in which a speaker is heard, and the voice that is his there."""

    recording_id: str
    title: str
    number: int
    speech_s: float
    is_confirmed: bool

    @classmethod
    def of(cls, recording: Recording, voice: RecordedVoice) -> HeardInBody:
        """Return the body of a recording and a voice."""
        return cls(
            recording_id=recording.recording_id,
            title=recording.title,
            number=voice.number,
            speech_s=round(voice.speech_s, 2),
            is_confirmed=voice.is_confirmed,
        )


class SpeakerDetailBody(SpeakerBody):
    """A speaker with the recordings; ``may_change``: whether who asks may name, merge, split and delete him."""

    may_change: bool
    heard_in: list[HeardInBody]


def speaker_routes(service: Service) -> APIRouter:
    """Return the routes below ``/api/v1/speakers``, and those about the speakers of a recording."""
    router = APIRouter(prefix="/api/v1", tags=["speakers"])

    def body(speaker: Speaker) -> SpeakerBody:
        return SpeakerBody.of(speaker)

    @router.get("/speakers")
    def speakers(request: Request) -> list[SpeakerBody]:
        """Return who is heard in the recordings: named ones by name, then the others by number."""
        return [body(one) for one in service.speakers.all(visitor_of(request))]

    @router.get("/speakers/{speaker_id}")
    def speaker(request: Request, speaker_id: UUID) -> SpeakerDetailBody:
        """Return a speaker, and where he is heard."""
        visitor, key = visitor_of(request), str(speaker_id)
        found = service.speakers.recordings_of(key, visitor)
        return SpeakerDetailBody(
            **body(service.speakers.get(key, visitor)).model_dump(),
            may_change=service.speakers.may_change(key, visitor),
            heard_in=[HeardInBody.of(*one) for one in found],
        )

    @router.patch("/speakers/{speaker_id}")
    def name(request: Request, speaker_id: UUID, change: Annotated[NamedBody, Body()]) -> SpeakerBody:
        """Give a speaker a name, or take it away; for owners. A name that another has is refused: merge them."""
        visitor, key = visitor_of(request), str(speaker_id)
        if change.name.strip():
            return body(service.speakers.name(key, change.name, visitor))
        return body(service.speakers.unname(key, visitor))

    @router.post("/speakers/{speaker_id}/merge")
    def merge(request: Request, speaker_id: UUID, into: Annotated[IntoBody, Body()]) -> SpeakerBody:
        """Say that a speaker and another are one person, who is returned; for owners."""
        return body(service.speakers.merge(str(speaker_id), str(into.into), visitor_of(request)))

    @router.post("/speakers/{speaker_id}/split")
    def split(request: Request, speaker_id: UUID, parted: Annotated[RecordingsOf, Body()]) -> SpeakerBody:
        """Say that a speaker's voices in some recordings are somebody else's, who is returned; for owners."""
        return body(service.speakers.split(str(speaker_id), parted.recording_ids, visitor_of(request)))

    @router.delete("/speakers/{speaker_id}", status_code=204)
    def forget(request: Request, speaker_id: UUID) -> None:
        """Delete a speaker with all voice data; the recordings stay; for owners."""
        service.speakers.forget(str(speaker_id), visitor_of(request))

    @router.get("/recordings/{recording_id}/speakers")
    def recorded(request: Request, recording_id: RecordingId) -> RecordedSpeakersBody:
        """Return who speaks when in a recording."""
        return RecordedSpeakersBody.of(service.speakers.of_recording(recording_id, visitor_of(request)))

    @router.put("/recordings/{recording_id}/speakers/{number}")
    def assign(
        request: Request, recording_id: RecordingId, number: VoiceNumber, owner: Annotated[OwnerBody, Body()]
    ) -> SpeakerBody:
        """Say whose a voice of a recording is, and return that speaker; for owners."""
        key = str(owner.speaker_id) if owner.speaker_id else ""
        return body(service.speakers.assign(recording_id, number, key, visitor_of(request)))

    @router.get("/recordings/{recording_id}/rttm", response_class=Response)
    def rttm(request: Request, recording_id: RecordingId) -> Response:
        """Return who speaks when in a recording as a file of NIST's rich transcription time marks."""
        visitor = visitor_of(request)
        text = service.export.rttm(recording_id, visitor)
        title = service.browse.recording(recording_id, visitor).title
        headers = {"Content-Disposition": attachment(title, ".rttm"), "Cache-Control": "no-store"}
        return Response(text, media_type="text/plain; charset=utf-8", headers=headers)

    return router
