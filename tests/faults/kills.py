"""Kill ingest at random points, again and again, and compare what is there in the end with what nobody disturbed.

The service, the library, the store, the index, the children that decode and the ingest loop are the real ones; only the
models are fakes unless real ones are asked for. Every series starts with an empty library, and is killed ``ROUNDS``
times on its way through a folder, a zip, a tar, a dataset and the second pass. On PostgreSQL, one round of three
crashes the server instead, in the midst of the work, and starts it again.
"""

from __future__ import annotations

import io
import multiprocessing
import random
import tarfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from ingest import dataset_sources, discover, run
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import SpeechSearchError
from speechsearch.domain.limits import Limits
from speechsearch.library import intake, second_pass
from speechsearch.service.open import Service, new_loader
from speechsearch.service.settings import EngineSettings, Settings
from tests.tiny.fakes import FakeLoader, fake_settings
from tests.tiny.kept import check_search, contents, copied
from tests.tiny.postgresql import Cluster, Databases

ROUNDS = 10
BATCH_S = 4.0
"""Of this there are many in a recording, so that kills come between them."""
ENDS_WITHIN_S = 600.0
STEPS = ("opening", "folder", "zip", "tar", "dataset", "second pass", "over")


@dataclass
class Outcome:
    """What was done to the process, and where it was then."""

    kills: Counter[str] = field(default_factory=Counter)
    restarts: Counter[str] = field(default_factory=Counter)
    searches: int = 0
    series: int = 0
    recordings: int = 0
    passages: int = 0

    def count(self) -> int:
        """How many kills and restarts there were."""
        return self.kills.total() + self.restarts.total()


def make_sources(folder: Path, pieces: int) -> None:
    """Write as many short recordings into each of a folder, a zip, a tar and a dataset, all different.

    The first of the folder is in the zip, too: it must not be there twice.
    """
    from datasets import Dataset

    contents_of = iter(spoken(4 * pieces))
    (folder / "folder").mkdir(parents=True)
    for number in range(pieces):
        (folder / "folder" / f"{number:02d}.wav").write_bytes(next(contents_of))
    with zipfile.ZipFile(folder / "talks.zip", "w") as packed:
        packed.write(folder / "folder" / "00.wav", "again.wav")
        for number in range(pieces):
            packed.writestr(f"zip/{number:02d}.wav", next(contents_of))
    tar = folder / "tar"
    tar.mkdir()
    for number in range(pieces):
        (tar / f"{number:02d}.wav").write_bytes(next(contents_of))
    with tarfile.open(folder / "talks.tar.gz", "w:gz") as archive:
        archive.add(tar, "tar")
    rows = [{"bytes": next(contents_of), "path": f"row{number:02d}.wav"} for number in range(pieces)]
    Dataset.from_dict({"audio": rows}).to_parquet(folder / "talks.parquet")


def spoken(count: int) -> Iterator[bytes]:
    """Yield so many short recordings: pieces of the samples, each of about six seconds."""
    for path in sorted((SAMPLES / "audio").glob("*.opus")):
        samples, rate_hz = soundfile.read(path)
        for part in np.array_split(samples, max(1, round(len(samples) / rate_hz / 6))):
            if count == 0:
                return
            file = io.BytesIO()
            soundfile.write(file, part, rate_hz, format="WAV")
            yield file.getvalue()
            count -= 1


def opened(data_dir: Path, database: str, has_real_models: bool) -> Service:
    """Open the service, with fakes or with the smallest of the real models."""
    if has_real_models:
        chosen = EngineSettings(recognizer="mini", threads=1)
        settings = Settings(data_dir=data_dir, engines=chosen, store={"url": database})
        return Service.open(settings, loader=new_loader(settings))
    models = FakeLoader()
    return Service.open(fake_settings(data_dir, models, database=database), loader=models)


def work(folder: Path, data_dir: Path, database: str, has_real_models: bool, connection: Connection) -> None:
    """Run in a process of its own: take in everything, make what is missing, and say at which step it is."""
    intake.BATCH_S = second_pass.BATCH_S = BATCH_S
    try:
        with opened(data_dir, database, has_real_models) as service, service.workspace() as workspace:
            for step, find in {
                "folder": lambda: discover([folder / "folder"], service.limits, workspace),
                "zip": lambda: discover([folder / "talks.zip"], service.limits, workspace),
                "tar": lambda: discover([folder / "talks.tar.gz"], service.limits, workspace),
                "dataset": lambda: dataset_sources(
                    str(folder / "talks.parquet"), workspace=workspace, limits=Limits(), split="train"
                ),
            }.items():
                connection.send(step)
                for result in run(service.manage, find(), collection="talks"):
                    if result.state == "failed":
                        connection.send(result)
            connection.send("second pass")
            for unmade in service.manage.catch_up():
                connection.send(unmade)
        connection.send("over")
    except SpeechSearchError as error:  # the server is gone: what the command line says, and ends
        connection.send(error)


