"""Kill the process at random points of both passes: nothing is lost and nothing is there twice.

The service, the library, the store, the index and the ingest loop are the real ones; only the models are fakes.
"""

from __future__ import annotations

import multiprocessing
import random
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.values import Audio, Query, Transcript
from speechsearch.library import intake, second_pass
from speechsearch.service.open import Service
from tests.tiny.fakes import FakeLoader, FakeRecognizer, open_fakes, take_in

PIECES = 4
BATCH_S = 4.0
"""Of this there are many in a recording, so that kills come between them."""
BATCH_PASSAGES = 3
BATCH_TAKES_S = 0.05
"""So long the recogniser takes for a batch, so that a kill can come before the last."""


class Unhurried(FakeRecognizer):
    """Takes its time."""

    def transcribe(
        self, sounds: Sequence[Audio], language: str | None = None, hotwords: Sequence[str] = ()
    ) -> list[Transcript]:
        time.sleep(BATCH_TAKES_S * bool(sounds))
        return super().transcribe(sounds, language, hotwords)


def work(data_dir: Path, folder: Path, connection: Connection) -> None:
    """Run in a process of its own: say how far it is, then how it ended."""
    intake.BATCH_S = second_pass.BATCH_S = BATCH_S
    connection.send("opening")
    with open_fakes(data_dir, FakeLoader(recognizers=(Unhurried(log=data_dir.parent / "log"),))) as service:
        connection.send("open")
        states = take_in(service, folder)
        connection.send("taken in")
        failed = list(service.manage.catch_up())
    connection.send((states, failed))


