"""Sound between a socket and who hears it: bounded, so that a client that sends faster than is heard has to wait."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.errors import TooLongError
from speechsearch.domain.values import SAMPLE_RATE_HZ

PIECE_S = 0.5
"""So much is waited for before it is heard."""
MOST_WAITING_S = 20.0
TOLD_EVERY_S = 5.0


class SoundBuffer:
    """Samples in order. All on one event loop.

    Args:
        longest_s: so much may come in all.
        on_ahead: is told how many seconds wait when there is no room for more.
    """

    def __init__(self, longest_s: float, on_ahead: Callable[[float], Awaitable[None]]) -> None:
        self.longest_s, self._on_ahead = longest_s, on_ahead
        self._waiting: list[NDArray[np.float32]] = []
        self._waiting_samples = 0
        self._total_s = 0.0
        self._changed = anyio.Event()
        self._is_over = self._is_closed = False
        self._error: Exception | None = None
        self._told_at_s = -TOLD_EVERY_S

    @property
    def waiting_s(self) -> float:
        """How much waits to be heard, in seconds."""
        return self._waiting_samples / SAMPLE_RATE_HZ

    @property
    def is_open(self) -> bool:
        """Whether more may come."""
        return not (self._is_over or self._is_closed)

    async def put(self, samples: NDArray[np.float32]) -> None:
        """Add samples (n,) float32, when there is room; what comes after the end, or too late, is dropped."""
        while self.waiting_s >= MOST_WAITING_S and not self._is_closed:
            changed = self._changed  # what changes while somebody is told counts, too
            if time.monotonic() - self._told_at_s >= TOLD_EVERY_S:
                self._told_at_s = time.monotonic()
                await self._on_ahead(self.waiting_s)
            await changed.wait()
        if not self.is_open or not len(samples):
            return
        self._total_s += len(samples) / SAMPLE_RATE_HZ
        if self._total_s > self.longest_s:
            longest = f"{self.longest_s:g}"
            self.end(TooLongError(f"The stream is longer than {longest} seconds.", "End it earlier, and begin anew."))
            return
        self._waiting.append(samples)
        self._waiting_samples += len(samples)
        self._change()

    def end(self, error: Exception | None = None) -> None:
        """Say that nothing more comes; what waits is heard, and then the error is raised, if there is one."""
        self._is_over, self._error = True, self._error or error
        self._change()

    def close(self) -> None:
        """Say that nobody listens any more."""
        self._waiting, self._waiting_samples, self._is_closed = [], 0, True
        self._change()

    async def pieces(self) -> AsyncIterator[NDArray[np.float32]]:
        """Yield what has come in, all of it at once, until the end. Raises what ``end`` was given."""
        while True:
            while self.waiting_s < PIECE_S and not self._is_over:
                await self._changed.wait()
            if not self._waiting:
                if self._error is not None:
                    raise self._error
                return
            piece, self._waiting, self._waiting_samples = np.concatenate(self._waiting), [], 0
            self._change()
            yield piece

    def _change(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
