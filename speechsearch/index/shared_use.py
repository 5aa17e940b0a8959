"""A thing that many threads use at once, until one of them puts another in its place."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class SharedUse:
    """Lets blocks of several threads run at the same time, and a block that has to be alone wait for their end.

    Who comes while one waits to be alone waits, too. A thread takes it once at a time.
    """

    def __init__(self) -> None:
        self._door = threading.Lock()
        self._changed = threading.Condition()
        self._within = 0

    @contextmanager
    def together(self) -> Iterator[None]:
        """Run a block beside others."""
        with self._door, self._changed:
            self._within += 1
        try:
            yield
        finally:
            with self._changed:
                self._within -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Run a block while no other runs."""
        with self._door:
            with self._changed:
                self._changed.wait_for(lambda: not self._within)
            yield
