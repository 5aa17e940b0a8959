from __future__ import annotations

import pytest

from speechsearch.domain.errors import TooLargeError, TooManyError
from speechsearch.domain.limits import Limits
from speechsearch.domain.visitors import LOCAL, Visitor
from speechsearch.jobs import quotas
from speechsearch.jobs.quotas import AN_ADDRESS, MOST_NEW_VISITORS, Quotas

HERE, THERE = "10.0.0.7", "10.0.0.8"


def visitor(name: str, address: str = HERE, is_owner: bool = False) -> Visitor:
    return Visitor(name, is_owner=is_owner, may_add=True, address=address)


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_new_cookie_does_not_start_anew() -> None:
    clock = Clock()
    counted = Quotas(lambda: Limits(jobs_an_hour=2), clock)
    for number in range(2 * AN_ADDRESS):
        counted.check(visitor(f"v{number}"))
        counted.count(visitor(f"v{number}"))
    for is_owner in (False, True):
        with pytest.raises(TooManyError, match="tasks were started from this address"):
            counted.check(visitor("one more", is_owner=is_owner))
    counted.check(visitor("one more", THERE))
    counted.check(LOCAL)
    clock.now_s += 3601
    counted.check(visitor("one more"))


def test_an_address_has_so_many_visitors_with_collections_of_their_own() -> None:
    clock = Clock()
    counted = Quotas(lambda: Limits(), clock)
    for number in range(MOST_NEW_VISITORS):
        counted.count(visitor(f"v{number}"))
    clock.now_s += 2 * 3600
    counted.check(visitor("v0"))
    counted.check(visitor("owner", is_owner=True))
    with pytest.raises(TooManyError, match="visitors of this address have added"):
        counted.check(visitor("new"))
    clock.now_s += 23 * 3600
    counted.check(visitor("new"))


def test_bytes_that_wait_or_arrive_count_for_the_visitor_and_the_address() -> None:
    counted = Quotas(lambda: Limits(waiting_bytes=100))
    counted.hold("paused", visitor("ann"), 60)
    with counted.arriving("1", visitor("ann")) as first, counted.arriving("2", visitor("ann")) as second:
        first(20)
        second(20)
        with pytest.raises(TooLargeError, match="More than 100 bytes of one visitor's"):
            second(1)
    with counted.arriving("3", visitor("ann")) as again:
        again(40)
    for number in range(2):
        counted.hold(f"of {number}", visitor(f"v{number}"), 100)
    with counted.arriving("4", visitor("new")) as fourth, pytest.raises(TooLargeError, match="do not wait here"):
        fourth(41)
    with counted.arriving("5", visitor("new", THERE)) as fifth:
        fifth(41)
    with counted.arriving("6", visitor("owner", is_owner=True)) as sixth:
        sixth(10**9)
    counted.release({"of 0"})
    with counted.arriving("7", visitor("new")) as seventh:
        seventh(100)


def test_addresses_that_are_quiet_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "MOST_ADDRESSES", 2)
    counted = Quotas(lambda: Limits(jobs_an_hour=1))
    for address in ("a", "b", "a", "c"):
        counted.count(visitor("ann", address))
    assert list(counted._started) == ["a", "c"]
