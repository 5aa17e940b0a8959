"""The Content-Security-Policy of HTML pages: only the scripts run that the server itself has put into them.

A page's inline scripts are named by their hashes, so that one that got in otherwise, through a title or a question,
does not run. Gradio needs 'unsafe-eval' on top: it makes functions of text for event handlers and templates.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Iterable, Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PAGES = {"/": ("'unsafe-eval'", "blob:"), "/api/docs": ()}
"""Path -> what else its scripts need."""
_INLINE = re.compile(r"<script(?![^>]*\ssrc\s*=)[^>]*>(.*?)</script", re.DOTALL | re.IGNORECASE)


def content_policy(frame_ancestors: Sequence[str], scripts: Iterable[str] = ()) -> str:
    """Return a Content-Security-Policy that lets nothing leave the host; ``scripts``: what may run beside its files.

    Gradio sets styles by attribute, hence the one "unsafe" word.

    >>> policy = content_policy(["'self'"])
    >>> "script-src 'self';" in policy, "connect-src 'self'" in policy
    (True, True)
    """
    return "; ".join(
        (
            "default-src 'self'",
            " ".join(("script-src 'self'", *scripts)),
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


def inline_scripts(html: str) -> list[str]:
    """Return the text of a page's inline scripts.

    >>> inline_scripts('<script>a()</script><script src="/b.js"></script><SCRIPT data-x>c()</SCRIPT >')
    ['a()', 'c()']
    """
    return _INLINE.findall(html)


def hash_of(script: str) -> str:
    """Return a script's hash as a policy names it.

    >>> hash_of("alert(1)")
    "'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='"
    """
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


class PagePolicyMiddleware:
    """Names the inline scripts of the pages in their policy.

    ``app.state.page_scripts`` holds those that a page's own scripts put into it.
    """

    def __init__(self, app: ASGIApp, frame_ancestors: Sequence[str]) -> None:
        self.app, self.frame_ancestors = app, tuple(frame_ancestors)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; a page is sent when it is whole, everything else as it comes."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] not in PAGES:
            await self.app(scope, receive, send)
            return
        more, added = PAGES[scope["path"]], getattr(scope["app"].state, "page_scripts", ())
        takes_gzip = "gzip" in Headers(scope=scope).get("accept-encoding", "")
        start: Message = {}
        body = bytearray()

        async def send_whole(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            if message["type"] != "http.response.body":
                await send(message)
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            headers = MutableHeaders(scope=start)
            content = bytes(body)
            if headers.get("content-type", "").startswith("text/html") and "content-security-policy" not in headers:
                scripts = dict.fromkeys(map(hash_of, (*inline_scripts(content.decode("utf-8", "replace")), *added)))
                headers["Content-Security-Policy"] = content_policy(self.frame_ancestors, (*more, *scripts))
                if takes_gzip:
                    content = gzip.compress(content, 6, mtime=0)
                    headers["Content-Encoding"], headers["Vary"] = "gzip", "Accept-Encoding"
                headers["Content-Length"] = str(len(content))
            await send(start)
            await send({"type": "http.response.body", "body": content})

        plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        await self.app({**scope, "headers": plain}, receive, send_whole)
