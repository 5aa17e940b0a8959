"""The queue over the real service and a short recording, with runners that do next to nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import (
    InputError,
    NotAllowedError,
    NotFoundError,
    StoreError,
    TooLongError,
    TooManyError,
)
from speechsearch.domain.progress import Progress
from speechsearch.domain.visitors import LOCAL, Visitor
from speechsearch.jobs.queue import CATCH_UP, JobQueue
from speechsearch.service.open import Service
from speechsearch.store import Job, JobFile
from tests.conftest import copy_data
from tests.tiny.fakes import FakeLoader, open_fakes, take_in

ANN, BOB = Visitor("ann", may_add=True), Visitor("bob", may_add=True)
STEPS = 40


class Steps:
    """A task of many small steps; ``go`` lets it go on after the first."""

    def __init__(self) -> None:
        self.go, self.has_begun = threading.Event(), threading.Event()
        self.runs: list[str] = []

    def __call__(self, job: Job, report: Callable[[Progress], None]) -> Iterator[JobFile]:
        self.runs.append(job.job_id)
        for step in range(STEPS):
            report(Progress("steps", f"step {step}", step, STEPS))
            yield JobFile(f"file {step}", "indexed", 1, 2.0)
            self.has_begun.set()
            self.go.wait(20)


def breaks(job: Job, report: Callable[[Progress], None]) -> Iterator[JobFile]:
    yield JobFile("a.wav", "indexed", 1)
    raise StoreError("The disk is full.", "Make room.")


def stumbles(job: Job, report: Callable[[Progress], None]) -> Iterator[JobFile]:
    yield from ()
    raise ZeroDivisionError("a mistake of ours")


def twice(job: Job, report: Callable[[Progress], None]) -> Iterator[JobFile]:
    yield JobFile("metadata.csv", "warning", message="Line 2 names no file.")
    yield JobFile("metadata.csv", "warning", message="Line 3 names no file.")


@pytest.fixture(scope="module")
def one_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed data folder with a recording in "samples" that fake models made; not to be changed."""
    folder = tmp_path_factory.mktemp("one")
    spoken, rate_hz = soundfile.read(SAMPLES / "audio" / "s001.opus", frames=6 * 16_000)
    soundfile.write(folder / "s001.wav", spoken, rate_hz)
    with open_fakes(folder / "data", FakeLoader()) as opened:
        assert take_in(opened, folder / "s001.wav", collection="samples") == ["indexed"]
        assert list(opened.manage.catch_up()) == []
    return folder / "data"


@pytest.fixture
def service(one_recording: Path, tmp_path: Path) -> Iterator[Service]:
    with open_fakes(copy_data(one_recording, tmp_path / "data"), FakeLoader()) as opened:
        yield opened


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
def make(service, steps: Steps) -> Iterator[Callable[[], JobQueue]]:
    made: list[JobQueue] = []

    def queue() -> JobQueue:
        runners = {"files": twice, "steps": steps, "breaks": breaks, "stumbles": stumbles, "twice": twice}
        runners |= {"reindex": steps, "samples": twice, "dataset": twice, CATCH_UP: steps}
        made.append(JobQueue(service, runners))
        return made[-1]

    yield queue
    steps.go.set()
    for one in made:
        one.stop()


def wait_for(queue: JobQueue, job: Job, *states: str) -> Job:
    until_s = time.monotonic() + 20
    while (now := queue.job(job.job_id)).state not in states:
        assert time.monotonic() < until_s, now
        time.sleep(0.01)
    return now


def wait_until_idle(queue: JobQueue) -> None:
    until_s = time.monotonic() + 20
    while queue.current() is not None:
        assert time.monotonic() < until_s
        time.sleep(0.01)


def sound(folder: Path, name: str = "a.wav") -> tuple[Path, str]:
    path = folder / f"uploaded {name}"
    path.write_bytes(b"sound")
    return path, name


def test_jobs_are_done_in_order_and_keep_what_became_of_each_file(make, steps: Steps) -> None:
    queue = make()
    ended: list[str] = []
    queue.on_done.append(lambda job: ended.append(f"{job.job_id} {job.state}"))
    first, second = queue.submit("steps"), queue.submit("twice")
    assert [job.state for job in queue.jobs()] == ["queued", "queued"]
    assert queue.current() is not None
    queue.start()
    assert steps.has_begun.wait(20)
    job, progress = queue.current()
    assert (job.job_id, progress.total) == (first.job_id, STEPS)
    assert [far for _, far in queue.jobs_now()] == [progress, None]
    steps.go.set()
    wait_for(queue, second, "done")
    assert queue.job(first.job_id).state == "done"
    assert len(queue.files(first.job_id)) == STEPS
    assert [file.name for file in queue.files(second.job_id)] == ["metadata.csv", "metadata.csv (2)"]
    queue.stop()  # waits until whoever listens has been told
    assert ended == [f"{first.job_id} done", f"{second.job_id} done"]


