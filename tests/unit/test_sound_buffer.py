"""Sound between a socket and who hears it: in order, bounded, and without what is empty."""

from __future__ import annotations

import anyio
import numpy as np
import pytest

from speechsearch.api.sound_buffer import MOST_WAITING_S, SoundBuffer
from speechsearch.domain.errors import TooLongError
from speechsearch.domain.values import SAMPLE_RATE_HZ

SECOND = np.ones(SAMPLE_RATE_HZ, np.float32)


async def nothing(waiting_s: float) -> None:
    """Hears how many seconds wait."""


def test_pieces_come_in_order_and_frames_without_samples_are_not_kept() -> None:
    async def run() -> None:
        buffer = SoundBuffer(60.0, nothing)
        for _ in range(1000):
            await buffer.put(SECOND[:0])
        assert buffer._waiting == []
        await buffer.put(SECOND)
        await buffer.put(2 * SECOND)
        assert buffer.waiting_s == 2.0
        buffer.end()
        (piece,) = [one async for one in buffer.pieces()]
        assert piece.tolist() == [*SECOND, *(2 * SECOND)] and buffer.waiting_s == 0.0

    anyio.run(run)


def test_who_is_ahead_is_told_and_waits_until_some_is_heard() -> None:
    told: list[float] = []

    async def on_ahead(waiting_s: float) -> None:
        told.append(waiting_s)

    async def run() -> None:
        buffer = SoundBuffer(600.0, on_ahead)
        async with anyio.create_task_group() as tasks:
            for _ in range(round(MOST_WAITING_S)):
                await buffer.put(SECOND)
            tasks.start_soon(buffer.put, SECOND)
            await anyio.sleep(0.01)
            assert told == [MOST_WAITING_S] and buffer.waiting_s == MOST_WAITING_S
            await anext(buffer.pieces())
            await anyio.sleep(0.01)
            assert buffer.waiting_s == 1.0

    anyio.run(run)


def test_who_hears_on_while_somebody_is_told_is_not_waited_for() -> None:
    async def run() -> None:
        async def on_ahead(waiting_s: float) -> None:
            await anext(buffer.pieces())  # all is heard before the telling is over

        buffer = SoundBuffer(600.0, on_ahead)
        for _ in range(round(MOST_WAITING_S)):
            await buffer.put(SECOND)
        with anyio.fail_after(5):
            await buffer.put(SECOND)
        assert buffer.waiting_s == 1.0

    anyio.run(run)


def test_what_is_too_long_is_heard_up_to_there() -> None:
    async def run() -> None:
        buffer = SoundBuffer(1.0, nothing)
        await buffer.put(SECOND)
        await buffer.put(SECOND)
        pieces = buffer.pieces()
        assert len(await anext(pieces)) == SAMPLE_RATE_HZ
        with pytest.raises(TooLongError, match="longer than 1 seconds"):
            await anext(pieces)

    anyio.run(run)
