"""The page's queue of events, shared out: what one visitor, and one address, may have in it at the same time.

Gradio's queue is one for all and takes the first sixty-four events, whoever sends them.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

from starlette.exceptions import HTTPException

from speechsearch.domain.visitors import Visitor

A_VISITOR = 8
AN_ADDRESS = 24
HEAVY_A_VISITOR = 1
HEAVY_AN_ADDRESS = 3
"""Evaluations and robustness trials, each of which keeps a processor busy for seconds or minutes."""
GRACE_S = 0.5
"""The page sends the next event as soon as it hears of the last one's end, which is before Gradio has put it away."""


def share_queue(queue: Any, heavy: Collection[str]) -> None:
    """Make Gradio's queue refuse events beyond a visitor's share, with status 429.

    Args:
        queue: the queue of a mounted page.
        heavy: the ``concurrency_id`` of the events that are heavy.
    """
    push, joining = queue.push, Counter[tuple[str, str, bool]]()

    async def push_share(body: Any, request: Any, username: str | None) -> Any:
        visitor: Visitor = request.scope["state"]["visitor"]
        function = queue.blocks.fns.get(body.fn_index)
        is_heavy = function is not None and function.concurrency_id in heavy
        until_s = time.monotonic() + GRACE_S
        while True:
            try:
                check_share(joining + Counter(_owners(queue, heavy)), visitor, is_heavy)
                break
            except HTTPException:
                if time.monotonic() > until_s:
                    raise
            await asyncio.sleep(0.02)
        mine = (visitor.visitor_id, visitor.address, is_heavy)
        joining[mine] += 1  # Gradio's own push waits in between
        try:
            return await push(body=body, request=request, username=username)
        finally:
            joining[mine] -= 1

    queue.push = push_share


def check_share(held: Counter[tuple[str, str, bool]], visitor: Visitor, is_heavy: bool) -> None:
    """Refuse one more event of a visitor. ``held``: how many there are of (visitor's id, address, whether heavy).

    Raises:
        HTTPException: 429, when the visitor or the address has its share.

    >>> check_share(Counter({("ann", "::1", True): 1}), Visitor("ann", address="::1"), is_heavy=True)
    Traceback (most recent call last):
        ...
    starlette.exceptions.HTTPException: 429: One evaluation or trial at a time; yours still runs.
    >>> check_share(Counter({("ann", "::1", True): 1}), Visitor("bob", address="::1"), is_heavy=True)
    """
    if is_heavy:
        held = Counter({one: count for one, count in held.items() if one[2]})
    own = sum(count for (who, _, _), count in held.items() if who == visitor.visitor_id)
    here = sum(count for (_, where, _), count in held.items() if where == visitor.address)
    if is_heavy and own >= HEAVY_A_VISITOR:
        raise HTTPException(429, "One evaluation or trial at a time; yours still runs.")
    if own >= A_VISITOR or here >= (HEAVY_AN_ADDRESS if is_heavy else AN_ADDRESS):
        raise HTTPException(429, "Too much is asked for at once. Try again when the answers are there.")


def _owners(queue: Any, heavy: Collection[str]) -> Iterator[tuple[str, str, bool]]:
    """Yield whose the events are that wait or are being answered."""
    waiting = [event for one in queue.event_queue_per_concurrency_id.values() for event in one.queue]
    running = [event for events in queue.active_jobs for event in events or ()]
    for event in (*waiting, *running):
        visitor: Visitor = event.request.scope["state"]["visitor"]
        yield visitor.visitor_id, visitor.address, event.concurrency_id in heavy
