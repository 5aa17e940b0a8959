from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from speechsearch.errors import DataFolderInUseError, StoreError
from speechsearch.progress import Progress
from speechsearch.ui.add import AddHandlers
from speechsearch.ui.background import BackgroundRun
from speechsearch.ui.events import events


def test_files_are_added_and_found(service, ingest_files, tone: Path, tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("no sound in here")
    steps = list(AddHandlers(ingest_files).add([str(tone), str(tmp_path / "readme.txt")], "  my   own "))
    assert "Indexing whales_sing_at_night.wav: 0 of 2, 2 s left" in steps[0][0]
    progress, table = steps[-1]
    assert "1 file added, 1 passage more to search." in progress
    assert "1 file could not be used" in progress
    assert table.count("<tr>") == 3
    assert "not readable sound" in table
    assert "my own" in [collection.name for collection in service.collections()]
    from speechsearch.datatypes import Query

    assert service.search(Query("do whales sing")).hits[0].recording.title == "whales_sing_at_night"


@pytest.mark.parametrize(
    ("paths", "collection", "message"),
    [
        (None, "mine", "There are no files to add."),
        ([], "mine", "There are no files to add."),
        (["a.wav"], "  ", "The collection has no name."),
        (["a.wav"], "x" * 81, "longer than 80 characters"),
    ],
)
def test_what_cannot_be_added(ingest_files, paths: list[str] | None, collection: str, message: str) -> None:
    ((progress, table),) = AddHandlers(ingest_files).add(paths, collection)
    assert message in progress
    assert 'role="alert"' in progress
    assert table == ""


def test_an_error_of_the_run_is_shown_beside_what_was_done() -> None:
    def breaks(paths: object, collection: str) -> Iterator[Progress]:
        yield Progress("ingest", "a.wav", 0, 1)
        raise DataFolderInUseError("Process 7 works on the data folder.", "End it first.")

    *_, (progress, _) = AddHandlers(breaks).add(["a.wav"], "mine")
    assert "Process 7 works on the data folder." in progress
    assert "End it first." in progress


def test_events_come_in_order_and_end() -> None:
    def task(report) -> Iterator[int]:
        for number in range(50):
            report(Progress("ingest", str(number), number, 50))
            yield number

    found = list(events(task))
    assert [event for event in found if not isinstance(event, Progress)] == list(range(50))
    done = [event.done for event in found if isinstance(event, Progress)]
    assert done == sorted(done)


def test_events_raise_what_the_task_raises() -> None:
    def task(report) -> Iterator[int]:
        yield 1
        raise StoreError("The disk is full.")

    found = events(task)
    assert next(found) == 1
    with pytest.raises(StoreError, match="disk is full"):
        next(found)


def test_events_stop_the_task_when_nobody_listens() -> None:
    made: list[int] = []
    is_closed = threading.Event()

    def task(report) -> Iterator[int]:
        try:
            for number in range(1_000_000):
                made.append(number)
                yield number
        finally:
            is_closed.set()

    found = events(task)
    assert next(found) == 0
    found.close()
    count = len(made)
    assert count < 1_000_000
    assert is_closed.wait(5)
    assert len(made) == count


def test_background_run_reports_and_ends() -> None:
    said: list[str] = []
    step, is_done = threading.Event(), threading.Event()

    def task() -> Iterator[object]:
        yield Progress("ingest", "a.opus", 34, 66, remaining_s=12.0)
        step.wait(10)
        yield "result"

    background = BackgroundRun("the sample collection", said.append)
    assert background.progress() is None
    background.start(task, is_done.set)
    while (progress := background.progress()) is None or progress.done != 34:
        threading.Event().wait(0.01)
    step.set()
    assert is_done.wait(10)
    background.stop()
    assert background.progress() is None
    assert background.failure() is None
    assert said == ["Indexing the sample collection ...", "Indexed the sample collection."]


def test_background_run_keeps_why_it_failed() -> None:
    done: list[int] = []

    def task() -> Iterator[object]:
        yield Progress("ingest", "a.opus", 1, 66)
        raise StoreError("The disk is full.", "Make room.")

    background = BackgroundRun("the sample collection", lambda line: None)
    background.start(task, lambda: done.append(1))
    background.stop()
    assert str(background.failure()) == "The disk is full. Make room."
    assert done == []


def test_background_run_can_be_stopped() -> None:
    def task() -> Iterator[object]:
        while True:
            yield Progress("ingest", "a.opus", 1, 66)

    done: list[int] = []
    background = BackgroundRun("the sample collection", lambda line: None)
    background.start(task, lambda: done.append(1))
    background.stop(wait_s=10)
    assert background.progress() is None
    assert done == []
