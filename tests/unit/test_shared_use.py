import threading
import time

import pytest

from speechsearch.index.shared_use import SharedUse


def test_blocks_run_beside_each_other():
    shared, both = SharedUse(), threading.Barrier(2, timeout=10)

    def within() -> None:
        with shared.together():
            both.wait()  # breaks unless both are within

    others = [threading.Thread(target=within) for _ in range(2)]
    for one in others:
        one.start()
    for one in others:
        one.join(10)
    assert not both.broken


def test_alone_waits_for_who_is_within_and_keeps_others_out():
    shared, seen = SharedUse(), list[str]()
    is_within, may_leave = threading.Event(), threading.Event()

    def first() -> None:
        with shared.together():
            is_within.set()
            may_leave.wait(10)
            seen.append("first")

    def alone() -> None:
        with shared.alone():
            seen.append("alone begins")
            time.sleep(0.05)
            seen.append("alone ends")

    def late() -> None:
        with shared.together():
            seen.append("late")

    threads = [threading.Thread(target=first)]
    threads[0].start()
    assert is_within.wait(10)
    for one in (alone, late):
        threads.append(threading.Thread(target=one))
        threads[-1].start()
        time.sleep(0.05)
    assert seen == []
    may_leave.set()
    for one in threads:
        one.join(10)
    assert seen == ["first", "alone begins", "alone ends", "late"]


def test_a_block_that_fails_leaves():
    shared = SharedUse()
    with pytest.raises(ValueError, match="within"), shared.together():
        raise ValueError("within")
    with shared.alone():
        pass