class Work:
    """One run of both passes in a process of its own."""

    def __init__(self, data_dir: Path, folder: Path) -> None:
        # A fork of a process that has imported everything starts at once.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__, "alembic.command", "onnxruntime", "qdrant_edge"])
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(data_dir, folder, theirs))
        self.process.start()
        theirs.close()

    def wait_for(self, *messages: str) -> float:
        """Wait until it has come so far; return how long the last step took."""
        started_s = time.monotonic()
        for message in messages:
            started_s = time.monotonic()
            assert self.connection.recv() == message
        return time.monotonic() - started_s

    def finish(self) -> list[str]:
        """Let it run to its end and return the states of its results."""
        states, failed = self.connection.recv()
        self.process.join()
        assert (self.process.exitcode, failed) == (0, [])
        self.connection.close()
        return states

    def kill(self) -> None:
        """Send SIGKILL, at whatever point it is."""
        self.process.kill()
        self.process.join()
        self.connection.close()


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return short recordings: pieces of the sample collection."""
    folder = tmp_path_factory.mktemp("spoken")
    for number, path in enumerate(sorted((SAMPLES / "audio").glob("*.opus"))[:10]):
        samples, rate_hz = soundfile.read(path, frames=PIECES * 6 * 16_000)
        for piece, part in enumerate(np.array_split(samples, PIECES)):
            soundfile.write(folder / f"{number:02d}-{piece}.wav", part, rate_hz)
    return sorted(folder.iterdir())


@pytest.mark.parametrize(
    ("recordings", "kills", "seed"),
    [
        pytest.param(6, 3, 1, id="quick"),
        pytest.param(40, 20, 1, id="long", marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
    ],
)
def test_killed_many_times_nothing_is_lost_and_nothing_is_there_twice(
    tmp_path: Path, spoken: list[Path], recordings: int, kills: int, seed: int
) -> None:
    folder, data_dir, whole_dir = tmp_path / "in", tmp_path / "data with space" / "data", tmp_path / "whole" / "data"
    folder.mkdir()
    for path in spoken[:recordings]:
        shutil.copyfile(path, folder / path.name)
    reference = Work(whole_dir, folder)
    reference.wait_for("opening", "open")
    first_s = reference.wait_for("taken in")
    started_s = time.monotonic()
    assert reference.finish() == ["indexed"] * recordings
    second_s = time.monotonic() - started_s
    expected = contents(whole_dir)
    assert len(expected["transcripts"]) == len(expected["passages"]) > recordings

    chance = random.Random(seed)
    done, written = [], []
    for number in range(kills):
        one = Work(data_dir, folder)
        one.wait_for("opening")
        if number % 4 != 3:  # every fourth is killed while it opens and recovers
            one.wait_for("open")
        time.sleep(chance.uniform(0, 1.5 * first_s / kills) * bool(number))
        one.kill()
        done.append(counted(data_dir, "SELECT count(*) FROM journal WHERE state = 'done'"))
    for number in range(kills):
        one = Work(data_dir, folder)
        one.wait_for("opening", "open", "taken in")
        time.sleep(chance.uniform(0, 1.5 * second_s / kills) * bool(number))
        one.kill()
        written.append(counted(data_dir, "SELECT count(*) FROM transcripts"))
        check_search(data_dir)
    # Some of the kills came in the midst of the first pass, and of the second.
    assert min(done) < recordings and min(written) < len(expected["transcripts"])
    assert sum(number < recordings for number in done) >= max(1, kills // 4)

    one = Work(data_dir, folder)
    one.wait_for("opening", "open", "taken in")
    assert one.finish() == ["unchanged"] * recordings
    assert contents(data_dir) == expected
    lines = (data_dir.parent / "log").read_text().splitlines()
    assert set(lines) == set((whole_dir.parent / "log").read_text().splitlines())
    repeated = sum(count - 1 for count in Counter(lines).values())
    assert repeated <= kills * BATCH_PASSAGES  # a kill costs a batch at most; nothing is written down from the start


def counted(data_dir: Path, statement: str) -> int:
    """Return a number from a copy of the database, so that nothing is repaired."""
    copy = data_dir.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    if not (data_dir / "speechsearch.db").exists():
        return 0
    shutil.copytree(data_dir, copy)
    with closing(sqlite3.connect(copy / "speechsearch.db")) as database:
        try:
            return int(database.execute(statement).fetchone()[0])
        except sqlite3.OperationalError:  # killed before the tables were made
            return 0


def check_search(data_dir: Path) -> None:
    """Open what a killed process left, and see that each engine finds what is there and says how much that is."""
    copy = data_dir.parent / "copy"
    with open_fakes(copy, FakeLoader()) as service:
        assert service.browse.differences() == []
        said = transcripts_of(service)
        results = service.search.find(Query("anything", top_k=200), "asr")
        assert {hit.passage.passage_id for hit in results.hits} == set(said)
        passages = service.store.passages.count()
        assert (results.coverage.passages, results.coverage.of_passages) == (len(said), passages)
        for passage_id, text in list(said.items())[:3]:
            hit = service.search.find(Query(text, top_k=1), "asr").hits[0]
            assert (hit.passage.passage_id, hit.transcript) == (passage_id, text)
        sound = service.search.find(Query("anything", top_k=200), "adapter")
        assert len(sound.hits) == passages and sound.coverage.is_whole


def transcripts_of(service: Service) -> dict[str, str]:
    """Return passage id -> transcript of all passages that have one."""
    found = service.store.transcripts.get(sorted(service.store.passages.ids()), "first")
    return {passage_id: one.text for passage_id, one in found.items()}


def contents(data_dir: Path) -> dict[str, object]:
    """Return everything that is kept, after checking that its parts agree."""
    with open_fakes(data_dir, FakeLoader()) as service:
        store, index = service.store, service.library.index
        assert service.browse.differences() == [] == service.manage.missing()
        assert set(index.ids()) == store.passages.ids()
        assert len(list(index.ids())) == store.passages.count()
        assert not list(data_dir.glob("work/*"))
        recordings = store.recordings.find("talks")
        stored = {one.recording_id: store.passages.stored(one.recording_id) for one in recordings}
        return {
            "recordings": sorted((one.recording_id, one.title, one.duration_s) for one in recordings),
            "passages": {one.passage.passage_id: one.passage for each in stored.values() for one in each},
            "vectors": {
                one.passage.passage_id: {name: bytes_of(vector) for name, vector in one.vectors.items()}
                for each in stored.values()
                for one in each
            },
            "transcripts": transcripts_of(service),
            "encodings": store.passages.encodings(),
            "media": sorted(path.name for path in service.library.files.folder.iterdir()),
            "journal": sorted((entry.recording_id, entry.state) for entry in store.journal.entries()),
        }


def bytes_of(vector: object) -> bytes:
    """Return a vector's numbers."""
    return vector.tobytes() if isinstance(vector, np.ndarray) else vector.indices.tobytes() + vector.values.tobytes()
