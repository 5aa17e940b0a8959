"""The second pass as a job: when it is added, what it waits for, how it is halted, and that a kill costs a batch."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ingest import runners
from speechsearch.domain.assets import ASSETS, SAMPLES
from speechsearch.domain.values import Query
from speechsearch.jobs.queue import CATCH_UP, JobQueue
from speechsearch.service.open import Service
from speechsearch.store import Job
from tests.conftest import copy_data
from tests.tiny.fakes import FakeLoader, FakeRecognizer, open_fakes, take_in

ROOT = Path(__file__).parents[2]
RATE_HZ = 16_000


class Gated(FakeRecognizer):
    """Begins a batch only when it may; ``has_begun`` says that it waits."""

    def __init__(self) -> None:
        super().__init__()
        self.go, self.has_begun = threading.Event(), threading.Event()
        self.batches = 0

    def transcribe(self, sounds, language=None):
        self.batches += 1
        self.has_begun.set()
        assert self.go.wait(20)
        return super().transcribe(sounds, language)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three recordings of 15 s."""
    folder = tmp_path_factory.mktemp("sounds")
    for name in ("s001", "s002", "s003"):
        spoken, _ = soundfile.read(SAMPLES / "audio" / f"{name}.opus", frames=15 * RATE_HZ)
        soundfile.write(folder / f"{name}.wav", spoken, RATE_HZ)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory, sounds: list[Path]) -> Path:
    """A closed data folder with the first two, before the second pass; not to be changed."""
    folder = tmp_path_factory.mktemp("heard") / "data"
    with open_fakes(folder, FakeLoader()) as opened:
        assert take_in(opened, *sounds[:2]) == ["indexed"] * 2
    return folder


@pytest.fixture
def gated(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gated]:
    """A recogniser that waits before every batch of two passages."""
    monkeypatch.setattr("speechsearch.library.second_pass.BATCH_S", 4.0)
    monkeypatch.setattr("speechsearch.library.coverage.LONGEST_KEPT_S", 0.0)
    made = Gated()
    yield made
    made.go.set()


@pytest.fixture
def service(heard: Path, tmp_path: Path, gated: Gated) -> Iterator[Service]:
    with open_fakes(copy_data(heard, tmp_path / "data"), FakeLoader(recognizers=(gated,))) as opened:
        yield opened


@pytest.fixture
def make(service: Service, gated: Gated) -> Iterator[Callable[[], JobQueue]]:
    """Make the queue of a new process over the folder."""
    with ExitStack() as stack:

        def queue() -> JobQueue:
            made = JobQueue(service, runners(service, ASSETS / "samples"))
            stack.callback(made.stop)
            return made

        stack.callback(gated.go.set)
        yield queue
        gated.go.set()


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    until_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(0.01)


def run_out(queue: JobQueue) -> None:
    until(lambda: queue.current() is None)


def upload(queue: JobQueue, path: Path, tmp_path: Path) -> Job:
    kept = tmp_path / f"uploaded {path.name}"
    kept.write_bytes(path.read_bytes())
    return queue.submit_files([(kept, path.name)], "talks")


def kinds(queue: JobQueue) -> list[tuple[str, str]]:
    return [(job.kind, job.state) for job in queue.jobs()]


def written(service: Service) -> int:
    return service.search.find(Query("x"), "asr").coverage.passages


def check_written(service: Service, gated: Gated) -> None:
    """Everything is written down, each passage once."""
    passages = service.store.passages.count()
    assert written(service) == passages == gated.passages
    assert service.manage.missing() == [] == service.browse.differences()


def test_it_follows_when_something_was_taken_in(make, service, gated, sounds, tmp_path) -> None:
    gated.go.set()
    queue = make()
    list(service.manage.catch_up())
    queue.start()
    assert kinds(queue) == []  # nothing is missing at the start
    job = upload(queue, sounds[2], tmp_path)
    until(lambda: queue.job(job.job_id).state == "done")
    run_out(queue)
    until(lambda: kinds(queue) == [("files", "done"), (CATCH_UP, "done")])
    check_written(service, gated)
    again = upload(queue, sounds[2], tmp_path)  # it is there already: nothing new is missing
    until(lambda: queue.job(again.job_id).state == "done")
    run_out(queue)
    assert kinds(queue)[2:] == [("files", "done")]


def test_it_is_added_at_the_start_when_something_is_missing(make, service, gated) -> None:
    gated.go.set()
    queue = make()
    queue.start()
    assert [kind for kind, _ in kinds(queue)] == [CATCH_UP]
    run_out(queue)
    assert kinds(queue) == [(CATCH_UP, "done")]
    check_written(service, gated)


def test_it_waits_for_all_others(make, service, gated, sounds, tmp_path) -> None:
    queue = make()
    queue.catch_up()
    queue.catch_up()
    upload(queue, sounds[2], tmp_path)
    queue.start()
    assert gated.has_begun.wait(20)
    assert kinds(queue) == [(CATCH_UP, "running"), ("files", "done")]
    gated.go.set()
    run_out(queue)
    assert [kind for kind, _ in kinds(queue)] == [CATCH_UP, "files"]
    check_written(service, gated)


