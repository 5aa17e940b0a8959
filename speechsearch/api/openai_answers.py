"""Answers that take minutes to make: nobody works on for a client that has gone, and streams show that they live."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping
from contextlib import ExitStack
from typing import Any

import anyio
from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

SILENT_S = 15.0
"""A stream that has nothing to say for so long sends a comment, so that no proxy closes it."""
STREAM_HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)

Beside = Callable[[Send], Coroutine[Any, Any, None]]


class LongAnswer(Response):
    """An answer that is made while the client waits; it ends as soon as the client hangs up.

    Args:
        work: makes the answer and sends it.
        held: is let go of at the end, whatever happens: the file that was sent, the place in the queue.
        beside: runs for as long as the work does.
    """

    def __init__(self, work: ASGIApp, held: ExitStack, beside: Beside | None = None) -> None:
        super().__init__()
        self._work, self._held, self._beside = work, held, beside

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Make the answer and send it. What goes wrong in the work is raised as it is."""
        failure: Exception | None = None
        with self._held:
            async with anyio.create_task_group() as group:

                async def watch() -> None:
                    while (await receive())["type"] != "http.disconnect":
                        pass
                    group.cancel_scope.cancel()

                group.start_soon(watch)
                if self._beside is not None:
                    group.start_soon(self._beside, send)
                try:
                    await self._work(scope, receive, send)
                except Exception as error:  # the group would wrap it into a group of errors
                    failure = error
                group.cancel_scope.cancel()
        if failure is not None:
            raise failure


class EventStream:
    """Server-sent events of one answer; the first of them begins it."""

    def __init__(self) -> None:
        self.has_begun = self._has_ended = False
        self._lock = anyio.Lock()

    async def say(self, send: Send, body: BaseModel | Mapping[str, Any]) -> None:
        """Send an event."""
        given = body.model_dump(exclude_none=True) if isinstance(body, BaseModel) else body
        await self._write(send, f"data: {json.dumps(given, ensure_ascii=False)}\n\n")

    async def keep_open(self, send: Send) -> None:
        """Send a comment every now and then."""
        while True:
            await anyio.sleep(SILENT_S)
            await self._write(send, ": still at work\n\n")

    async def end(self, send: Send) -> None:
        """Send that there is no more; a comment that was to come is not sent any more."""
        async with self._lock:
            self._has_ended = True
            await send({"type": "http.response.body", "body": b""})

    async def _write(self, send: Send, text: str) -> None:
        async with self._lock:
            if self._has_ended:
                return
            if not self.has_begun:
                self.has_begun = True
                await send({"type": "http.response.start", "status": 200, "headers": list(STREAM_HEADERS)})
            await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
