"""The WebSocket that understands sound, and the route by which a sound can be sent before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio import CapacityLimiter
from fastapi import APIRouter, Request, WebSocket
from pydantic import BaseModel

from speechsearch.api.identity import counted_as, visitor_of
from speechsearch.api.search_routes import SPOKEN_QUESTION, Spoken
from speechsearch.api.sent_sounds import KEPT_S, SentSounds
from speechsearch.api.throttle import Throttle
from speechsearch.api.transcription_turns import Turns
from speechsearch.api.understand_bodies import ErrorTold
from speechsearch.api.understand_socket import Client, Shared
from speechsearch.domain.errors import SpeechSearchError, TooManyError

if TYPE_CHECKING:
    from speechsearch.service.open import Service

A_VISITOR, AN_ADDRESS, AT_ONCE = 4, 12, 32
"""So many may be connected of one visitor, from one address, and in all."""
IDLE_S = 60.0
AGAIN_LATER = 1013


class UploadBody(BaseModel):
    """What a sound is called until it is understood, and for how long it is kept."""

    upload_id: str
    kept_s: float = KEPT_S


def understand_routes(service: Service, throttle: Throttle, idle_s: float = IDLE_S) -> APIRouter:
    """Return ``/ws/understand`` and ``/api/v1/understand/sounds``.

    ``idle_s``: who sends nothing for so long while nothing is done for him is no longer connected.
    """
    router = APIRouter(tags=["answers"])
    turns, connected = Turns(a_visitor=A_VISITOR, an_address=AN_ADDRESS), CapacityLimiter(AT_ONCE)
    shared = Shared(service.understand, SentSounds(), throttle, turns, CapacityLimiter(AT_ONCE), idle_s)

    @router.post("/api/v1/understand/sounds", status_code=201, openapi_extra=SPOKEN_QUESTION)
    def keep(request: Request, sound: Spoken) -> UploadBody:
        """Keep a sound for a quarter of an hour, to be understood over `/ws/understand`, and return its id."""
        return UploadBody(upload_id=shared.sounds.keep(sound, visitor_of(request)))

    @router.websocket("/ws/understand")
    async def understand(websocket: WebSocket) -> None:
        """Understand sound that is sent, whole or as a stream; the messages are those of docs/understand.md."""
        visitor = visitor_of(websocket)
        client = Client(websocket, visitor, shared)
        await websocket.accept()
        try:
            with turns.place(counted_as(websocket.scope), visitor.address):
                if connected.available_tokens < 1:
                    raise TooManyError("Too many are connected.", "Try again later.")
                async with connected:
                    await client.serve()
        except SpeechSearchError as error:
            await client.tell(ErrorTold.of(error))
            await websocket.close(AGAIN_LATER)

    return router
