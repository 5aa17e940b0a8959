"""Work in steps, in turn with others': while somebody only waits for a language model, nobody else does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import aclosing

import anyio
import pytest

from speechsearch.api.openai_work import in_steps
from speechsearch.domain.answers import Quotes

WAITS_S = 20


@pytest.mark.parametrize("is_waiting", [True, False])
def test_a_language_model_that_is_waited_for_holds_nobody_up(is_waiting: bool) -> None:
    written, order = threading.Event(), list[str]()

    def answer() -> Iterator[object]:
        yield Quotes(()) if is_waiting else "evidence"
        assert written.wait(WAITS_S)
        order.append("written")
        yield "sentence"

    def other() -> Iterator[object]:
        order.append("other")
        yield "done"

    async def ask(piece: anyio.Lock, limiter: anyio.CapacityLimiter, begun: anyio.Event) -> None:
        async with aclosing(in_steps(answer, piece, Quotes, limiter)) as found:
            async for _ in found:
                begun.set()

    async def main() -> None:
        piece, limiter, begun = anyio.Lock(), anyio.CapacityLimiter(1), anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, piece, limiter, begun)
            await begun.wait()
            await anyio.sleep(0.1)
            with anyio.move_on_after(1):
                async with aclosing(in_steps(other, piece)) as found:
                    async for _ in found:
                        pass
            written.set()

    anyio.run(main)
    assert order == (["other", "written"] if is_waiting else ["written"])
