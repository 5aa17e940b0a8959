"""Hands tasks to a pool of actors until all are done, whatever dies meanwhile."""

from __future__ import annotations

import heapq
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from cluster.tasks import Answer, Task, set_aside
from ingest.pipeline import FileResult
from speechsearch.domain.errors import IndexUnavailableError, StoreError
from speechsearch.library.second_pass import Unmade
from speechsearch.store import Store

Result = FileResult | Unmade
Done = tuple[Task | None, tuple[Result, ...]]
Value = TypeVar("Value")

MOST_DEATHS = 3
BUSY_AGAIN_S, LOST_AGAIN_S = 2.0, 2.0
PATIENCE_S = 600.0
"""For so long a database or index that is not reached is waited for."""


class Pool(Protocol):
    """Actors that each do one task at a time."""

    @property
    def has_room(self) -> bool: ...  # noqa: D102

    def submit(self, task: Task, holder: str) -> None:
        """Give a task to an idle actor."""

    def next(self, timeout_s: float) -> tuple[str, Answer] | None:
        """Return the holder and the answer of a task that is done; None where none is in time."""


@dataclass(order=True)
class _Waiting:
    """A task that is to be done not before a time."""

    at_s: float
    number: int
    task: Task = field(compare=False)
    recording_id: str = field(compare=False, default="")


class Driver:
    """Hands out tasks. ``store``: has the leases."""

    def __init__(self, pool: Pool, store: Store) -> None:
        self._pool, self._store = pool, store
        self._name, self._number = uuid.uuid4().hex, 0
        self._running: dict[str, Task] = {}
        self._waiting: list[_Waiting] = []
        self._deaths: dict[str, int] = {}
        self._lost_since_s: float | None = None

    def work(self, tasks: Iterator[Task | Result]) -> Generator[Done, None, None]:
        """Yield each task with its results, as it is done; results among the tasks are passed on.

        What an actor died of is tried again, until it is set aside.

        Raises:
            StoreError, IndexUnavailableError: database, index or sound files were not reached for ten minutes.
        """
        is_listed = False
        while True:
            while self._pool.has_room:
                if (ready := self._next_waiting()) is not None:
                    self._submit(ready)
                    continue
                if is_listed:
                    break
                following = next(tasks, None)
                if following is None:
                    is_listed = True
                elif isinstance(following, Task):
                    self._submit(following)
                else:
                    yield None, (following,)
            if is_listed and not self._running and not self._waiting:
                return
            if (found := self._pool.next(0.5)) is not None:
                yield from self._answered(*found)

    def _submit(self, task: Task) -> None:
        self._number += 1
        holder = f"{self._name}-{self._number}"
        self._running[holder] = task
        self._pool.submit(task, holder)

    def _next_waiting(self) -> Task | None:
        """Return a task whose time has come; one that another driver is at waits on."""
        if not self._waiting or self._waiting[0].at_s > time.monotonic():
            return None
        one = heapq.heappop(self._waiting)
        if one.recording_id and self.patiently(lambda: self._store.leases.held([one.recording_id])):
            self._wait(one.task, BUSY_AGAIN_S, one.recording_id)
            return None
        return one.task

    def _wait(self, task: Task, for_s: float, recording_id: str = "") -> None:
        self._number += 1
        heapq.heappush(self._waiting, _Waiting(time.monotonic() + for_s, self._number, task, recording_id))

    def _answered(self, holder: str, answer: Answer) -> Generator[Done, None, None]:
        task = self._running.pop(holder)
        if answer.state == "lost":
            now_s = time.monotonic()
            self._lost_since_s = self._lost_since_s or now_s
            if now_s - self._lost_since_s > PATIENCE_S:
                raise StoreError(answer.message, "What is done is done; run the same command again.")
            self._wait(task, LOST_AGAIN_S)
            return
        self._lost_since_s = None
        if answer.state == "busy":
            self._wait(task, BUSY_AGAIN_S, answer.recording_id)
        elif answer.state == "died":
            self.patiently(lambda: self._store.leases.fail(holder, answer.message))
            deaths = self._deaths[task.name] = self._deaths.get(task.name, 0) + 1
            if deaths <= MOST_DEATHS:  # after so many the actor finds it set aside, unless it died before it looked
                self._wait(replace(task, is_retried=False), 0.0)
            else:
                message = set_aside(task.name, deaths, answer.message)
                yield task, (FileResult(task.name, "failed", task.recording_id, message=message),)
        else:
            yield task, answer.results

    def patiently(self, work: Callable[[], Value]) -> Value:
        """Return what some work gives, done again while the database is not reached."""
        until_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                return work()
            except (StoreError, IndexUnavailableError):
                if time.monotonic() > until_s:
                    raise
                time.sleep(LOST_AGAIN_S)
