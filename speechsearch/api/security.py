"""What every response carries and which requests are refused before they reach a route."""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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


class SecurityMiddleware:
    """Adds the security headers to every response and refuses to fetch addresses for a visitor."""

    def __init__(self, app: ASGIApp, frame_ancestors: Sequence[str] = ("'self'",)) -> None:
        self.app = app
        self.headers = {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",
            "Content-Security-Policy": content_policy(frame_ancestors),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; streams pass through as they are."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self.headers)
            await send(message)

        if _PROXY.search(scope["path"]):
            body = {"code": "refused", "message": "This server does not fetch addresses.", "hint": ""}
            await JSONResponse(body, status_code=403)(scope, receive, send_with_headers)
            return
        await self.app(scope, receive, send_with_headers)
