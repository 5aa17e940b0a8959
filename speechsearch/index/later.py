"""What is done when nobody has asked for it for a while, once for all who asked."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class Later:
    """Has some work done in a thread of its own; what fails is logged, and done when it is next asked for."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._changed = threading.Condition()
        self._due_s = self._latest_s = math.inf
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="later", daemon=True)

    def ask(self, rest_s: float, latest_s: float) -> None:
        """Have it done once nobody has asked for so long, or so long after the first who asked at the latest."""
        now_s = time.monotonic()
        with self._changed:
            if self._is_closed:
                return
            self._latest_s = min(self._latest_s, now_s + latest_s)
            self._due_s = min(now_s + rest_s, self._latest_s)
            if self._thread.ident is None:
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Return when what is being done is done; what waits is left. Closing twice is fine."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._is_closed and (wait_s := self._due_s - time.monotonic()) > 0:
                    self._changed.wait(None if wait_s == math.inf else wait_s)
                if self._is_closed:
                    return
                self._due_s = self._latest_s = math.inf  # who asks from now on asks for another time
            try:
                self._work()
            except Exception:
                log.exception("what was to be done later")
