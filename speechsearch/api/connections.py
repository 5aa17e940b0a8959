"""Clients that are slow: how long the head of a request, its body, and the reading of its answer may take.

The server itself waits for all of them without end, and each holds a connection, of which there are not many. Nobody is
cut off for a slow line: what counts is a client that stands still.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from anyio import move_on_after
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited.

    ``head_s``: for the head of a request, on a new connection and, once it has begun, on a kept one. ``body_s``: for a
    body, and a second more for each ``body_bytes_a_second`` that have come. ``reader_s``: until a client has read some
    of what is ready.
    """

    head_s: float = 20.0
    body_s: float = 30.0
    body_bytes_a_second: float = 1_000.0
    reader_s: float = 60.0


class SlowBodyMiddleware:
    """Answers 408 to who sends a body too slowly; only the time in which nothing was there to be read counts."""

    def __init__(self, app: ASGIApp, patience: Patience) -> None:
        self.app, self._patience = app, patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        waited_s, arrived_bytes = 0.0, 0
        is_whole = is_slow = has_begun = False

        async def receive_in_time() -> Message:
            nonlocal waited_s, arrived_bytes, is_whole, is_slow
            if is_whole or has_begun:
                return await receive()  # then it waits for the client to go
            patience, began_s = self._patience, time.monotonic()
            left_s = patience.body_s + arrived_bytes / patience.body_bytes_a_second - waited_s
            message: Message = {"type": "http.disconnect"}
            with move_on_after(max(0.0, left_s)) as limit:
                message = await receive()
            waited_s += time.monotonic() - began_s
            is_slow = is_slow or limit.cancelled_caught
            arrived_bytes += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            return message

        async def send_unless_slow(message: Message) -> None:
            nonlocal has_begun
            if not is_slow or has_begun:
                has_begun = True
                await send(message)

        try:
            await self.app(scope, receive_in_time, send_unless_slow)
        finally:
            if is_slow and not has_begun:
                message = f"The request's body did not arrive within {waited_s:.0f} s."
                body = {"code": "too_slow", "message": message, "hint": "Send it again."}
                await JSONResponse(body, 408, {"Connection": "close"})(scope, receive, send)


class TimedProtocol(H11Protocol):
    """HTTP as the server speaks it, but with an end to the waiting for heads of requests and for readers."""

    patience = Patience()
    _head: asyncio.TimerHandle | None = None
    _reader: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop("_head", "_reader")
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come; wait on only while the head of a request is not whole."""
        super().data_received(data)
        self._wait_for_head()

    def pause_writing(self) -> None:
        """Begin to wait for the client to read what is ready."""
        super().pause_writing()
        self._reader = self.loop.call_later(self.patience.reader_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on; the client reads."""
        super().resume_writing()
        self._stop("_reader")

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that nobody uses, in a while also one whose last answer is still not read."""
        if self.transport.get_write_buffer_size():
            self.loop.call_later(self.patience.reader_s, self.transport.abort)
        super().timeout_keep_alive_handler()

    def _wait_for_head(self) -> None:
        """Have the connection end in a while unless a request is being answered, or is another protocol's by now."""
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if is_answering or self.transport.get_protocol() is not self:
            self._stop("_head")
        elif self._head is None:
            self._head = self.loop.call_later(self.patience.head_s, self.transport.abort)

    def _stop(self, *timers: str) -> None:
        for name in timers:
            if (timer := getattr(self, name)) is not None:
                timer.cancel()
                setattr(self, name, None)
