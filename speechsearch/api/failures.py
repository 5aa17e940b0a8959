"""How often a login may fail: failures count, by name and address together, and by address alone ten times as many.

So whoever guesses a name's password from elsewhere, or other names' from the same office, locks nobody out.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from speechsearch.api.rate_limit import RateLimit

NAMES_AN_ADDRESS = 10


class Failures:
    """Counts wrong passwords. A permit is taken before a password is tried and given back when it was right.

    >>> failures = Failures(2)
    >>> [failures.begin("ann", "10.0.0.7") > 0 for _ in range(3)]
    [False, False, True]
    >>> failures.begin("bob", "10.0.0.7"), failures.begin("ann", "10.0.0.8"), failures.begin("ann", "10.0.0.7", "ann")
    (0.0, 0.0, 0.0)
    """

    def __init__(self, a_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._names, self._addresses = RateLimit(a_minute, clock), RateLimit(a_minute * NAMES_AN_ADDRESS, clock)

    def begin(self, name: str, address: str, session: str = "") -> float:
        """Return 0 when a password may be tried; otherwise how long to wait, in seconds.

        Args:
            session: whose session the browser has already. For that person, what others get wrong does not count.
        """
        if session == name:
            return self._names.wait_s(f"session {name}")
        wait_s = self._names.wait_s(f"{address} {name}")
        if not wait_s and (wait_s := self._addresses.wait_s(address)):
            self._names.give_back(f"{address} {name}")
        return wait_s

    def forgive(self, name: str, address: str, session: str = "") -> None:
        """Give back what ``begin`` took, because the password was right."""
        if session == name:
            self._names.give_back(f"session {name}")
            return
        self._names.give_back(f"{address} {name}")
        self._addresses.give_back(address)
