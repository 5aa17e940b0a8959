"""Who asks: every request, WebSocket and event of the page is given a visitor, or is sent to the login page."""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
import logging
import re
import secrets
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote

from anyio.to_thread import run_sync
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from speechsearch.api.accounts import Accounts
from speechsearch.api.failures import Failures
from speechsearch.api.security import host_name
from speechsearch.domain.visitors import Visitor

log = logging.getLogger(__name__)

COOKIE = "speechsearch_visitor"
SESSION_COOKIE = "speechsearch_session"
YEAR_S = 31_536_000
_COOKIE_VALUE = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Access:
    """What the settings allow.

    ``is_owner``, ``may_add``: of those who need not log in, or have. ``may_read``: whether others may search.
    ``is_framed``: the page stands in a frame of another site, as on a Space, where browsers keep cookies apart.
    """

    accounts: Accounts
    failures: Failures
    is_owner: bool
    may_add: bool
    may_read: bool
    is_framed: bool = False
    root_path: str = ""

    def cookie(self, name: str, value: str, age_s: float, scheme: str) -> str:
        """Return a Set-Cookie header; scripts cannot read the cookie, other sites cannot send it."""
        site = "SameSite=None; Secure; Partitioned" if self.is_framed else "SameSite=Lax"
        secure = "; Secure" if scheme in ("https", "wss") and not self.is_framed else ""
        return f"{name}={value}; Path={self.root_path or ''}/; Max-Age={int(age_s)}; HttpOnly; {site}{secure}"


def visitor_of(connection: HTTPConnection) -> Visitor:
    """Return the visitor of a request, as the middleware has found it."""
    visitor: Visitor = connection.scope["state"]["visitor"]
    return visitor


def address_of(scope: Scope) -> str:
    """Return what counts as the address of a request; of IPv6, where everybody has many, the network's part.

    >>> address_of({"client": ("10.0.0.7", 5123)}), address_of({"client": None})
    ('10.0.0.7', '')
    >>> address_of({"client": ("2001:db8:1:2:3:4:5:6", 1)}), address_of({"client": ("::ffff:10.0.0.7", 1)})
    ('2001:db8:1:2::/64', '10.0.0.7')
    """
    given: str = scope["client"][0] if scope.get("client") else ""
    if ":" not in given:
        return given
    try:
        address = ipaddress.IPv6Address(given)
    except ValueError:
        return given
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), 64), strict=False))


def is_at_machine(scope: Scope) -> bool:
    """Say whether a request comes from this machine itself, and is not passed on by a proxy on it.

    >>> here = {"client": ("127.0.0.1", 5000), "headers": [(b"host", b"localhost:7860")]}
    >>> passed_on = {**here, "headers": [*here["headers"], (b"x-forwarded-for", b"127.0.0.1")]}
    >>> is_at_machine(here), is_at_machine(passed_on), is_at_machine({**here, "client": ("10.0.0.7", 5000)})
    (True, False, False)
    """
    headers = Headers(scope=scope)
    try:
        is_loopback = ipaddress.ip_address(scope["client"][0] if scope.get("client") else "").is_loopback
    except ValueError:
        return False
    is_direct = not any(name in headers for name in ("x-forwarded-for", "forwarded", "via", "x-real-ip"))
    return is_loopback and is_direct and host_name(headers.get("host", "")) in ("localhost", "127.0.0.1", "[::1]")


def counted_as(scope: Scope) -> str:
    """Return as whose a request is counted: without a cookie each would be a new visitor's, so its address is."""
    visitor: Visitor = scope["state"]["visitor"]
    return f"address {visitor.address}" if scope["state"]["is_new_visitor"] else visitor.visitor_id


