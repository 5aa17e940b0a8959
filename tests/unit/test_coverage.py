"""What an engine can search is counted once a version and filter; where counting is slow, not after every change."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from speechsearch.domain.values import Filters
from speechsearch.library import coverage
from speechsearch.library.coverage import CoverageTable
from speechsearch.store.records import Encoding, PassageCount

TALKS = Filters(collections=("talks",))


class Counts:
    """A store that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked, self.found = 0, 3

    def counts(self) -> dict[str, PassageCount]:
        self.asked += 1
        return {"r1": PassageCount("talks", "", "en", self.found, 60.0), "r2": PassageCount("calls", "", "en", 1, 5.0)}

    def encodings(self) -> list[Encoding]:
        return [Encoding("r1", "sound", "maker", 2), Encoding("r2", "sound", "another", 1)]

    def heard(self) -> dict[str, str]:
        return {}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    now_s = [0.0]
    monkeypatch.setattr(coverage.time, "monotonic", lambda: now_s[0])
    yield now_s


def table(counts: Counts) -> CoverageTable:
    store = SimpleNamespace(passages=counts, voices=counts)
    makers = SimpleNamespace(made_by={"sound": "maker"})
    return CoverageTable(SimpleNamespace(store=store, makers=makers, version=1, transcripts_version=1))


def test_it_is_counted_once_for_a_filter_and_anew_after_a_change(clock: list[float]) -> None:
    counts = Counts()
    found = table(counts)
    assert found.of(["sound"], TALKS) is found.of(["sound"], TALKS)
    assert (found.of(["sound"], TALKS).passages, found.of(["sound"], TALKS).of_passages) == (2, 3)
    assert (found.of(["sound"], Filters()).passages, found.of(["sound"], Filters()).of_passages) == (2, 4)
    counts.found, found._library.version = 5, 2
    assert found.of(["sound"], TALKS).of_passages == 5 and counts.asked == 2


def test_an_archive_is_not_counted_after_every_change(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    counts = Counts()
    quick = counts.counts

    def slowly() -> dict[str, PassageCount]:
        clock[0] += 3.0
        return quick()

    monkeypatch.setattr(counts, "counts", slowly)
    found = table(counts)
    found.of(["sound"], TALKS)
    counts.found, found._library.version = 5, 2
    assert found.of(["sound"], TALKS).of_passages == 3
    clock[0] += 3.0 * coverage.PATIENCE
    assert found.of(["sound"], TALKS).of_passages == 5
