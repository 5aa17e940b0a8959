"""What every response carries and which requests are refused before they reach a route."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from speechsearch.api.doors import WEBSOCKET, Door, door_of
from speechsearch.api.page_policy import content_policy

SAFE_METHODS = ("GET", "HEAD")


def host_name(host: str) -> str:
    """Return the name in a Host header, in small letters and without the port.

    >>> host_name("LocalHost:7860"), host_name("[::1]:7860"), host_name("example.org")
    ('localhost', '[::1]', 'example.org')
    """
    return re.sub(r":\d*$", "", host.strip().lower())


def is_foreign(headers: Headers) -> bool:
    """Say whether a browser sends a request for a page of another site; programs say nothing and are none.

    >>> is_foreign(Headers({"sec-fetch-site": "cross-site"})), is_foreign(Headers({"sec-fetch-site": "same-origin"}))
    (True, False)
    >>> is_foreign(Headers({"host": "a.org:80", "origin": "http://a.org:80"})), is_foreign(Headers({"origin": "null"}))
    (False, True)
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None:
        return False
    return origin == "null" or urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


@dataclass(frozen=True, slots=True)
class Hosts:
    """The names under which a server may be addressed; ``has_numbers``: by any IP address, too."""

    names: frozenset[str]
    has_numbers: bool = False

    def answers_to(self, host: str) -> bool:
        """Say whether a request with this Host header is for this server.

        >>> ours = Hosts(frozenset({"tower"}), has_numbers=True)
        >>> [ours.answers_to(host) for host in ("Tower:7860", "192.168.1.7:7860", "[fe80::1]", "evil.org", "")]
        [True, True, True, False, False]
        """
        name = host_name(host)
        if name in self.names or not self.has_numbers:
            return name in self.names
        try:
            ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return True


class SecurityMiddleware:
    """Adds the security headers to every response and refuses what is not among the doors.

    Args:
        open_doors: the requests that are let in.
        frame_ancestors: who may show the page in a frame.
        allowed_hosts: what a request may be addressed to; anything when None.
    """

    def __init__(
        self,
        app: ASGIApp,
        open_doors: Sequence[Door],
        frame_ancestors: Sequence[str] = ("'self'",),
        allowed_hosts: Hosts | None = None,
    ) -> None:
        self.app, self.allowed_hosts, self.doors = app, allowed_hosts, tuple(open_doors)
        self.headers = {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        if tuple(frame_ancestors) == ("'self'",):
            self.headers["X-Frame-Options"] = "SAMEORIGIN"
        self.policy = content_policy(frame_ancestors)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; streams pass through as they are."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        found = self._door(scope, Headers(scope=scope))
        if scope["type"] == "websocket":
            if isinstance(found, Door):
                await self.app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008, "reason": ""})
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self.headers)
                headers.setdefault("Content-Security-Policy", self.policy)
                # Gradio lets every site read what a visitor sees; this page serves itself and programs only.
                for name in ("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"):
                    del headers[name]
            await send(message)

        if isinstance(found, Door):
            await answer_limited(self.app, found.longest_body_bytes, scope, receive, send_with_headers)
        else:
            await found(scope, receive, send_with_headers)

    def _door(self, scope: Scope, headers: Headers) -> Door | Response:
        """Return the door that a request goes through, or the answer to one that is not let in."""
        if self.allowed_hosts is not None and not self.allowed_hosts.answers_to(headers.get("host", "")):
            # A site could give its own name this machine's address, and its pages would then read what is here.
            return _refused(
                421, "This server does not answer to that name.", "SPEECHSEARCH_SERVER__HOSTS names the others it has."
            )
        door = door_of(scope.get("method", WEBSOCKET), scope["path"], self.doors)
        if door is None:
            return _refused(403, "This server has no such door.", "/api/docs lists those for programs.")
        is_change = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        if is_change and is_foreign(headers):
            return _refused(403, "A page of another site may change nothing here.")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length[:20]) > door.longest_body_bytes:
            return _too_large(door.longest_body_bytes)
        return door


async def answer_limited(app: ASGIApp, longest_bytes: int, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request, but with 413 as soon as its body proves to be too long, whatever the route makes of that."""
    read_bytes, is_over, has_begun = 0, False, False

    async def counted() -> Message:
        nonlocal read_bytes, is_over
        message = await receive()
        read_bytes += len(message.get("body", b""))
        is_over = read_bytes > longest_bytes
        if is_over:
            raise HTTPException(413)
        return message

    async def send_unless_over(message: Message) -> None:
        nonlocal has_begun
        if has_begun or not is_over:
            has_begun = True
            await send(message)

    try:
        await app(scope, counted, send_unless_over)
    except HTTPException:
        if not is_over:
            raise
    if is_over and not has_begun:
        await _too_large(longest_bytes)(scope, receive, send)


def _too_large(longest_bytes: int) -> Response:
    message = f"More than {longest_bytes:,} bytes are not taken at once."
    return JSONResponse({"code": "too_large", "message": message, "hint": ""}, 413)


def _refused(status: int, message: str, hint: str = "") -> Response:
    return JSONResponse({"code": "refused", "message": message, "hint": hint}, status)
