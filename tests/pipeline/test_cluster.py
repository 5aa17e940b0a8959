"""Ingest by several processes: the driver, the workers and their leases, with a pool that works in this process.

That Ray's own actors do the same, and what becomes of killed ones, is in ``test_ray.py``.
"""

from __future__ import annotations

import contextlib
import zipfile
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fsspec.implementations.local import LocalFileSystem

from cluster import driver
from cluster.run import ingest_on, ingest_on_ray
from cluster.shared import own_settings
from cluster.tasks import Answer, How, Task
from cluster.worker import Worker
from ingest.pipeline import recording_id_of
from ingest.sources import Source
from speechsearch.domain.errors import ConfigurationError, NotFoundError, StoreError
from speechsearch.domain.values import Query, Span
from speechsearch.library import library
from speechsearch.service.open import Service
from tests.tiny.fakes import open_fakes, take_in
from tests.tiny.kept import contents
from tests.tiny.qdrant_server import QdrantServer, qdrant_server
from tests.tiny.ray_driver import finder, models, open_shared_fakes, shared_settings

pytestmark = [pytest.mark.filterwarnings("ignore:Qdrant client version")]
OPENER = partial(open_shared_fakes, takes_s=0.0, pids=None)


class PoolHere:
    """Does tasks in this process, two at a time wait; ``answers`` come before what the worker says."""

    def __init__(self, settings, how, opener) -> None:
        self._worker, self._tasks, self.asked = Worker(settings, how, opener), deque(), []
        self.answers: deque[Answer] = deque()

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.close()

    @property
    def has_room(self) -> bool:
        return len(self._tasks) < 2

    def submit(self, task: Task, holder: str) -> None:
        self.asked.append(task)
        self._tasks.append((task, holder))

    def next(self, timeout_s: float) -> tuple[str, Answer] | None:
        if not self._tasks:
            return None
        task, holder = self._tasks.popleft()
        return holder, self.answers.popleft() if self.answers else self._worker.do(task, holder)


class Pools:
    """Starts pools and remembers the last one; ``answers`` are the first that it gives."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = answers

    def __call__(self, settings, how, opener) -> PoolHere:
        self.last = PoolHere(settings, how, opener)
        self.last.answers.extend(self._answers)
        return self.last


@pytest.fixture(scope="module")
def index() -> Iterator[QdrantServer]:
    with qdrant_server() as server:
        yield server


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "BUSY_AGAIN_S", 0.01)
    monkeypatch.setattr(driver, "LOST_AGAIN_S", 0.01)


@pytest.fixture
def settings(tmp_path: Path, index: QdrantServer):
    (tmp_path / "media").mkdir()
    return shared_settings(tmp_path / "data", f"sqlite:///{tmp_path / 'db'}", index.url, tmp_path / "media")


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    """Three sounds with a table and subtitles, one of them twice, and an archive with a fourth."""
    folder = tmp_path / "in"
    folder.mkdir()
    chance = np.random.default_rng(1)
    for name in ("a", "b", "c", "d"):
        soundfile.write(folder / f"{name}.wav", speech_like(chance), 16_000)
    (folder / "z.wav").write_bytes((folder / "b.wav").read_bytes())
    (folder / "metadata.csv").write_text("file,title,speaker\na.wav,The tide,Ann\n")
    (folder / "a.srt").write_text("1\n00:00:00,000 --> 00:00:02,000\nThe tide is high.\n")
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        archive.write(folder / "d.wav", "d.wav")
    (folder / "d.wav").unlink()
    (folder / "notes.txt").write_text("no sound")
    return folder


def speech_like(chance: np.random.Generator) -> np.ndarray:
    """Six seconds of a sample at a loudness of its own, so that each is another recording."""
    from speechsearch.domain.assets import SAMPLES

    samples, _ = soundfile.read(SAMPLES / "audio" / "s015.opus", frames=6 * 16_000, dtype="float32")
    return samples * chance.uniform(0.4, 0.9)


def run(settings, *sources: object, pools: Pools | None = None, **how: bool) -> list[tuple[str, str]]:
    """Take in sources and return names and states, sorted."""
    find = finder([str(one) for one in sources])
    done = list(ingest_on(pools or Pools(), settings, find, How("talks", **how), opener=OPENER))
    run.messages = [one.message for one in done]
    return sorted((one.name, one.state) for one in done)


@contextlib.contextmanager
def page(settings) -> Iterator[Service]:
    """The page's service over what was taken in."""
    with Service.open(settings, loader=models()) as opened:
        yield opened


