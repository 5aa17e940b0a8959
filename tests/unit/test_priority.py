import os
import sys
import threading

import pytest

from speechsearch.domain.priority import LESS_URGENT, made_less_urgent, make_way

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads have a priority of their own on Linux only")


def own_priority() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_only_the_thread_that_makes_way_does():
    before, seen = own_priority(), list[int]()

    def work() -> None:
        make_way()
        seen.append(own_priority())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert (seen, own_priority()) == ([max(before, LESS_URGENT)], before)


def test_what_is_made_less_urgent_and_the_threads_it_starts_make_way():
    before, seen = own_priority(), list[int]()

    def make() -> str:
        thread = threading.Thread(target=lambda: seen.append(own_priority()))
        thread.start()
        thread.join()
        return "made"

    assert made_less_urgent(make) == "made"
    assert (seen, own_priority()) == ([max(before, LESS_URGENT)], before)


def test_what_fails_there_fails_here():
    def make() -> None:
        raise ValueError("cannot be made")

    with pytest.raises(ValueError, match="cannot be made"):
        made_less_urgent(make)
