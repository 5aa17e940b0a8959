"""Kill the process at random points of both passes: nothing is lost and nothing is there twice.

The service, the library, the store, the index and the ingest loop are the real ones; only the models are fakes.
"""

from __future__ import annotations

import multiprocessing
import random
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
import soundfile
import sqlalchemy as sa

from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.values import Audio, Transcript
from speechsearch.library import intake, second_pass
from tests.tiny.fakes import FakeLoader, FakeRecognizer, open_fakes, take_in
from tests.tiny.kept import check_search, contents, copied
from tests.tiny.postgresql import Databases, with_driver

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


def work(data_dir: Path, folder: Path, database: str, connection: Connection) -> None:
    """Run in a process of its own: say how far it is, then how it ended."""
    intake.BATCH_S = second_pass.BATCH_S = BATCH_S
    connection.send("opening")
    models = FakeLoader(recognizers=(Unhurried(log=data_dir.parent / "log"),))
    with open_fakes(data_dir, models, database=database) as service:
        connection.send("open")
        states = take_in(service, folder)
        connection.send("taken in")
        failed = list(service.manage.catch_up())
    connection.send((states, failed))


class Work:
    """One run of both passes in a process of its own."""

    def __init__(self, data_dir: Path, folder: Path, database: str = "") -> None:
        # A fork of a process that has imported everything starts at once.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__, "alembic.command", "onnxruntime", "qdrant_edge"])
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(data_dir, folder, database, theirs))
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


@pytest.fixture(params=["sqlite", "postgresql"])
def servers(request: pytest.FixtureRequest) -> Databases | None:
    """The databases of a PostgreSQL server; None for SQLite in the data folder."""
    return None if request.param == "sqlite" else request.getfixturevalue("databases")


@pytest.mark.parametrize(
    ("recordings", "kills", "seed"),
    [
        pytest.param(6, 3, 1, id="quick"),
        pytest.param(40, 20, 1, id="long", marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
    ],
)
def test_killed_many_times_nothing_is_lost_and_nothing_is_there_twice(
    tmp_path: Path, spoken: list[Path], servers: Databases | None, recordings: int, kills: int, seed: int
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
    with open_fakes(whole_dir, FakeLoader()) as service:
        expected = contents(service)
    assert len(expected["transcripts"]) == len(expected["passages"]) > recordings

    chance = random.Random(seed)
    done, written = [], []
    with servers.one() if servers else nullcontext("") as database:
        for number in range(kills):
            one = Work(data_dir, folder, database)
            one.wait_for("opening")
            if number % 4 != 3:  # every fourth is killed while it opens and recovers
                one.wait_for("open")
            time.sleep(chance.uniform(0, 1.5 * first_s / kills) * bool(number))
            one.kill()
            with copied(data_dir, database, servers) as (copy, url):
                done.append(counted(copy, url, "SELECT count(*) FROM journal WHERE state = 'done'"))
        for number in range(kills):
            one = Work(data_dir, folder, database)
            one.wait_for("opening", "open", "taken in")
            time.sleep(chance.uniform(0, 1.5 * second_s / kills) * bool(number))
            one.kill()
            with copied(data_dir, database, servers) as (copy, url):
                written.append(counted(copy, url, "SELECT count(*) FROM transcripts"))
                with open_fakes(copy, FakeLoader(), database=url) as service:
                    check_search(service)
        # Some of the kills came in the midst of the first pass, and of the second.
        assert min(done) < recordings and min(written) < len(expected["transcripts"])
        assert sum(number < recordings for number in done) >= max(1, kills // 4)

        one = Work(data_dir, folder, database)
        one.wait_for("opening", "open", "taken in")
        assert one.finish() == ["unchanged"] * recordings
        with open_fakes(data_dir, FakeLoader(), database=database) as service:
            assert contents(service) == expected
    lines = (data_dir.parent / "log").read_text().splitlines()
    assert set(lines) == set((whole_dir.parent / "log").read_text().splitlines())
    repeated = sum(count - 1 for count in Counter(lines).values())
    assert repeated <= kills * BATCH_PASSAGES  # a kill costs a batch at most; nothing is written down from the start


def counted(data_dir: Path, database: str, statement: str) -> int:
    """Return a number from a database; 0 where it has no tables yet."""
    engine = sa.create_engine(with_driver(database) if database else f"sqlite:///{data_dir / 'speechsearch.db'}")
    try:
        with engine.connect() as connection:
            return int(connection.scalar(sa.text(statement)))
    except (sa.exc.OperationalError, sa.exc.ProgrammingError):  # killed before the tables were made
        return 0
    finally:
        engine.dispose()
