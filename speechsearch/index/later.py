"""What is done a while after it was asked for, once for all who asked meanwhile."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class Later:
    """Has some work done in a thread of its own; what fails is logged, and done when it is next asked for."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._changed = threading.Condition()
        self._wait_s: float | None = None
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="later", daemon=True)

    def ask(self, wait_s: float) -> None:
        """Have it done after so many seconds, unless it waits already."""
        with self._changed:
            if self._wait_s is None and not self._is_closed:
                self._wait_s = wait_s
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
                self._changed.wait_for(lambda: self._is_closed or self._wait_s is not None)
                self._changed.wait_for(lambda: self._is_closed, self._wait_s)
                if self._is_closed:
                    return
                self._wait_s = None  # who asks from now on asks for another time
            try:
                self._work()
            except Exception:
                log.exception("what was to be done later")