class Process:
    """One run in a process of its own."""

    def __init__(self, *arguments: Any) -> None:
        # A fork of a process that has imported everything starts at once.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(
            [__name__, "alembic.command", "onnxruntime", "qdrant_edge", "datasets", "psycopg"]
        )
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(*arguments, theirs))
        self.process.start()
        theirs.close()
        self.step, self.failures = "opening", []
        self.began_s = {self.step: time.monotonic()}

    def listen(self, until_s: float, until_step: str = "") -> None:
        """Take notice of what it says until a time or a step comes, or until it has ended."""
        try:
            while self.step != until_step and self.connection.poll(max(0.0, until_s - time.monotonic())):
                said = self.connection.recv()
                if isinstance(said, str):
                    self.step, self.began_s[said] = said, time.monotonic()
                else:
                    self.failures.append(said)
        except EOFError:
            self.process.join()

    def wait_for(self, step: str, offset_s: float) -> None:
        """Let it come to a step, and go on for a while."""
        self.listen(time.monotonic() + ENDS_WITHIN_S, step)
        self.listen(time.monotonic() + offset_s)

    def kill(self) -> None:
        """Send SIGKILL, at whatever point it is."""
        self.process.kill()
        self.listen(time.monotonic() + ENDS_WITHIN_S)

    def finish(self) -> None:
        """Let it come to its end; raises AssertionError when it crashes."""
        self.listen(time.monotonic() + ENDS_WITHIN_S)
        assert self.process.exitcode == 0, f"ended with {self.process.exitcode} at {self.step}"


def killed(
    folder: Path,
    kills: int,
    seed: int,
    pieces: int = 6,
    on_postgresql: Cluster | None = None,
    has_real_models: bool = False,
) -> Iterator[Outcome]:
    """Kill ``kills`` times, in series of ROUNDS, and yield after each what was done so far.

    Raises AssertionError where anything is lost, or there twice.

    ``folder``: where all of it happens, empty. ``on_postgresql``: a server that runs, and is crashed, too.
    """
    make_sources(folder / "in", pieces)
    outcome, chance = Outcome(), random.Random(seed)
    whole = Process(folder / "in", folder / "whole" / "data", "", has_real_models)
    whole.finish()
    assert (whole.step, whole.failures) == ("over", []), whole.failures
    with opened(folder / "whole" / "data", "", has_real_models) as service:
        expected = contents(service)
    outcome.recordings, outcome.passages = len(expected["recordings"]), len(expected["passages"])
    assert outcome.recordings == 4 * pieces
    databases = Databases(on_postgresql.url) if on_postgresql else None
    while outcome.count() < kills:
        data_dir = folder / f"series {outcome.series}" / "data"
        data_dir.parent.mkdir()
        with ExitStack() as stack:
            database = stack.enter_context(databases.one()) if databases else ""
            for step, offset_s in points(whole.began_s, min(ROUNDS, kills - outcome.count()), chance):
                one = Process(folder / "in", data_dir, database, has_real_models)
                one.wait_for(step, offset_s)
                if on_postgresql and chance.random() < 1 / 3:
                    outcome.restarts[one.step] += 1
                    on_postgresql.kill()
                    one.listen(time.monotonic() + chance.uniform(0, 1))
                    on_postgresql.start()
                    one.finish()
                else:
                    one.kill()
                    outcome.kills[one.step] += 1
                outcome.searches += checked(data_dir, database, databases, has_real_models)
            last = Process(folder / "in", data_dir, database, has_real_models)
            last.finish()
            assert (last.step, last.failures) == ("over", []), last.failures
            with opened(data_dir, database, has_real_models) as service:
                found = contents(service)
            for part, value in expected.items():
                assert found[part] == value, f"{part} differ after series {outcome.series}"
        outcome.series += 1
        yield outcome


def points(began_s: dict[str, float], count: int, chance: random.Random) -> list[tuple[str, float]]:
    """Return random points of a run's time as a step and seconds after its beginning, in their order.

    So each kill of a series finds work that is yet to be done; what is done already is passed quickly.
    """
    first_s, last_s = began_s[STEPS[0]], began_s[STEPS[-1]]
    times_s = sorted(chance.uniform(first_s, last_s) for _ in range(count))
    steps = [max((begun_s, step) for step, begun_s in began_s.items() if begun_s <= one) for one in times_s]
    return [(step, one - begun_s) for (begun_s, step), one in zip(steps, times_s, strict=True)]


def checked(data_dir: Path, database: str, databases: Databases | None, has_real_models: bool) -> int:
    """Open a copy of what a killed process left, and search it as the page would; return how many searches that was."""
    with copied(data_dir, database, databases) as (copy, url), opened(copy, url, has_real_models) as service:
        if has_real_models:
            assert service.browse.differences() == []
            return 0
        return check_search(service)
