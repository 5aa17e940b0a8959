"""Calls that wait at the same time are done together: many questions in one run of a network cost less than alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

Asked = TypeVar("Asked", bound=Hashable)
Answer = TypeVar("Answer")
MOST_TOGETHER = 16


class Combiner(Generic[Asked, Answer]):
    """Does what several threads ask for in as few runs as there can be; who comes alone waits for nobody.

    Args:
        work: answers several questions, in order.
        at_once: so many runs go on beside each other.
    """

    def __init__(self, work: Callable[[Sequence[Asked]], Sequence[Answer]], at_once: int) -> None:
        self._work = work
        self._free = at_once
        self._changed = threading.Condition()
        self._waiting: dict[Asked, _Call[Answer]] = {}

    def __call__(self, asked: Asked) -> Answer:
        """Return the answer to one question. Raises what ``work`` raises, also where it was asked together."""
        with self._changed:
            call = self._waiting.setdefault(asked, _Call())
            while not call.is_done and (call.is_running or not self._free):
                self._changed.wait()
            if call.is_done:
                return call.result()
            chosen = [one for one in self._waiting if not self._waiting[one].is_running][:MOST_TOGETHER]
            if asked not in chosen:
                chosen[-1] = asked
            calls = [self._waiting[one] for one in chosen]
            for one in calls:
                one.is_running = True
            self._free -= 1
        try:
            for one, answer in zip(calls, self._work(chosen), strict=True):
                one.answers.append(answer)
        except BaseException as error:
            for one in calls:
                one.error = error
            raise
        finally:
            with self._changed:
                self._free += 1
                for name, one in zip(chosen, calls, strict=True):
                    one.is_done = True
                    del self._waiting[name]
                self._changed.notify_all()
        return call.result()


class _Call(Generic[Answer]):
    """A question on its way."""

    def __init__(self) -> None:
        self.is_running = self.is_done = False
        self.answers: list[Answer] = []
        self.error: BaseException | None = None

    def result(self) -> Answer:
        if self.error is not None:
            raise self.error
        return self.answers[0]
