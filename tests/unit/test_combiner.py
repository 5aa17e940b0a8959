"""Questions that wait together: answered in few runs, alone without waiting, errors for all who asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from speechsearch.models.combiner import MOST_TOGETHER, Combiner


class Work:
    """Doubles numbers, and can be held up."""

    def __init__(self) -> None:
        self.runs: list[list[int]] = []
        self.may_go_on = threading.Event()
        self.begun = threading.Event()

    def __call__(self, asked: Sequence[int]) -> list[int]:
        self.runs.append(list(asked))
        self.begun.set()
        assert self.may_go_on.wait(10)
        if -1 in asked:
            raise ValueError("minus one cannot be doubled")
        return [2 * one for one in asked]


def test_who_comes_alone_waits_for_nobody() -> None:
    work = Work()
    work.may_go_on.set()
    assert [Combiner(work, 1)(number) for number in (1, 2, 1)] == [2, 4, 2]
    assert work.runs == [[1], [2], [1]]


def test_those_who_wait_are_answered_together_and_the_same_question_once() -> None:
    work = Work()
    combined = Combiner(work, 1)
    with ThreadPoolExecutor(40) as threads:
        first = threads.submit(combined, 100)
        assert work.begun.wait(10)
        others = [threads.submit(combined, number % 20) for number in range(30)]
        again = threads.submit(combined, 100)
        while len(combined._waiting) < 21 or threads._work_queue.qsize():
            time.sleep(0.001)
        work.may_go_on.set()
        assert [one.result(10) for one in others] == [2 * (number % 20) for number in range(30)]
        assert first.result(10) == again.result(10) == 200
    assert work.runs[0] == [100] and sorted(one for run in work.runs[1:] for one in run) == list(range(20))
    assert [len(run) for run in work.runs[1:]] == [MOST_TOGETHER, 20 - MOST_TOGETHER]


def test_an_error_reaches_all_who_asked_and_the_next_is_answered() -> None:
    work = Work()
    combined = Combiner(work, 1)
    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(combined, 5)
        assert work.begun.wait(10)
        both = [threads.submit(combined, number) for number in (-1, 7)]
        while len(combined._waiting) < 3:
            time.sleep(0.001)
        work.may_go_on.set()
        assert first.result(10) == 10
        for one in both:
            with pytest.raises(ValueError, match="minus one cannot be doubled"):
                one.result(10)
    assert combined(8) == 16