def test_it_makes_way_between_batches_and_goes_on(make, service, gated, sounds, tmp_path) -> None:
    queue = make()
    queue.start()
    assert gated.has_begun.wait(20)
    job = upload(queue, sounds[2], tmp_path)
    assert queue.job(job.job_id).state == "queued"
    seen: list[int] = []
    queue.on_done.append(lambda ended: seen.append(written(service)) if ended.kind == "files" else None)
    gated.go.set()
    run_out(queue)
    until(lambda: kinds(queue) == [(CATCH_UP, "done"), ("files", "done")])
    assert 0 < seen[0] < service.store.passages.count()  # one batch was written down before the files came in
    check_written(service, gated)
    assert queue.jobs()[0].crashes == 0


def test_it_is_paused_and_resumed_and_a_search_meanwhile_is_right(make, service, gated, sounds, tmp_path) -> None:
    queue = make()
    queue.start()
    assert gated.has_begun.wait(20)
    (job,) = queue.jobs()
    queue.pause(job.job_id)
    gated.go.set()
    run_out(queue)
    assert queue.job(job.job_id).state == "paused"
    gated.go.clear()
    passages = service.store.passages.count()
    results = service.search.find(Query("x", top_k=99), "asr")
    assert (
        0 < results.coverage.passages == len(results.hits) == gated.passages < passages == results.coverage.of_passages
    )
    assert all(hit.transcript for hit in results.hits)
    sound = service.search.find(Query("x", top_k=99), "hybrid")
    assert sound.coverage.is_whole and len(sound.hits) == passages
    # What comes in while it is paused does not start another.
    come = upload(queue, sounds[2], tmp_path)
    until(lambda: queue.job(come.job_id).state == "done")
    run_out(queue)
    assert kinds(queue) == [(CATCH_UP, "paused"), ("files", "done")]
    gated.go.set()
    queue.resume(job.job_id)
    run_out(queue)
    assert kinds(queue) == [(CATCH_UP, "done"), ("files", "done")]
    check_written(service, gated)


def test_it_is_paused_across_a_restart(make, service, gated) -> None:
    queue = make()
    queue.catch_up()
    (job,) = queue.jobs()
    queue.pause(job.job_id)
    queue.start()
    run_out(queue)
    queue.stop()
    again = make()
    again.start()
    run_out(again)
    assert kinds(again) == [(CATCH_UP, "paused")] and gated.batches == 0


def test_cancelled_it_begins_again_only_when_something_comes_in(make, service, gated, sounds, tmp_path) -> None:
    queue = make()
    queue.start()
    assert gated.has_begun.wait(20)
    queue.cancel(queue.jobs()[0].job_id)
    gated.go.set()
    run_out(queue)
    assert kinds(queue) == [(CATCH_UP, "cancelled")]
    kept = written(service)
    assert 0 < kept < service.store.passages.count()
    queue.stop()
    again = make()
    again.start()
    run_out(again)
    assert kinds(again) == [(CATCH_UP, "cancelled")] and written(service) == kept
    upload(again, sounds[2], tmp_path)
    until(lambda: kinds(again) == [(CATCH_UP, "cancelled"), ("files", "done"), (CATCH_UP, "done")])
    check_written(service, gated)


def test_one_that_ended_the_program_twice_is_not_added_again_at_the_start(make, service, gated) -> None:
    queue = make()
    queue.catch_up()
    (job,) = queue.jobs()
    for _ in range(2):
        service.store.jobs.count_crash(job.job_id)
    service.store.jobs.set_state(job.job_id, "failed", "The program ended 2 times while it worked on this.")
    queue.start()
    run_out(queue)
    assert kinds(queue) == [(CATCH_UP, "failed")] and gated.batches == 0


WRITE = """
import sys
from pathlib import Path
from ingest import runners
from speechsearch.jobs.queue import JobQueue
from speechsearch.library import second_pass
from tests.tiny.fakes import FakeLoader, FakeRecognizer, open_fakes


class Slow(FakeRecognizer):
    def transcribe(self, sounds, language=None):
        found = super().transcribe(sounds, language)
        print("a batch", flush=True)
        sys.stdin.readline()
        return found


second_pass.BATCH_S = 4.0
folder = Path(sys.argv[1])
with open_fakes(folder, FakeLoader(recognizers=(Slow(log=folder / "log"),))) as service:
    queue = JobQueue(service, runners(service, folder))
    queue.start()
    queue.worker.thread.join()
"""


def test_a_killed_process_costs_a_batch_at_most(heard: Path, tmp_path: Path, monkeypatch) -> None:
    data_dir = copy_data(heard, tmp_path / "data")
    with subprocess.Popen(
        [sys.executable, "-c", WRITE, str(data_dir)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        for _ in range(2):  # one is written down when the second has begun
            assert process.stdout.readline() == "a batch\n"
            process.stdin.write("\n")
            process.stdin.flush()
        assert process.stdout.readline() == "a batch\n"
        process.kill()
    monkeypatch.setattr("speechsearch.library.second_pass.BATCH_S", 4.0)
    recognizer = FakeRecognizer(log=data_dir / "log")
    with open_fakes(data_dir, FakeLoader(recognizers=(recognizer,))) as service:
        before = written(service)
        assert 0 < before < service.store.passages.count()
        queue = JobQueue(service, runners(service, ASSETS / "samples"))
        queue.start()
        run_out(queue)
        queue.stop()
        (job,) = queue.jobs()
        assert (job.state, job.crashes) == ("done", 1)
        assert recognizer.passages == service.store.passages.count() - before
        assert service.manage.missing() == [] == service.browse.differences()
        counts = np.array(list(Counter((data_dir / "log").read_text().split("\n")[:-1]).values()))
        assert len(counts) == service.store.passages.count() and (counts - 1).sum() <= 2  # the batch that was killed
