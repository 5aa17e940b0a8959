"""What every response carries and which requests are refused before they reach a route."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LONGEST_BODY_BYTES = 8 * 2**20
UPLOADS = ("/gradio_api/upload", "/api/v1/recordings")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_PROXY = re.compile(r"/(file=\s*/*\w+:/|proxy=)", re.IGNORECASE)
"""Gradio would fetch these addresses on behalf of the visitor: an open proxy."""


def content_policy(frame_ancestors: Sequence[str]) -> str:
    """Return a Content-Security-Policy that lets Gradio run and nothing leave the host.

    Gradio starts its page from inline scripts and renders templates with ``Function``, hence the two "unsafe" words.

    >>> "connect-src 'self'" in content_policy(["'self'"])
    True
    """
    return "; ".join(
        (
            "default-src 'self'",
            "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "media-src 'self' data: blob:",
            "connect-src 'self' data: blob:",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            f"frame-ancestors {' '.join(frame_ancestors)}",
        )
    )


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


class SecurityMiddleware:
    """Adds the security headers to every response and refuses what no page of ours would ask for.

    Args:
        frame_ancestors: who may show the page in a frame.
        allowed_hosts: names that a request may be addressed to; any when empty.
        upload_bytes: how long the body of an upload may be.
    """

    def __init__(
        self,
        app: ASGIApp,
        frame_ancestors: Sequence[str] = ("'self'",),
        allowed_hosts: Sequence[str] = (),
        upload_bytes: int = LONGEST_BODY_BYTES,
    ) -> None:
        self.app, self.allowed_hosts = app, frozenset(allowed_hosts)
        self.upload_bytes = max(upload_bytes, LONGEST_BODY_BYTES)
        self.limited = RequestBodyLimitMiddleware(app, LONGEST_BODY_BYTES)
        self.limited_upload = RequestBodyLimitMiddleware(app, self.upload_bytes)
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
        refusal = self._refusal(scope, Headers(scope=scope))
        if scope["type"] == "websocket":
            if refusal is None:
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

        app: ASGIApp = self.limited_upload if scope["path"].startswith(UPLOADS) else self.limited
        await (refusal or app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """Return the answer to a request that is not let in; None for others."""
        if self.allowed_hosts and host_name(headers.get("host", "")) not in self.allowed_hosts:
            # A site could give its own name this machine's address, and its pages would then read what is here.
            return _refused(
                421, "This server does not answer to that name.", "SPEECHSEARCH_SERVER__HOSTS names the others it has."
            )
        is_change = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        if is_change and is_foreign(headers):
            return _refused(403, "A page of another site may change nothing here.")
        if scope["type"] == "http" and _PROXY.search(scope["path"]):
            return _refused(403, "This server does not fetch addresses.")
        length = headers.get("content-length", "0")
        longest = self.upload_bytes if scope["path"].startswith(UPLOADS) else LONGEST_BODY_BYTES
        if not length.isdecimal() or int(length[:20]) > longest:
            return JSONResponse(
                {"code": "too_large", "message": f"More than {longest:,} bytes are not taken at once.", "hint": ""}, 413
            )
        return None


def _refused(status: int, message: str, hint: str = "") -> Response:
    return JSONResponse({"code": "refused", "message": message, "hint": hint}, status)
