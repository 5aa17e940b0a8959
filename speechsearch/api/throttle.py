"""How often a visitor may ask: over the page, the routes and the tools alike."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from speechsearch.api.identity import address_of, counted_as, too_many
from speechsearch.api.rate_limit import RateLimit

VISITORS_AN_ADDRESS = 10
"""An office or a school is one address to us."""
COUNTED = (
    "/api/v1/search",
    "/api/v1/compare",
    "/api/v1/ask",
    "/page/recordings",
    "/api/v1/export",
    "/api/v1/collections/export",
    "/api/v1/feedback",
    "/api/v1/names/",
    "/page/names/",
    "/page/recordings/",
    "/gradio_api/queue/join",
    "/gradio_api/run/",
    "/gradio_api/upload",
    "/mcp",
    "/v1/audio/",
)


class ThrottleMiddleware:
    """Refuses questions beyond so many a minute, by visitor and, ten times as many, by address."""

    def __init__(self, app: ASGIApp, a_minute: int) -> None:
        self.app = app
        self.visitors, self.addresses = RateLimit(a_minute), RateLimit(a_minute * VISITORS_AN_ADDRESS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and scope["path"].startswith(COUNTED):
            wait_s = self.visitors.wait_s(counted_as(scope)) or self.addresses.wait_s(address_of(scope))
            if wait_s:
                await too_many("That is more questions than one visitor may ask a minute.", wait_s)(
                    scope, receive, send
                )
                return
        await self.app(scope, receive, send)
