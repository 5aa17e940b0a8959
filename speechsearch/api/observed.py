"""Every request has an id, is counted, and can have a line in the log; a fault becomes an answer that names it."""

from __future__ import annotations

import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from speechsearch.api.log_lines import REQUEST_ID, request_id
from speechsearch.api.page_policy import PAGES
from speechsearch.domain.counters import ERRORS, OTHERS, REQUEST_SECONDS, REQUESTS, Counters

log = logging.getLogger(__name__)

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
STREAMS = ("/gradio_api/queue/data", "/gradio_api/heartbeat/{session_hash}", "/mcp")
"""Routes whose answers last as long as somebody listens."""
UNEXPECTED = "unexpected"


def pattern_of(scope: Scope) -> str:
    """Return the pattern of the route that has answered, in which nothing is that was sent.

    >>> pattern_of({"path": "/"}), pattern_of({"path": "/api/v1/divorce"})
    ('/', 'other')
    """
    pattern = getattr(scope.get("route"), "path", None)
    return pattern or (scope["path"] if scope["path"] in PAGES else OTHERS)


class ObservedMiddleware:
    """Gives every request an id, which its answer carries as X-Request-Id, and counts it.

    Args:
        has_lines: whether each has a line in the log.
        has_texts: whether that may have the whole address, with what is asked.
    """

    def __init__(self, app: ASGIApp, counters: Counters, has_lines: bool = False, has_texts: bool = False) -> None:
        self.app, self._counters = app, counters
        self._has_lines, self._has_texts = has_lines, has_texts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or WebSocket."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        number, started, status = request_id(Headers(scope=scope).get("x-request-id", "")), time.perf_counter(), 0
        REQUEST_ID.set(number)

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = number
            elif message["type"] == "websocket.accept":
                status = 101
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        finally:
            # 0: nothing was answered, because the client had gone or a WebSocket was refused.
            self._note(scope, str(status), time.perf_counter() - started)

    def _note(self, scope: Scope, status: str, spent_s: float) -> None:
        given = scope.get("method", "WEBSOCKET")
        method, route = given if given in METHODS or scope["type"] == "websocket" else OTHERS, pattern_of(scope)
        self._counters.add(REQUESTS, method=method, route=route, status=status)
        if scope["type"] == "http" and route not in STREAMS:
            self._counters.add(REQUEST_SECONDS, spent_s, route=route)
        if not self._has_lines:
            return
        fields = {"method": method, "route": route, "status": status, "ms": round(spent_s * 1000, 1)}
        if self._has_texts:
            fields["address"] = f"{scope['path']}?{scope['query_string'].decode('latin-1')}"
        log.info("request", extra={"fields": fields})


class FaultMiddleware:
    """Answers a request at which the program failed with 500 and the id under which the log says why."""

    def __init__(self, app: ASGIApp, counters: Counters) -> None:
        self.app, self._counters = app, counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        has_begun = False

        async def send_noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self.app(scope, receive, send_noted)
        except ClientDisconnect:
            return  # its body broke off, or came too slowly; that is no fault of ours
        except Exception as error:  # the door
            self._counters.add(ERRORS, code=UNEXPECTED)
            if has_begun or scope["type"] != "http":
                raise  # the server breaks the connection off, and logs it
            log.error("A request failed.", exc_info=error)
            hint = f"The log says more, under {REQUEST_ID.get()}." if REQUEST_ID.get() else "The log says more."
            body = {"code": UNEXPECTED, "message": "The server failed.", "hint": hint}
            await JSONResponse(body, 500)(scope, receive, send)
