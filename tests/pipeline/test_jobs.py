"""Recordings through the queue, with fake models: paused, cancelled and killed in the midst of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ingest import runners
from speechsearch.domain.assets import ASSETS
from speechsearch.domain.progress import Progress
from speechsearch.domain.values import Filters, Query
from speechsearch.domain.visitors import Visitor
from speechsearch.jobs.queue import JobQueue
from speechsearch.service.open import Service
from speechsearch.service.settings import Settings
from speechsearch.store import Job
from tests.tiny.fakes import FakeLoader, open_fakes

ROOT = Path(__file__).parents[2]
SAMPLES = ASSETS / "samples" / "audio"
ANN, BOB = Visitor("ann", may_add=True), Visitor("bob", may_add=True)


@pytest.fixture
def service(fake_settings: Settings, models: FakeLoader) -> Iterator[Service]:
    """A service of the test's own."""
    with Service.open(fake_settings, loader=models) as opened:
        yield opened


@pytest.fixture
def uploads(tmp_path: Path) -> Callable[..., list[tuple[Path, str]]]:
    """Make uploaded files of samples: their number on the disk, and names as visitors give them."""

    def make(**names: str) -> list[tuple[Path, str]]:
        found = []
        for number, (sample, name) in enumerate(names.items()):
            path = tmp_path / f"{number}"
            shutil.copyfile(SAMPLES / f"{sample}.opus", path)
            found.append((path, name))
        return found

    return make


@pytest.fixture
def queue(service) -> Iterator[JobQueue]:
    made = JobQueue(service, runners(service, ASSETS / "samples"))
    yield made
    made.stop()


def until(condition: Callable[[], bool], seconds: float) -> None:
    until_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(0.02)


def run_out(queue: JobQueue, seconds: float = 100) -> None:
    if not queue.worker.thread.is_alive():
        queue.start()
    until(lambda: queue.current() is None, seconds)


def states(queue: JobQueue, job: Job) -> dict[str, str]:
    return {file.name: file.state for file in queue.files(job.job_id)}


def test_folders_tables_and_archives_are_taken_in_by_the_visitors_names(queue, service, uploads, tmp_path) -> None:
    files = uploads(s001="talks/day 1/opening.opus", s004="s004 again.opus", s003="../../evil.opus")
    others = {
        "talks/metadata.csv": b"file,title,speaker\nday 1/opening.opus,Table,Ann\n",
        "talks/.DS_Store": b"x",
        "talks/notes.txt": b"x",
        "broken.mp3": b"no sound",
    }
    for name, content in others.items():
        path = tmp_path / f"n{len(files)}"
        path.write_bytes(content)
        files.append((path, name))
    with zipfile.ZipFile(tmp_path / "z", "w") as archive:
        archive.write(SAMPLES / "s002.opus", "inside.opus")
    files += [(tmp_path / "z", "more.zip")]
    job = queue.submit_files(files, "talks", descriptions={"talks/day 1/opening.opus": {"title": " Edited\t title "}})
    run_out(queue)
    assert states(queue, job) == {
        "talks/day 1/opening.opus": "indexed", "s004 again.opus": "duplicate", "../../evil.opus": "failed",
        "broken.mp3": "failed", "more.zip/inside.opus": "indexed", "talks/notes.txt": "skipped",
    }  # fmt: skip
    messages = {file.name: file.message for file in queue.files(job.job_id)}
    assert "in collection 'samples'" in messages["s004 again.opus"]
    assert "broken.mp3" in messages["broken.mp3"]
    assert "points outside" in messages["../../evil.opus"]
    found = {one.title: one for one in service.browse.recordings("talks")}
    assert found["Edited title"].speaker == "Ann"
    assert found["inside"].file_name == "inside.opus"
    assert list(queue.folder.iterdir()) == []
    assert service.browse.differences() == []


def test_two_visitors_with_the_same_file_learn_nothing_of_each_other(queue, service, uploads) -> None:
    jobs = [queue.submit_files(uploads(s004="a.opus"), "notes", visitor) for visitor in (ANN, BOB)]
    run_out(queue)
    for job, visitor, other in ((jobs[0], ANN, BOB), (jobs[1], BOB, ANN)):
        assert states(queue, job) == {"a.opus": "indexed"}
        (mine,) = service.browse.recordings("notes", visitor)
        assert mine.recording_id not in [one.recording_id for one in service.browse.recordings(visitor=other)]
        query = Query("ferry", filters=Filters(collections=("notes",)))
        hits = service.search.find(query, visitor=visitor).hits
        assert {hit.recording.recording_id for hit in hits} == {mine.recording_id}
    again = queue.submit_files(uploads(s004="b.opus"), "other notes", ANN)
    run_out(queue)
    (file,) = queue.files(again.job_id)
    assert (file.state, file.message) == ("duplicate", "Same sound as 'a' in collection 'notes'.")


def test_a_table_cannot_write_into_other_collections(queue, service, uploads, tmp_path) -> None:
    table = tmp_path / "table"
    table.write_text("file,collection\na.opus,samples\nb.opus,@bob/notes\nc.opus,kept apart\n")
    files = [*uploads(s001="a.opus", s002="b.opus", s003="c.opus"), (table, "metadata.csv")]
    job = queue.submit_files(files, "notes", ANN)
    run_out(queue)
    assert states(queue, job) == {"a.opus": "indexed", "b.opus": "failed", "c.opus": "indexed"}
    names = [one.name for one in service.browse.collections() if one.recordings]
    assert names == ["@ann/kept apart", "@ann/samples", "samples"]
    assert len(service.browse.recordings("samples", BOB)) == 7


