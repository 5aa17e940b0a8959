"""How often somebody may do something: a bucket of permits for each, filled at a steady rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

MOST_KEYS = 20_000


class RateLimit:
    """At most ``a_minute`` permits a minute for each key, and as many at once after a quiet minute.

    >>> now_s = 0.0
    >>> limit = RateLimit(2, clock=lambda: now_s)
    >>> limit.wait_s("ann"), limit.wait_s("ann"), limit.wait_s("ann"), limit.wait_s("bob")
    (0.0, 0.0, 30.0, 0.0)
    >>> now_s = 30.0
    >>> limit.wait_s("ann")
    0.0
    """

    def __init__(self, a_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity, self._a_second, self._clock = max(1.0, a_minute), a_minute / 60.0, clock
        self._left: dict[str, tuple[float, float]] = {}  # key: permits and when they were counted
        self._lock = threading.Lock()

    def wait_s(self, key: str, weight: float = 1.0) -> float:
        """Take a permit and return 0; when there is none, take nothing and return how long to wait, in seconds.

        ``weight``: so many permits, or all that there may be.
        """
        with self._lock:
            now_s, weight = self._clock(), min(weight, self._capacity)
            permits = self._permits(key, now_s)
            if permits >= weight - 1e-9:
                self._left[key] = (permits - weight, now_s)
                if len(self._left) > MOST_KEYS:
                    self._forget(now_s)
                return 0.0
            return (weight - permits) / self._a_second

    def give_back(self, key: str) -> None:
        """Return a permit that was taken for nothing."""
        with self._lock:
            now_s = self._clock()
            self._left[key] = (min(self._capacity, self._permits(key, now_s) + 1.0), now_s)

    def _permits(self, key: str, now_s: float) -> float:
        permits, counted_s = self._left.get(key, (self._capacity, now_s))
        return min(self._capacity, permits + (now_s - counted_s) * self._a_second)

    def _forget(self, now_s: float) -> None:
        """Drop the full buckets, which say nothing; then the oldest half when that was not enough."""
        self._left = {key: value for key, value in self._left.items() if self._permits(key, now_s) < self._capacity}
        if len(self._left) > MOST_KEYS:
            by_age = sorted(self._left.items(), key=lambda item: item[1][1])
            self._left = dict(by_age[len(by_age) // 2 :])