class IdentityMiddleware:
    """Gives every request a visitor: a person who has logged in, or a number remembered by a cookie."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access
        self._has_warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or WebSocket."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        access, headers = self.access, Headers(scope=scope)
        self._look_at_proxy(scope, headers)
        state = scope.setdefault("state", {})
        state["person"] = access.accounts.name_of(cookie_of(headers, SESSION_COOKIE))
        if not state["person"] and access.accounts and (given := credentials(headers.get("authorization", ""))):
            refusal = await self._check(given, scope)
            if refusal is not None:
                await _refuse(refusal, scope, receive, send)
                return
            state["person"] = given[0]
        if access.accounts and not state["person"] and not access.may_read and not _is_open(scope):
            await _refuse(self._to_login(scope, headers), scope, receive, send)
            return
        cookie = cookie_of(headers, COOKIE)
        state["is_new_visitor"] = not state["person"] and not _COOKIE_VALUE.fullmatch(cookie)
        if state["is_new_visitor"]:
            cookie = secrets.token_hex(16)
        state["visitor"] = self._visitor(state["person"], cookie, address_of(scope))

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and state["is_new_visitor"]:
                header = access.cookie(COOKIE, cookie, YEAR_S, scope["scheme"])
                MutableHeaders(scope=message).append("Set-Cookie", header)
            await send(message)

        await self.app(scope, receive, send_with_cookie)

    def _look_at_proxy(self, scope: Scope, headers: Headers) -> None:
        """Warn, once, when all visitors seem to come from a proxy that is not believed; they then count as one."""
        # Where it is believed, the server has put the visitor's address in its place, with a port of 0.
        is_believed = not scope.get("client") or scope["client"][1] == 0
        if not self._has_warned and not is_believed and ("x-forwarded-for" in headers or "forwarded" in headers):
            self._has_warned = True
            log.warning(
                "%s says for whom it asks (X-Forwarded-For), but is not believed: everybody behind it counts as one "
                "visitor's address. If it is your proxy, set FORWARDED_ALLOW_IPS=%s.",
                *(scope["client"][0],) * 2,
            )

    def _visitor(self, person: str, cookie: str, address: str) -> Visitor:
        access = self.access
        if person:
            return Visitor(person, access.is_owner, access.may_add, address=address)
        is_free = not access.accounts
        return Visitor(visitor_id(cookie), access.is_owner and is_free, access.may_add and is_free, address=address)

    async def _check(self, given: tuple[str, str], scope: Scope) -> Response | None:
        """Return why a name and password are refused; None when they are right."""
        accounts = self.access.accounts
        if accounts.is_remembered(*given):
            return None
        address = address_of(scope)
        if wait_s := self.access.failures.begin(given[0], address):
            return too_many("Too many wrong passwords.", wait_s)
        if await run_sync(accounts.is_right, *given):
            self.access.failures.forgive(given[0], address)
            return None
        return _unauthorized("The name or the password is wrong.", is_program=True)

    def _to_login(self, scope: Scope, headers: Headers) -> Response:
        if scope["path"] == "/health":
            return JSONResponse({"status": "ok"})  # so much may a load balancer know
        is_page = not scope["path"].startswith(("/api/", "/gradio_api/", "/mcp", "/v1/"))
        if is_page and scope["type"] == "http" and "text/html" in headers.get("accept", ""):
            query = scope["query_string"].decode("latin-1")
            return RedirectResponse(
                f"{self.access.root_path}/login" + (f"?{quote(query, safe='=&%+')}" if query else ""), 303
            )
        return _unauthorized("This needs a login.", is_program="sec-fetch-mode" not in headers)


async def _refuse(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": ""})
    else:
        await response(scope, receive, send)


def _is_open(scope: Scope) -> bool:
    if scope["type"] != "http":
        return False
    is_watched = scope["path"] == "/metrics" and is_at_machine(scope)
    return is_watched or scope["path"].rstrip("/") in ("/login", "/logout", "/health/live", "/health/ready")


def _unauthorized(message: str, is_program: bool) -> Response:
    # Browsers would answer this header with a window of their own.
    headers = {"WWW-Authenticate": 'Basic realm="speechsearch", charset="UTF-8"'} if is_program else {}
    hint = "Log in at /login, or send name and password as HTTP Basic, or name:password as a key."
    return JSONResponse({"code": "login", "message": message, "hint": hint}, 401, headers)


def too_many(message: str, wait_s: float) -> Response:
    """Return the answer to somebody who asks too often; ``detail`` is what Gradio's script shows."""
    seconds = max(1, round(wait_s + 0.5))
    hint = f"Try again in {seconds} s."
    body = {"code": "too_many", "message": message, "hint": hint, "detail": f"{message} {hint}"}
    return JSONResponse(body, 429, {"Retry-After": str(seconds)})


def visitor_id(cookie: str) -> str:
    """Return a visitor's id; the cookie cannot be found from it, so it may stand in the database and in backups.

    >>> visitor_id("0" * 32)
    '84e0c0eafaa95a34c293f278ac52e45c'
    """
    return hashlib.sha256(cookie.encode()).hexdigest()[:32]


def cookie_of(headers: Headers, name: str) -> str:
    """Return the value of a cookie; empty when there is none.

    >>> cookie_of(Headers({"cookie": "a=b; c=d"}), "c"), cookie_of(Headers({}), "c")
    ('d', '')
    """
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found is not None else ""


def credentials(header: str) -> tuple[str, str] | None:
    """Return name and password of an Authorization header: HTTP Basic, or a bearer's key; None when it is neither.

    A key is name:password, or the same in base64, as HTTP Basic has it; that has no colon.

    >>> credentials("Basic YW5uOnRpZGU="), credentials("Bearer ann:a tide"), credentials("Bearer YW5uOnRpZGU=")
    (('ann', 'tide'), ('ann', 'a tide'), ('ann', 'tide'))
    >>> credentials("Bearer sk-x"), credentials("Digest a:b")
    (None, None)
    """
    scheme, _, given = header.partition(" ")
    given = given.strip()
    if scheme.lower() not in ("basic", "bearer"):
        return None
    if scheme.lower() == "bearer" and ":" in given:
        name, _, password = given.partition(":")
        return name, password
    try:
        name, _, password = base64.b64decode(given, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name, password
