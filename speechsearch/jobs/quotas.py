"""How much one visitor, and all visitors of one network address, may add: a new cookie does not start anew.

What an address has done is known while the process runs; whose the files are that wait, as long as they wait.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from speechsearch.domain.errors import TooLargeError, TooManyError
from speechsearch.domain.limits import Limits
from speechsearch.domain.visitors import Visitor

AN_ADDRESS = 3
"""Visitors for whom one address counts; an office or a school is one address to us."""
MOST_NEW_VISITORS = 10
"""Visitors of one address who may have collections of their own at the same time."""
MOST_ADDRESSES = 20_000
HOUR_S = 3600.0
ARRIVING = "arriving "


@dataclass(slots=True)
class Held:
    """Uploaded bytes that wait in the queue, paused or not, or still arrive."""

    visitor_id: str
    address: str
    size_bytes: int = 0


class Quotas:
    """Counts jobs and uploaded bytes by visitor and address.

    Args:
        limits: tells what may be.
        clock: the time in seconds.
    """

    def __init__(self, limits: Callable[[], Limits], clock: Callable[[], float] = time.time) -> None:
        self._limits, self._clock, self._lock = limits, clock, threading.Lock()
        self._started: dict[str, deque[tuple[float, str]]] = {}  # address: when a job was started, and whose
        self._held: dict[str, Held] = {}  # by job, or by upload while it arrives

    def check(self, visitor: Visitor) -> None:
        """Refuse one more job of an address that has started its share.

        Raises:
            TooManyError: it has, or too many of its visitors have collections of their own.
        """
        if visitor.sees_all or not visitor.address:
            return
        limits, now_s = self._limits(), self._clock()
        with self._lock:
            started = list(self._started.get(visitor.address, ()))
        if sum(when_s > now_s - HOUR_S for when_s, _ in started) >= AN_ADDRESS * limits.jobs_an_hour:
            raise TooManyError("Too many tasks were started from this address.", "Try again in an hour.")
        others = {who for when_s, who in started if when_s > now_s - limits.visitor_hours * HOUR_S}
        if not visitor.is_owner and len(others - {visitor.visitor_id}) >= MOST_NEW_VISITORS:
            raise TooManyError("Too many visitors of this address have added recordings.", "Try again tomorrow.")

    def count(self, visitor: Visitor) -> None:
        """Note that a visitor has started a job."""
        kept_s = max(HOUR_S, self._limits().visitor_hours * HOUR_S)
        with self._lock:
            started = self._started.pop(visitor.address, deque())
            started.append((self._clock(), visitor.visitor_id))
            while started[0][0] < self._clock() - kept_s:
                started.popleft()
            self._started[visitor.address] = started  # at the end: the address that was quiet longest is first
            if len(self._started) > MOST_ADDRESSES:
                del self._started[next(iter(self._started))]

    def hold(self, job_id: str, visitor: Visitor, size_bytes: int) -> None:
        """Note what waits in a job's folder."""
        with self._lock:
            self._held[job_id] = Held(visitor.visitor_id, visitor.address, size_bytes)

    def release(self, waiting: Collection[str]) -> None:
        """Forget the jobs that do not wait any more."""
        with self._lock:
            self._held = {one: held for one, held in self._held.items() if one in waiting or one.startswith(ARRIVING)}

    @contextmanager
    def arriving(self, upload_id: str, visitor: Visitor) -> Iterator[Callable[[int], None]]:
        """Count an upload while it arrives; to be told of every piece of it, in bytes.

        The function that is given raises TooLargeError when more waits of the visitor, or of the address, than may.
        """
        held, name = Held(visitor.visitor_id, visitor.address), ARRIVING + upload_id

        def arrived(size_bytes: int) -> None:
            held.size_bytes += size_bytes
            if not visitor.is_owner and not visitor.sees_all:
                self._check_held(visitor)

        with self._lock:
            self._held[name] = held
        try:
            yield arrived
        finally:
            with self._lock:
                del self._held[name]

    def _check_held(self, visitor: Visitor) -> None:
        most_bytes = self._limits().waiting_bytes
        with self._lock:
            held = list(self._held.values())
        own_bytes = sum(one.size_bytes for one in held if one.visitor_id == visitor.visitor_id)
        here_bytes = sum(one.size_bytes for one in held if visitor.address and one.address == visitor.address)
        if own_bytes > most_bytes or here_bytes > AN_ADDRESS * most_bytes:
            raise TooLargeError(
                f"More than {most_bytes:,} bytes of one visitor's uploads do not wait here.",
                "Wait until the tasks before are done, or cancel them.",
            )