def test_a_quota_holds_for_every_file(queue, service, uploads) -> None:
    limits = service.limits.model_copy(update={"visitor_duration_s": 40.0})
    service.manage.limits = limits
    job = queue.submit_files(uploads(s001="a.opus", s002="b.opus"), "notes", ANN)
    run_out(queue)
    assert states(queue, job) == {"a.opus": "indexed", "b.opus": "failed"}
    assert "may hold 1 minutes" in queue.files(job.job_id)[1].message


def interrupting(queue: JobQueue, act: Callable[[str], object]) -> None:
    """Act on the job once, in the midst of a file."""
    run, left = queue.worker.runners["files"], [act]

    def runner(job, report):
        def report_and_act(progress: Progress) -> None:
            if progress.done % 1 and left:
                left.pop()(job.job_id)
            report(progress)

        yield from run(job, report_and_act)

    queue.worker.runners = {**queue.worker.runners, "files": runner}


@pytest.fixture
def long_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sequence[tuple[Path, str]]:
    """A recording of several batches."""
    monkeypatch.setattr("speechsearch.library.intake.BATCH_S", 20.0)
    sounds = [soundfile.read(SAMPLES / f"s00{number}.opus", dtype="float32") for number in (1, 2, 3)]
    soundfile.write(tmp_path / "long.wav", np.concatenate([sound for sound, _ in sounds]), sounds[0][1])
    return [(tmp_path / "long.wav", "long.wav")]


def test_a_job_is_paused_between_the_batches_of_a_file(queue, service, long_recording) -> None:
    interrupting(queue, queue.pause)
    job = queue.submit_files(long_recording, "talks")
    run_out(queue)
    assert queue.job(job.job_id).state == "paused"
    assert queue.files(job.job_id) == []
    assert (service.browse.differences(), len(list(service.library.files.folder.iterdir()))) == ([], 7)
    queue.resume(job.job_id)
    run_out(queue)
    assert states(queue, job) == {"long.wav": "indexed"}


def test_a_job_is_cancelled_between_the_batches_of_a_file(queue, service, long_recording) -> None:
    interrupting(queue, queue.cancel)
    job = queue.submit_files(long_recording, "talks")
    run_out(queue)
    assert (queue.job(job.job_id).state, queue.files(job.job_id)) == ("cancelled", [])
    assert (service.browse.differences(), len(list(service.library.files.folder.iterdir()))) == ([], 7)
    assert list(queue.folder.iterdir()) == []


def test_the_index_is_made_anew_while_it_is_in_use(queue, service) -> None:
    before = service.search.find(Query("octopus")).hits[0].passage
    job = queue.submit("reindex")
    run_out(queue)
    assert queue.job(job.job_id).state == "done"
    assert service.search.find(Query("octopus")).hits[0].passage == before
    assert service.browse.differences() == []


INGEST = """
import sys
import time
from pathlib import Path
from ingest import runners
from speechsearch.jobs.queue import JobQueue
from tests.tiny.fakes import FakeLoader, open_fakes

folder, *files = map(Path, sys.argv[1:])
with open_fakes(folder, FakeLoader()) as service:
    queue = JobQueue(service, runners(service, folder))
    job = queue.submit_files([(path, path.name) for path in files], "talks")
    queue.start()
    while not queue.files(job.job_id):
        time.sleep(0.002)
    print("one is done", flush=True)
    sys.stdin.read()
"""


def test_a_killed_process_loses_nothing_and_does_nothing_twice(tmp_path: Path) -> None:
    names = ("s001", "s002", "s003", "s005", "s006")
    files = [Path(shutil.copy(SAMPLES / f"{name}.opus", tmp_path)) for name in names]
    with subprocess.Popen(
        [sys.executable, "-c", INGEST, str(tmp_path / "data"), *map(str, files)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "one is done\n"
        process.kill()
    with open_fakes(tmp_path / "data", FakeLoader()) as service:
        queue = JobQueue(service, runners(service, tmp_path))
        job = queue.jobs()[0]
        assert job.state == "running"
        run_out(queue)
        queue.stop()
        # The one that was stored when the process was killed may come out as unchanged.
        assert set(states(queue, job).values()) <= {"indexed", "unchanged"}
        assert list(states(queue, job).values()).count("unchanged") <= 1
        assert len(queue.files(job.job_id)) == len(service.browse.recordings("talks")) == len(names)
        assert service.browse.differences() == []
        assert list(queue.folder.iterdir()) == []
        assert queue.job(job.job_id).crashes == 1


def test_memory_is_given_back_after_a_job_but_not_after_each_of_many(queue, service, uploads, monkeypatch) -> None:
    given_back = list[float]()
    monkeypatch.setattr(service, "give_back_memory", lambda: given_back.append(time.monotonic()))
    monkeypatch.setattr(queue, "sweep", lambda: None)
    for sample in ("s001", "s002", "s003"):
        queue.submit_files(uploads(**{sample: f"{sample}.opus"}), "talks")
    run_out(queue)
    assert len(given_back) == 1
    monkeypatch.setattr("speechsearch.jobs.queue.GIVEN_BACK_EVERY_S", 0.0)
    queue.submit_files(uploads(s004="s004.opus"), "talks")
    run_out(queue)
    until(lambda: len(given_back) >= 2, 10)  # after the job has ended
