"""One stream of events from a task that reports progress by a callback and results by iteration."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from speechsearch.progress import Progress, ProgressCallback

Result = TypeVar("Result")

_END = object()


def events(start: Callable[[ProgressCallback], Iterable[Result]]) -> Iterator[Progress | Result]:
    """Yield every result and, while one is being made, the newest progress.

    The task runs in a thread of its own. When the caller stops taking, the task ends after its current result.

    >>> def task(report):
    ...     report(Progress("add", "a", 1, 1))
    ...     yield "a"
    >>> list(events(task))[-1]
    'a'
    """
    arrived: queue.SimpleQueue[object] = queue.SimpleQueue()
    stopping = threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for result in start(arrived.put):
                arrived.put(result)
                if stopping.is_set():
                    break
        except BaseException as error:  # it is raised again in the caller's thread
            failures.append(error)
        arrived.put(_END)

    worker = threading.Thread(target=work, name="task-events", daemon=True)
    worker.start()
    try:
        while (event := arrived.get()) is not _END:
            if not isinstance(event, Progress) or arrived.empty():
                yield event  # type: ignore[misc]
    finally:
        stopping.set()
        worker.join()
    if failures:
        raise failures[0]