def test_what_several_processes_take_in_is_what_one_does(settings, spoken: Path, tmp_path: Path) -> None:
    pools = Pools()
    done = run(settings, spoken, pools=pools, wants_passes=True)
    assert done == [
        ("in/a.wav", "indexed"), ("in/b.wav", "indexed"), ("in/c.wav", "indexed"), ("in/more.zip/d.wav", "indexed"),
        ("in/notes.txt", "skipped"), ("in/z.wav", "duplicate"),
    ]  # fmt: skip
    with open_fakes(tmp_path / "whole" / "data", models()) as one:
        assert sorted(take_in(one, spoken)) == ["duplicate", *["indexed"] * 4, "skipped"]
        assert list(one.manage.catch_up()) == []
        expected = contents(one)
    with page(settings) as service:
        assert contents(service) == expected
        assert service.store.leases.entries() == []
        (recording,) = (one for one in service.browse.recordings() if one.speaker == "Ann")
        assert recording.title == "The tide"
        path, kind = service.browse.playable(recording.recording_id)[1:]
        assert (path.parent, kind) == (tmp_path / "media", "audio/wav")
        assert service.search.find(Query("anything"), "adapter").hits
    assert [path.name for path in (tmp_path / "media").iterdir() if path.is_dir()] == ["spool"]
    assert list((tmp_path / "media" / "spool").iterdir()) == []
    assert [path.name for path in (tmp_path / "data" / "cluster").iterdir()] == ["in-use.lock"]


def test_an_open_page_hears_of_what_was_taken_in(settings, spoken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "LOOKS_EVERY_S", 0.0)
    with page(settings) as service:
        assert service.search.find(Query("anything"), "adapter").coverage.of_passages == 0
        run(settings, spoken / "a.wav")
        found = service.search.find(Query("anything"), "adapter")
        assert found.hits and found.coverage.of_passages == service.store.passages.count() > 0


def test_what_is_done_is_not_read_again_until_it_or_what_is_said_of_it_changes(settings, spoken: Path) -> None:
    run(settings, spoken)
    pools = Pools()
    assert {state for _, state in run(settings, spoken, pools=pools)} == {"unchanged", "duplicate", "skipped"}
    assert pools.last.asked == []
    (spoken / "metadata.csv").write_text("file,title,speaker\na.wav,The ebb,Ann\n")
    pools = Pools()
    assert ("in/a.wav", "updated") in run(settings, spoken, pools=pools)
    assert [task.name for task in pools.last.asked] == ["in/a.wav"]
    (spoken / "metadata.csv").unlink()
    (spoken / "more.zip").unlink()
    soundfile.write(spoken / "c.wav", speech_like(np.random.default_rng(9)), 16_000)
    assert ("in/c.wav", "indexed") in run(settings, spoken)


def test_addresses_are_listed_with_what_describes_them_and_a_bucket_is_played_from(
    settings, spoken: Path, tmp_path: Path
) -> None:
    bucket = tmp_path / "bucket"
    media = settings.media.model_copy(update={"url": f"file://{bucket}"})
    settings = settings.model_copy(update={"media": media})
    done = run(settings, f"file://{spoken}")
    assert [state for _, state in done] == [*["indexed"] * 4, "skipped", "duplicate"]
    pools = Pools()
    assert {state for _, state in run(settings, f"file://{spoken}/", pools=pools)} >= {"unchanged"}
    assert pools.last.asked == []
    assert run(settings, f"file://{spoken}/c.wav") == [("c.wav", "unchanged")]
    with page(settings) as service:
        recording = next(one for one in service.browse.recordings() if one.title == "The tide")
        assert service.store.given.of(recording.recording_id).captions[0].text == "The tide is high."
        media_name = service.store.recordings.media_name(recording.recording_id)
        path = service.browse.playable(recording.recording_id)[1]
        assert path.read_bytes() == (bucket / media_name).read_bytes() == (spoken / "a.wav").read_bytes()
        assert path.parent == settings.data_dir / "media"
        assert service.browse.media_bytes(recording.recording_id) == len(path.read_bytes())
        service.manage.delete_recording(recording.recording_id)
        assert not (bucket / media_name).exists() and not path.exists()
        other = service.browse.recordings()[0].recording_id
        (bucket / service.store.recordings.media_name(other)).unlink()
        with pytest.raises(NotFoundError, match="audio of this recording is gone"):
            service.browse.excerpt(other, Span(0.0, 1.0))
    with pytest.raises(NotFoundError, match="no files at"):
        run(settings, f"file://{tmp_path}/nothing")
    with pytest.raises(ConfigurationError, match="no address of files"):
        run(settings, "nowhere://talks")


