"""Who asks: every request and every event of the page is given a visitor."""

from __future__ import annotations

import re
import secrets
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from speechsearch.visitors import Visitor

COOKIE = "speechsearch_visitor"
_VISITOR_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


def visitor_of(connection: HTTPConnection) -> Visitor:
    """Return the visitor of a request, as the middleware has found it."""
    visitor: Visitor = connection.scope["state"]["visitor"]
    return visitor


class IdentityMiddleware:
    """Gives every request a visitor, remembered by a cookie."""

    def __init__(self, app: ASGIApp, *, is_owner: bool, may_add: bool) -> None:
        self.app, self.is_owner, self.may_add = app, is_owner, may_add

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or WebSocket."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        known = visitor_id(Headers(scope=scope).get("cookie", ""))
        found = known or secrets.token_hex(16)
        scope.setdefault("state", {})["visitor"] = Visitor(found, self.is_owner, self.may_add)

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and not known:
                value = f"{COOKIE}={found}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"
                MutableHeaders(scope=message).append("Set-Cookie", value)
            await send(message)

        await self.app(scope, receive, send_with_cookie)


def visitor_id(cookies: str) -> str:
    """Return the visitor's number in a Cookie header; empty when there is none.

    >>> visitor_id("a=b; speechsearch_visitor=" + "0" * 32) == "0" * 32, visitor_id("speechsearch_visitor=../x")
    (True, '')
    """
    try:
        found = SimpleCookie(cookies).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found is not None and _VISITOR_ID.fullmatch(found.value) else ""
