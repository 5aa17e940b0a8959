"""Routes about what is alike: more like this, a sound's vector, and what is there twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Body, Request
from fastapi import Query as Parameter

from speechsearch.api.identity import visitor_of
from speechsearch.api.search_routes import SPOKEN_QUESTION, Narrowed, Spoken
from speechsearch.api.similar_bodies import (
    DuplicateBody,
    EmbeddingBody,
    PairText,
    SimilarHealthBody,
    SimilarsBody,
)
from speechsearch.domain.alike import Sense

if TYPE_CHECKING:
    from speechsearch.service.open import Service

Count = Annotated[int, Parameter(ge=1, le=100, description="how many answers")]
Track = Annotated[str, Parameter(pattern="^([0-9a-f]{64}|[0-9a-f-]{36})$", description="of a recording or a passage")]
InSense = Annotated[Sense, Parameter(description="alike in which sense: the same recording, the same words, the sound")]
In = Annotated[str, Parameter(max_length=200, description="only this collection; all when empty")]


def similar_routes(service: Service) -> APIRouter:
    """Return the routes below ``/api/v1/similar``."""
    router = APIRouter(prefix="/api/v1/similar", tags=["similar"])
    similar, duplicates = service.similar, service.duplicates

    @router.post("/embed", openapi_extra=SPOKEN_QUESTION)
    def embed(sound: Spoken) -> EmbeddingBody:
        """Return the vector of a sound: what sounds alike has vectors near each other. Nothing is kept."""
        heard = similar.sound(sound)
        vector = similar.embed(heard)
        made_by = service.library.makers.embedded_by
        return EmbeddingBody(vector=vector.tolist(), dim=len(vector), made_by=made_by, duration_s=heard.duration_s)

    @router.get("/search")
    def search(
        request: Request, track_id: Track, filters: Narrowed, k: Count = 5, sense: InSense = "recording"
    ) -> SimilarsBody:
        """Return what is like a recording or a passage, best first."""
        return SimilarsBody.of(similar.of_track(track_id, sense, k, filters, visitor_of(request)))

    @router.post("/search_by_audio", openapi_extra=SPOKEN_QUESTION)
    def search_by_audio(
        request: Request, sound: Spoken, filters: Narrowed, k: Count = 5, sense: InSense = "recording"
    ) -> SimilarsBody:
        """Return what is like a sound that is sent, best first. The sound is not kept."""
        return SimilarsBody.of(similar.of_sound(similar.sound(sound), sense, k, filters, visitor_of(request)))

    @router.get("/health")
    def health(request: Request) -> SimilarHealthBody:
        """Return in which senses something can be found, and in how much of what who asks may see."""
        recordings, sounding, windows = similar.counts(visitor_of(request))
        return SimilarHealthBody(
            senses=list(similar.senses()),
            embedder=service.library.makers.embedded_by,
            recordings=recordings,
            sounding=sounding,
            windows=windows,
        )

    @router.get("/duplicates")
    def pairs(request: Request, collection: In = "") -> list[DuplicateBody]:
        """Return the recordings that are there twice, whole or in part, without those that are to stay."""
        return [DuplicateBody.of(one) for one in duplicates.find(collection, visitor_of(request))]

    @router.post("/duplicates", status_code=204)
    def judge(said: Annotated[PairText, Body()], request: Request) -> None:
        """Keep that both recordings of a pair are to stay; for who may change them."""
        duplicates.judge(said.first, said.second, said.verdict, visitor_of(request))

    return router
