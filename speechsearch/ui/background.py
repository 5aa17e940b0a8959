"""A long task in a thread of its own that the page and the terminal can watch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from speechsearch.errors import SpeechSearchError
from speechsearch.progress import Progress

REPORT_EVERY_S = 2.0


class BackgroundRun:
    """Draws the events of a task in a daemon thread and keeps the last progress.

    Args:
        say: gets a line for the terminal at the start, every two seconds and at the end.
    """

    def __init__(self, name: str, say: Callable[[str], None]) -> None:
        self.name = name
        self._say = say
        self._progress: Progress | None = None
        self._failure: SpeechSearchError | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, events: Callable[[], Iterable[object]], on_done: Callable[[], None]) -> None:
        """Begin; ``on_done`` is called when the task has come to its end, not when it was stopped or failed."""
        self._progress = Progress("start", "", 0, 0)
        self._thread = threading.Thread(target=self._draw, args=(events, on_done), name="background-run", daemon=True)
        self._thread.start()

    def stop(self, wait_s: float = 30.0) -> None:
        """End the task after its current event and wait for that."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(wait_s)

    def progress(self) -> Progress | None:
        """Return how far the task is; None when it does not run."""
        return self._progress

    def failure(self) -> SpeechSearchError | None:
        """Return why the task ended early; None when it did not."""
        return self._failure

    def _draw(self, events: Callable[[], Iterable[object]], on_done: Callable[[], None]) -> None:
        from speechsearch.ui.view import progress_words

        said_at = time.monotonic()
        self._say(f"Indexing {self.name} ...")
        try:
            for event in events():
                if self._stopping.is_set():
                    return
                if not isinstance(event, Progress):
                    continue
                self._progress = event
                if time.monotonic() - said_at >= REPORT_EVERY_S:
                    said_at = time.monotonic()
                    self._say(progress_words(event, self.name))
            on_done()
            self._say(f"Indexed {self.name}.")
        except SpeechSearchError as error:
            self._failure = error
            self._say(f"Could not index {self.name}: {error}")
        finally:
            self._progress = None
