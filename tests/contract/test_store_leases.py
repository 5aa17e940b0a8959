"""Leases: one holder at a time, they end by themselves, failures are counted; places say what is done."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import closing

import pytest

from speechsearch.domain.errors import InputError
from speechsearch.store import Claim, Store
from tests.contract.stores import TALK, save, stored_passages

LONG_S = 60.0


def test_a_recording_has_one_holder_until_it_is_released_or_the_time_is_over(store):
    assert store.leases.claim("a", "one", LONG_S) == Claim("held")
    assert store.leases.claim("a", "two", LONG_S) == Claim("busy")
    assert store.leases.claim("a", "one", LONG_S) == Claim("held")
    assert store.leases.held(["a", "b"]) == {"a"}
    store.leases.release("a", "two")
    assert store.leases.claim("a", "two", LONG_S) == Claim("busy")
    store.leases.release("a", "one")
    assert store.leases.entries() == []
    assert store.leases.claim("a", "two", 0.05) == Claim("held")
    time.sleep(0.1)
    assert store.leases.claim("a", "one", LONG_S) == Claim("held")
    assert not store.leases.renew("a", "two", LONG_S)


def test_a_lease_that_is_renewed_goes_on(store):
    store.leases.claim("a", "one", 0.3)
    for _ in range(4):
        time.sleep(0.1)
        assert store.leases.renew("a", "one", 0.3)
    assert store.leases.claim("a", "two", LONG_S).state == "busy"


def test_what_failed_three_times_is_set_aside_until_it_is_forgiven(store):
    for number in range(3):
        assert store.leases.claim("a", f"holder {number}", LONG_S) == Claim(
            "held", number, f"no {number - 1}" * bool(number)
        )
        store.leases.fail(f"holder {number}", f"no {number}")
    assert store.leases.claim("a", "one", LONG_S) == Claim("set aside", 3, "no 2")
    store.leases.forgive("a")
    assert store.leases.claim("a", "one", LONG_S).state == "held"
    store.leases.release("a", "one")
    assert store.leases.claim("a", "one", LONG_S) == Claim("held")


def test_what_is_given_back_is_free_and_counts_as_no_failure(store):
    for holder in ("one", "two", "three", "four"):
        assert store.leases.claim("a", holder, LONG_S) == Claim("held")
        store.leases.give_back(holder)


def test_of_many_who_ask_at_once_one_gets_it(url):
    recordings = [f"r{number}" for number in range(10)]
    got: Counter[str] = Counter()

    def ask(holder: str) -> None:
        with closing(Store(url)) as store:
            start.wait()
            got.update(one for one in recordings if store.leases.claim(one, holder, LONG_S).state == "held")

    start = threading.Barrier(4)
    threads = [threading.Thread(target=ask, args=(f"holder {number}",)) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert got == Counter(recordings)


def test_names_that_cannot_be_kept_are_refused(store):
    with pytest.raises(InputError, match="recording id is empty"):
        store.leases.claim(" ", "one", LONG_S)


def test_places_of_what_is_done_are_known_with_their_version(store):
    save(store, TALK, "talk.mp3", list(stored_passages(TALK, 1)), "cut")
    long = "/srv/" + "x" * 5000 + ".mp3"
    for place in ("/srv/talk.mp3", long):
        store.places.keep(place, "1", TALK.recording_id)
    assert store.places.done(["/srv/talk.mp3"]) == {}  # stored, not in the index yet
    store.journal.mark(TALK.recording_id, "done")
    store.places.keep(long, "2", TALK.recording_id)
    found = store.places.done(["/srv/talk.mp3", long, "/srv/other.mp3"])
    assert found == {"/srv/talk.mp3": ("1", TALK.recording_id), long: ("2", TALK.recording_id)}
    store.leases.claim(TALK.recording_id, "one", LONG_S)
    store.recordings.delete(TALK.recording_id)
    assert (store.places.done([long]), store.leases.entries()) == ({}, [])


def test_a_block_that_is_alone_can_write_meanwhile(store):
    with store.leases.alone():
        store.collections.add("talks")
    assert store.collections.names() == ["talks"]
