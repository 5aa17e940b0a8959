"""Kill the process at random points while it ingests: nothing is lost and nothing is there twice.

The library, the store, the index and the ingest loop are the real ones; only the models are tiny.
"""

import multiprocessing
import random
import shutil
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ingest import discover, run
from speechsearch.domain.assets import ASSETS
from speechsearch.domain.folder_lock import DataFolderLock
from speechsearch.domain.limits import Limits, Segmentation
from speechsearch.domain.values import Channel, PhonemeTrack, Transcript
from speechsearch.index import open_index
from speechsearch.library.library import Library
from speechsearch.store import Store

SAMPLES = ASSETS / "samples" / "audio"
RECORDINGS = 40
KILLS = 20
SPECS = (Channel("adapter", "dense", 8), Channel("asr_dense", "dense", 8))


class TinyEncoder:
    """The loudness of eight parts of a passage, as a unit vector."""

    vector_names = ("adapter",)
    fingerprint = "tiny"

    def encode(self, passages):
        parts = [np.array([np.abs(part).mean() for part in np.array_split(one.samples, 8)]) for one in passages]
        return [{"adapter": (part / np.linalg.norm(part)).astype(np.float32)} for part in parts]

    def tracks(self, passages):
        return [PhonemeTrack(np.zeros(0, np.uint8), np.zeros(0, np.float32)) for _ in passages]


class TinyRecognizer:
    """Writes down how long a passage is."""

    name = fingerprint = "tiny"

    def transcribe(self, passages):
        return [Transcript(f"{one.duration_s:.1f} seconds", "tiny") for one in passages]


class TinyTranscriptEncoder:
    """The lengths of a text's words, as a unit vector."""

    def encode(self, texts):
        rows = [np.array([1.0 + len(text) % (n + 2) for n in range(8)], np.float32) for text in texts]
        return [{"asr_dense": row / np.linalg.norm(row)} for row in rows]


class TinyService:
    """An open data folder, as ``Service.open`` composes it."""

    def __init__(self, data_dir: Path) -> None:
        self.lock = DataFolderLock(data_dir)
        self.store = Store(f"sqlite:///{data_dir / 'speechsearch.sqlite3'}")
        self.index = open_index(SPECS, path=data_dir / "index")
        self.limits = Limits()
        segmentation = Segmentation(shortest_s=2, longest_s=4)
        self.library = Library(
            data_dir, self.store, self.index, TinyEncoder(), TinyRecognizer(), TinyTranscriptEncoder(), segmentation,
            self.limits,
        )  # fmt: skip
        self.library.recover()
        self.index_recording = self.library.index_recording

    def mark_failed(self, recording_id, file_name, collection, message):
        self.store.journal.mark(recording_id, "failed", message, file_name, collection)

    def close(self) -> None:
        self.index.close()
        self.store.close()
        self.lock.release()


def ingest_all(data_dir: Path, folder: Path, connection: Connection) -> None:
    """Run in a process of its own: say when it begins, then how it ended."""
    connection.send("opening")
    service = TinyService(data_dir)
    connection.send("open")
    selection = discover([folder], service.limits, data_dir / "work")
    states = [result.state for result in run(service.manage, selection, collection="talks")]
    service.close()
    connection.send(states)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return a folder of short recordings: pieces of the sample collection."""
    folder = tmp_path_factory.mktemp("recordings")
    pieces = 4
    for number, path in enumerate(sorted(SAMPLES.glob("*.opus"))[: RECORDINGS // pieces]):
        samples, rate_hz = soundfile.read(path, frames=pieces * 6 * 16_000)
        for piece, part in enumerate(np.array_split(samples, pieces)):
            soundfile.write(folder / f"{number:02d}-{piece}.wav", part, rate_hz)
    return folder


class Ingest:
    """One ingest run in a process of its own."""

    def __init__(self, data_dir: Path, folder: Path) -> None:
        # A fork of a process that has imported everything starts at once.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=ingest_all, args=(data_dir, folder, theirs))
        self.process.start()
        theirs.close()

    def wait_for(self, message: str) -> None:
        assert self.connection.recv() == message

    def finish(self) -> list[str]:
        """Let it run to its end and return the states of its results."""
        self.wait_for("opening")
        self.wait_for("open")
        states = self.connection.recv()
        self.process.join()
        assert self.process.exitcode == 0
        self.connection.close()
        return states

    def kill(self) -> None:
        """Send SIGKILL, at whatever point it is."""
        self.process.kill()
        self.process.join()
        self.connection.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1])
def test_killed_twenty_times_nothing_is_lost_and_nothing_is_there_twice(tmp_path, folder, seed):
    reference = tmp_path / "reference"
    one = Ingest(reference, folder)
    one.wait_for("opening")
    one.wait_for("open")
    started_s = time.monotonic()
    assert one.connection.recv() == ["indexed"] * RECORDINGS
    whole_s = time.monotonic() - started_s
    one.process.join()
    one.connection.close()

    data_dir = tmp_path / "data with space"
    chance = random.Random(seed)
    half_done = []
    for number in range(KILLS):
        ingest = Ingest(data_dir, folder)
        ingest.wait_for("opening")
        if number % 4:  # every fourth is killed while it opens and recovers
            ingest.wait_for("open")
        # About one recording a kill; the whole would take longer than all kills together.
        time.sleep(chance.uniform(0, whole_s / 16))
        ingest.kill()
        half_done.append(_journal_states(data_dir))
    # The kills were spread over the work: some came before the end.
    assert sum(states.get("done", 0) < RECORDINGS for states in half_done) >= KILLS // 4

    states = Ingest(data_dir, folder).finish()
    assert len(states) == RECORDINGS
    assert set(states) <= {"indexed", "unchanged"}
    assert Ingest(data_dir, folder).finish() == ["unchanged"] * RECORDINGS
    assert _contents(data_dir) == _contents(reference)


def _journal_states(data_dir: Path) -> dict[str, int]:
    """Return how many recordings are in each state, read from a copy so that nothing is repaired."""
    import sqlite3

    if not (data_dir / "speechsearch.sqlite3").exists():
        return {}
    copy = data_dir.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(data_dir, copy)
    database = sqlite3.connect(copy / "speechsearch.sqlite3")
    try:
        return dict(database.execute("SELECT state, count(*) FROM journal GROUP BY state"))
    except sqlite3.OperationalError:  # killed before the tables were made
        return {}
    finally:
        database.close()


def _contents(data_dir: Path) -> dict[str, object]:
    """Return everything that is kept, after checking that its parts agree."""
    service = TinyService(data_dir)
    try:
        store = service.store
        assert service.library.differences() == []
        assert set(service.index.ids()) == store.passages.ids()
        assert len(list(service.index.ids())) == store.passages.count()
        assert not list(data_dir.glob("work/*"))
        recordings = store.recordings.find("talks")
        return {
            "recordings": sorted((one.recording_id, one.title, one.duration_s) for one in recordings),
            "passages": {one.passage_id: one for each in recordings for one in store.passages.of(each.recording_id)},
            "media": sorted(path.name for path in service.library.media_dir.iterdir()),
            "journal": sorted((entry.recording_id, entry.state) for entry in store.journal.entries()),
        }
    finally:
        service.close()
