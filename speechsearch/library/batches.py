"""Passages of sound in groups, read ahead of those who work on them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def batches(items: Iterable[Item], longest_s: float, duration_s: Callable[[Item], float]) -> Iterator[list[Item]]:
    """Yield the items in groups of about ``longest_s`` seconds.

    >>> list(batches([3.0, 4.0, 5.0], 6.0, lambda item: item))
    [[3.0, 4.0], [5.0]]
    """
    group: list[Item] = []
    for item in items:
        group.append(item)
        if sum(map(duration_s, group)) >= longest_s:
            yield group
            group = []
    if group:
        yield group


def ahead(items: Iterator[Item], depth: int = 32) -> Generator[Item, None, None]:
    """Yield the same items, made in a second thread while the first works on those before."""
    waiting: queue.Queue[tuple[Item] | BaseException | None] = queue.Queue(depth)
    is_over = threading.Event()

    def put(value: tuple[Item] | BaseException | None) -> None:
        while not is_over.is_set():
            try:
                waiting.put(value, timeout=0.2)
                return
            except queue.Full:
                continue

    def work() -> None:
        try:
            for item in items:
                put((item,))
                if is_over.is_set():
                    return
            put(None)
        except BaseException as error:  # handed to the other thread, which raises it
            put(error)

    thread = threading.Thread(target=work, name="decode", daemon=True)
    thread.start()
    try:
        while (value := waiting.get()) is not None:
            if isinstance(value, BaseException):
                raise value
            yield value[0]
    finally:
        is_over.set()
        thread.join()