def test_a_state_and_how_far_it_is_are_of_one_moment(make, steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked at is held until both are read: a job that begins between them would be queued and half done."""
    queue = make()
    job = queue.submit("steps")
    read = queue.job

    def slow(job_id: str, visitor: Visitor = LOCAL) -> Job:
        found = read(job_id, visitor)
        queue.start()
        steps.has_begun.wait(0.2)
        return found

    monkeypatch.setattr(queue, "job", slow)
    now, progress = queue.job_now(job.job_id)
    assert (now.state, progress) == ("queued", None)


def test_pause_halts_and_resume_goes_on(make, steps: Steps) -> None:
    queue = make()
    job = queue.submit("steps")
    queue.start()
    assert steps.has_begun.wait(20)
    assert queue.pause(job.job_id).state == "paused"
    steps.go.set()
    wait_until_idle(queue)
    done = len(queue.files(job.job_id))
    assert 0 < done < STEPS
    assert queue.job(job.job_id).state == "paused"
    with pytest.raises(InputError, match="is paused and cannot be paused"):
        queue.pause(job.job_id)
    queue.resume(job.job_id)
    wait_for(queue, job, "done")
    assert len(queue.files(job.job_id)) == STEPS
    assert steps.runs == [job.job_id] * 2


def test_cancel_ends_a_job_and_removes_its_files(make, steps: Steps, tmp_path: Path) -> None:
    queue = make()
    running, waiting = queue.submit("steps"), queue.submit_files([sound(tmp_path)], "talks")
    assert (queue.folder / waiting.job_id / "00000.wav").read_bytes() == b"sound"
    assert not (tmp_path / "uploaded a.wav").exists()
    queue.start()
    assert steps.has_begun.wait(20)
    queue.cancel(waiting.job_id)
    assert not (queue.folder / waiting.job_id).exists()
    queue.cancel(running.job_id)
    steps.go.set()
    wait_until_idle(queue)
    assert [job.state for job in queue.jobs()] == ["cancelled", "cancelled"]
    assert len(queue.files(running.job_id)) < STEPS
    with pytest.raises(InputError, match="is cancelled and cannot be cancelled"):
        queue.cancel(running.job_id)


def test_what_a_stopped_process_left_is_taken_up_again(make, steps: Steps, service) -> None:
    queue = make()
    job = queue.submit("steps")
    queue.start()
    assert steps.has_begun.wait(20)
    steps.go.set()
    queue.stop()
    assert service.store.jobs.get(job.job_id).state in ("queued", "done")
    (queue.folder / "incoming-left").mkdir()
    again = make()
    again.start()
    wait_for(again, job, "done")
    assert len(again.files(job.job_id)) == STEPS
    assert list(again.folder.iterdir()) == []


def test_a_stop_is_no_crash_however_often(make, steps: Steps) -> None:
    job = make().submit("steps")
    for _ in range(4):
        steps.has_begun.clear()
        queue = make()
        queue.start()
        assert steps.has_begun.wait(20)
        queue.stop(wait_s=0.0)
        steps.go.set()
        queue.stop()
        assert (queue.job(job.job_id).state, queue.job(job.job_id).crashes) == ("queued", 0)
        steps.go.clear()
    assert steps.runs == [job.job_id] * 4


def test_a_job_that_ran_when_two_processes_ended_is_not_tried_a_third_time(make, steps: Steps, service) -> None:
    job = make().submit("steps")
    service.store.jobs.set_state(job.job_id, "running")  # and then the process is gone
    second = make()
    second.start()
    assert steps.has_begun.wait(20)
    assert second.job(job.job_id).crashes == 1
    second.stop(wait_s=0.0)
    steps.go.set()
    second.stop()
    service.store.jobs.set_state(job.job_id, "running")
    third = make()
    other = third.submit("twice")
    third.start()
    wait_for(third, other, "done")
    failed = third.job(job.job_id)
    assert (failed.state, failed.crashes) == ("failed", 2)
    assert failed.message == "The program ended 2 times while it worked on this. It is not tried again."
    assert steps.runs == [job.job_id]
    make().start()
    assert third.job(job.job_id).state == "failed"


def test_background_jobs_wait_for_others_and_make_way_for_them(make, steps: Steps) -> None:
    queue = make()
    background, before = queue.submit(CATCH_UP), queue.submit("twice")
    assert queue.current()[0].job_id == before.job_id  # the next one, though it came later
    ended: list[str] = []
    queue.on_done.append(lambda job: ended.append(job.kind))
    queue.start()
    assert steps.has_begun.wait(20)
    assert ended == ["twice"] and queue.current()[0].job_id == background.job_id
    come = queue.submit("breaks")
    steps.go.set()
    wait_for(queue, background, "done")
    assert ended == ["twice", "breaks", CATCH_UP] and queue.job(come.job_id).state == "failed"
    assert steps.runs == [background.job_id] * 2
    assert queue.job(background.job_id).crashes == 0


def test_a_background_job_does_not_make_way_for_another_nor_others_for_it(make, steps: Steps) -> None:
    queue = make()
    running = queue.submit(CATCH_UP)
    queue.start()
    assert steps.has_begun.wait(20)
    queue.submit(CATCH_UP)
    steps.go.set()
    wait_for(queue, running, "done")
    assert steps.runs[:1] == [running.job_id] and steps.runs.count(running.job_id) == 1
    wait_until_idle(queue)
    steps.go.clear()
    steps.has_begun.clear()
    other = queue.submit("steps")
    assert steps.has_begun.wait(20)
    queue.submit(CATCH_UP)
    steps.go.set()
    wait_for(queue, other, "done")
    assert steps.runs.count(other.job_id) == 1


def test_uploaded_files_that_are_gone_fail_the_job(make, tmp_path: Path) -> None:
    queue = make()
    job = queue.submit_files([sound(tmp_path)], "talks")
    queue.worker.clear(job.job_id)  # as after a restored backup
    queue.start()
    assert queue.job(job.job_id).message == "The uploaded files are gone. Add them again."


def test_failures_are_told_and_the_queue_goes_on(make, caplog: pytest.LogCaptureFixture) -> None:
    queue = make()
    first, second, third = queue.submit("breaks"), queue.submit("stumbles"), queue.submit("twice")
    queue.on_done.append(lambda job: 1 / 0)
    queue.start()
    wait_for(queue, third, "done")
    assert (queue.job(first.job_id).state, queue.job(first.job_id).message) == (
        "failed",
        "The disk is full. Make room.",
    )
    assert queue.files(first.job_id)[0].state == "indexed"
    assert queue.job(second.job_id).message == "Something went wrong: ZeroDivisionError (the log has more)."
    assert "a mistake of ours" in caplog.text


def test_visitors_see_their_own_jobs_and_owners_all(make, service, tmp_path: Path) -> None:
    queue = make()
    mine = queue.submit_files([sound(tmp_path)], "talks", ANN)
    assert mine.collection == "@ann/talks"
    assert [job.job_id for job in queue.jobs(ANN)] == [job.job_id for job in queue.jobs(LOCAL)] == [mine.job_id]
    assert queue.jobs(BOB) == []
    for act in (queue.job, queue.files, queue.pause, queue.resume, queue.cancel):
        with pytest.raises(NotFoundError, match="There is no such task"):
            act(mine.job_id, BOB)
    with pytest.raises(NotAllowedError, match="cannot start this task"):
        queue.submit("reindex", visitor=ANN)
    with pytest.raises(NotAllowedError, match="Datasets cannot be added"):
        queue.submit_dataset("google/fleurs", "talks", ANN)


@pytest.mark.parametrize("name", ["data", "../data/x", "/etc/passwd", "a/b/c", "samples/", "a b/c", ""])
def test_only_names_of_the_hub_are_datasets(make, name: str) -> None:
    with pytest.raises(InputError, match="is no dataset of the hub"):
        make().submit_dataset(name, "talks")


def with_limits(service, **limits: float) -> None:
    changed = service.settings.limits.model_copy(update=limits)
    service.settings, service.manage.limits = service.settings.model_copy(update={"limits": changed}), changed


def test_checks_before_a_job(make, service, tmp_path: Path) -> None:
    queue = make()
    with pytest.raises(InputError, match="There are no files to add"):
        queue.submit_files([], "talks")
    with pytest.raises(InputError, match="cannot be named '@bob/talks'"):
        queue.submit_files([sound(tmp_path)], "@bob/talks", ANN)
    with pytest.raises(NotAllowedError, match="cannot be added here"):
        queue.submit_files([sound(tmp_path)], "talks", Visitor("eve"))
    with_limits(service, jobs_an_hour=1)
    queue.submit_files([sound(tmp_path)], "talks", ANN)
    with pytest.raises(TooManyError, match="1 tasks an hour"):
        queue.submit_files([sound(tmp_path)], "talks", ANN)
    queue.submit_files([sound(tmp_path)], "talks", BOB)
    with_limits(service, free_disk_bytes=10**18)
    with pytest.raises(StoreError, match="GB left, too little"):
        queue.submit_files([sound(tmp_path)], "talks")
    assert len(list(queue.folder.iterdir())) == 2


def test_visitors_own_collections_have_a_quota(make, service) -> None:
    recording = service.browse.recordings("samples")[0]
    service.manage.check_quota("samples", recording)
    with_limits(service, visitor_duration_s=recording.duration_s + 1)
    service.manage.check_quota("@ann/talks", recording)
    service.library.rename_collection("samples", "@ann/samples")
    service.manage.check_quota("@bob/talks", recording)
    with pytest.raises(TooLongError, match="may hold 0 minutes; 0 are used"):
        service.manage.check_quota("@ann/talks", replace(recording, recording_id="another"))
    with_limits(service, visitor_duration_s=recording.duration_s - 1)
    with pytest.raises(TooLongError, match="are used"):
        make().check("talks", ANN)


def test_samples_are_submitted_once_and_again_after_a_failure(make, service) -> None:
    queue = make()
    queue.submit_once("samples", "samples")
    queue.submit_once("samples", "samples")
    (job,) = queue.jobs()
    service.store.jobs.set_state(job.job_id, "failed", "The disk is full.")
    queue.submit_once("samples", "samples")
    assert [job.state for job in queue.jobs()] == ["failed", "queued"]


def test_a_visitors_own_collections_and_jobs_expire(make, service, tmp_path: Path) -> None:
    queue = make()
    queue.submit_once("samples", "samples")
    old = queue.submit_files([sound(tmp_path)], "talks", ANN)
    service.library.rename_collection("samples", "@ann/talks")
    service.store.collections.add("@bob/empty")
    service.store.collections.add("everybody's")
    queue.sweep()
    assert len(service.browse.collections()) == 3
    with_limits(service, visitor_hours=1e-9)
    queue.sweep()
    assert [one.name for one in service.browse.collections()] == ["everybody's"]
    assert service.browse.differences() == []
    assert [job.kind for job in queue.jobs()] == ["samples"]
    assert not (queue.folder / old.job_id).exists()


def test_a_result_of_an_earlier_run_is_kept(service) -> None:
    store = service.library.store
    store.jobs.add(Job("1", "ann", "files", "talks"))
    store.jobs.set_file("1", JobFile("a", "indexed", 3))
    store.jobs.set_file("1", JobFile("a", "unchanged", 3))
    store.jobs.set_file("1", JobFile("b", "failed"))
    store.jobs.set_file("1", replace(JobFile("b", "indexed"), passages=2))
    assert [(file.state, file.passages) for file in store.jobs.files("1")] == [("indexed", 3), ("indexed", 2)]
    store.jobs.delete("1")
    assert store.jobs.files("1") == []


def test_visitors_take_turns_and_a_long_job_makes_way(
    make, steps: Steps, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    queue = make()
    ended: list[tuple[str, str]] = []
    queue.on_done.append(lambda job: ended.append((job.kind, job.visitor_id)))
    long = queue.submit("steps")
    for number in range(3):
        queue.submit_files([sound(tmp_path, f"{number}.wav")], "talks", ANN)
    queue.start()
    assert steps.has_begun.wait(20)
    queue.submit_files([sound(tmp_path, "b.wav")], "talks", BOB)
    monkeypatch.setattr("speechsearch.jobs.worker.TURN_S", 0.0)
    steps.go.set()
    wait_for(queue, long, "done")
    queue.stop()
    assert ended == [("files", "ann"), ("files", "bob"), ("files", "ann"), ("files", "ann"), ("steps", "local")]
    assert steps.runs.count(long.job_id) > 2
    assert len(queue.files(long.job_id)) == STEPS