def test_a_recording_that_another_driver_works_on_is_waited_for(
    settings, spoken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, pools, answers = spoken / "a.wav", Pools(), []
    recording_id = recording_id_of(Source("a.wav", path), "talks")
    with OPENER(settings) as other:
        other.store.leases.claim(recording_id, "another", 60.0)
        held, done = other.store.leases.held, Worker.do

        def do(worker: Worker, task: Task, holder: str) -> Answer:
            answers.append(done(worker, task, holder))
            return answers[-1]

        def asked(leases, recording_ids: list[str]) -> set[str]:
            found = held(recording_ids)
            waited.append(found)
            if len(waited) == 3:
                other.store.leases.release(recording_id, "another")
            return found

        waited: list[set[str]] = []
        monkeypatch.setattr(Worker, "do", do)
        monkeypatch.setattr(type(other.store.leases), "held", asked)
        assert run(settings, path, pools=pools) == [("a.wav", "indexed")]
    # It was asked for again when the other had let go of it, and not while it was held.
    assert [one.state for one in answers] == ["busy", "done"]
    assert waited == [{recording_id}] * 3 + [set()]


def test_what_fails_three_times_is_set_aside_until_it_is_tried_again(settings, tmp_path: Path) -> None:
    path = tmp_path / "broken.wav"
    path.write_bytes(b"RIFF" + bytes(2000))
    for _ in range(3):
        assert run(settings, path) == [("broken.wav", "failed")]
        assert "set aside" not in run.messages[0]
    assert run(settings, path) == [("broken.wav", "failed")]
    assert "'broken.wav' is set aside: it failed 3 times. " in run.messages[0] and "--retry" in run.messages[0]
    assert run(settings, path, is_retried=True) == [("broken.wav", "failed")]
    assert "set aside" not in run.messages[0]
    with page(settings) as service:
        assert [entry.state for entry in service.store.journal.entries()] == ["failed"]
    assert list((tmp_path / "media").glob("*.wav*")) == []


def test_what_an_actor_dies_of_is_tried_three_times_at_most(settings, spoken: Path) -> None:
    died = Answer("died", message="The process ended.")
    assert run(settings, spoken / "a.wav", pools=Pools(died, died)) == [("a.wav", "indexed")]
    assert run(settings, spoken / "b.wav", pools=Pools(*[died] * 4)) == [("b.wav", "failed")]
    assert run.messages == ["'b.wav' is set aside: it failed 4 times. The process ended. To try it again: --retry."]


def test_an_index_that_is_not_reached_is_waited_for_and_counts_as_no_failure(
    settings, spoken: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with qdrant_server(log=tmp_path / "log") as server:
        settings = settings.model_copy(update={"index": settings.index.model_copy(update={"url": server.url})})
        pools = Pools()
        find = finder([str(spoken / "a.wav")])
        work = ingest_on(pools, settings, find, How("talks"), opener=OPENER)
        done = Worker.do

        def fails_first(worker: Worker, task: Task, holder: str) -> Answer:
            server.process.kill()
            server.process.wait()
            answer = done(worker, task, holder)
            assert answer.state == "lost" and "Qdrant server" in answer.message
            monkeypatch.setattr(Worker, "do", done)
            again.enter_context(qdrant_server(int(server.url.rpartition(":")[2]), tmp_path / "log"))
            return answer

        monkeypatch.setattr(Worker, "do", fails_first)
        with contextlib.ExitStack() as again:
            assert [result.state for result in work] == ["unchanged"]  # it was stored, and is in the index now
            with page(settings) as service:
                assert service.browse.differences() == [] and service.store.leases.entries() == []


def test_a_bucket_that_is_not_reached_is_waited_for(settings, spoken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = spoken.parent / "bucket"
    media = settings.media.model_copy(update={"url": f"file://{bucket}"})
    settings = settings.model_copy(update={"media": media})
    answers, done, put = [], Worker.do, LocalFileSystem.put_file

    def do(worker: Worker, task: Task, holder: str) -> Answer:
        answers.append(done(worker, task, holder))
        return answers[-1]

    def fails_at_first(self, lpath, rpath, *rest, **options):
        if len(answers) == 5:
            bucket.mkdir()
        if len(answers) < 4:
            raise OSError("The network is down.")
        return put(self, lpath, rpath, *rest, **options)

    monkeypatch.setattr(Worker, "do", do)
    monkeypatch.setattr(LocalFileSystem, "put_file", fails_at_first)
    assert run(settings, spoken / "a.wav") == [("a.wav", "indexed")]
    assert [one.state for one in answers] == ["lost"] * 5 + ["done"]
    assert "cannot be reached: The network is down" in answers[0].message
    assert "to keep sound files in" in answers[4].message  # by then the network is there, but no bucket


def test_a_database_that_stays_away_ends_the_run(settings, spoken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "PATIENCE_S", 0.0)
    lost = Answer("lost", message="The database cannot be used.")
    with pytest.raises(StoreError, match="The database cannot be used"):
        run(settings, spoken / "a.wav", pools=Pools(lost, lost, lost))


def test_a_file_that_is_on_no_machine_says_so(settings, tmp_path: Path) -> None:
    worker = Worker(settings, How("talks"), OPENER)
    answer = worker.do(Task("gone.wav", Source("gone.wav", tmp_path / "gone.wav")), "one")
    worker.close()
    assert answer.results[0].state == "failed" and "folder that all machines have" in answer.results[0].message


def test_folders_of_killed_processes_are_removed(settings) -> None:
    with own_settings(settings) as one, own_settings(settings) as other:
        left = one.data_dir.parent.parent / "123-left"
        left.mkdir()
        assert (one.data_dir / "models").resolve() == (other.data_dir / "models").resolve()
        with own_settings(settings):
            assert one.data_dir.exists() and other.data_dir.exists() and not left.exists()


@pytest.mark.parametrize(
    ("group", "change", "address", "match"),
    [
        ("store", {"url": ""}, "", "not set: SPEECHSEARCH_STORE__URL"),
        ("index", {"url": ""}, "", "not set: SPEECHSEARCH_INDEX__URL"),
        ("media", {"url": ""}, "", "not set: SPEECHSEARCH_MEDIA__URL"),
        ("store", {}, "auto", "SQLite database cannot be used by several machines"),
    ],
)
def test_what_processes_cannot_share_is_refused(settings, group: str, change, address: str, match: str) -> None:
    changed = type(getattr(settings, group)).model_validate(getattr(settings, group).model_dump() | change)
    settings = settings.model_copy(update={group: changed})
    with pytest.raises(ConfigurationError, match=match):
        next(ingest_on_ray(settings, finder([]), How("talks"), address=address))


def test_a_task_that_is_asked_twice_is_the_same(settings, spoken: Path) -> None:
    """Two workers at one recording at once: the second finds it busy, and later finds it done."""
    source = Source("a.wav", spoken / "a.wav")
    one, two = (Worker(settings, How("talks"), OPENER) for _ in range(2))
    with OPENER(settings) as service:
        service.store.leases.claim(recording_id_of(source, "talks"), "first", 60.0)
        assert two.do(Task("a.wav", source), "second").state == "busy"
        assert one.do(Task("a.wav", source), "first").results[0].state == "indexed"
        again = two.do(Task("z.wav", replace(source, name="z.wav")), "second")
        assert again.results[0].state == "unchanged"
    one.close()
    two.close()
