"""How often a visitor may ask: over the page, the routes and the tools alike."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from speechsearch.api.identity import address_of, counted_as, too_many
from speechsearch.api.rate_limit import RateLimit

VISITORS_AN_ADDRESS = 10
"""An office or a school is one address to us."""
ASK_WEIGHT = 5.0
"""A question that is answered costs as much as so many searches: forty passages may be read, three written down."""
PAIRS_WEIGHT = 20.0
"""To look for duplicates is to look for every recording in all others."""
WEIGHTS = {
    "/api/v1/ask": ASK_WEIGHT,
    "/api/v1/similar/duplicates": PAIRS_WEIGHT,
    "/page/similar/duplicates": PAIRS_WEIGHT,
}
COUNTED = (
    "/api/v1/search",
    "/api/v1/compare",
    "/api/v1/ask",
    "/api/v1/understand/",
    "/page/recordings",
    "/api/v1/export",
    "/api/v1/collections/export",
    "/api/v1/feedback",
    "/api/v1/names/",
    "/api/v1/similar/",
    "/page/similar",
    "/page/names/",
    "/page/recordings/",
    "/gradio_api/queue/join",
    "/gradio_api/run/",
    "/gradio_api/upload",
    "/mcp",
    "/v1/audio/",
)


class Throttle:
    """How much each visitor, and ten times as much each address, may still ask."""

    def __init__(self, a_minute: float) -> None:
        self._visitors, self._addresses = RateLimit(a_minute), RateLimit(a_minute * VISITORS_AN_ADDRESS)

    def wait_s(self, scope: Scope, weight: float = 1.0) -> float:
        """Count a question and return 0; when there were too many, return how long to wait, in seconds."""
        return self._visitors.wait_s(counted_as(scope), weight) or self._addresses.wait_s(address_of(scope), weight)


class ThrottleMiddleware:
    """Refuses questions beyond so many a minute."""

    def __init__(self, app: ASGIApp, throttle: Throttle) -> None:
        self.app, self.throttle = app, throttle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        is_counted = scope["type"] == "http" and scope["path"].startswith(COUNTED)
        wait_s = self.throttle.wait_s(scope, WEIGHTS.get(scope["path"], 1.0)) if is_counted else 0.0
        if wait_s:
            answer = too_many("That is more questions than one visitor may ask a minute.", wait_s)
            await answer(scope, receive, send)
            return
        await self.app(scope, receive, send)
