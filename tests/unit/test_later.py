import logging
import threading
import time

from speechsearch.index.later import Later


def test_it_is_done_once_for_all_who_ask_meanwhile_and_again_for_who_asks_later():
    done, may_go_on = list[float](), threading.Event()

    def work() -> None:
        done.append(time.monotonic())
        assert may_go_on.wait(10)

    later = Later(work)
    for _ in range(5):
        later.ask(0.05, 9)
    until_s = time.monotonic() + 10
    while not done:
        assert time.monotonic() < until_s
        time.sleep(0.01)
    later.ask(0.0, 9)  # while it is done
    may_go_on.set()
    while len(done) < 2:
        assert time.monotonic() < until_s
        time.sleep(0.01)
    later.close()
    later.close()
    later.ask(0.0, 9)
    time.sleep(0.05)
    assert len(done) == 2


def test_it_waits_for_rest_but_not_for_ever():
    done = list[float]()
    later, began_s = Later(lambda: done.append(time.monotonic())), time.monotonic()
    while not done:
        assert time.monotonic() < began_s + 10
        later.ask(5.0, 0.3)
        time.sleep(0.01)
    assert done[0] - began_s >= 0.3
    later.close()


def test_closing_leaves_what_waits():
    done = []
    later = Later(lambda: done.append(1))
    later.ask(3600, 3600)
    later.close()
    assert done == []
    Later(lambda: None).close()


def test_what_fails_is_logged_and_tried_again(caplog):
    tried, again = [], threading.Event()

    def work() -> None:
        tried.append(1)
        if len(tried) == 1:
            raise OSError("no room")
        again.set()

    later = Later(work)
    with caplog.at_level(logging.ERROR):
        later.ask(0.0, 9)
        until_s = time.monotonic() + 10
        while not caplog.records:
            assert time.monotonic() < until_s
            time.sleep(0.01)
    later.ask(0.0, 9)
    assert again.wait(10) and "no room" in caplog.text
    later.close()
