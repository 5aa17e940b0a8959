"""Ray's own actors: whatever is killed, in the end there is what one undisturbed process makes, and nothing twice."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from speechsearch.domain.assets import SAMPLES
from speechsearch.service.open import Service
from speechsearch.service.settings import Settings
from tests.tiny.fakes import open_fakes, take_in
from tests.tiny.kept import contents
from tests.tiny.postgresql import Databases
from tests.tiny.qdrant_server import QdrantServer, qdrant_server
from tests.tiny.ray_driver import LOUD, finished, living_actors, models, shared_settings, start, wait_until_gone

pytest.importorskip("ray", reason="Ray is not installed: pip install -r requirements-cluster.txt")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
RECORDINGS, SECONDS = 8, 12
TAKES_S = 0.4
"""So long the speech encoder takes for a batch, so that a kill finds it at work."""


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with short recordings."""
    folder = tmp_path_factory.mktemp("spoken")
    for number, path in enumerate(sorted((SAMPLES / "audio").glob("*.opus"))[:RECORDINGS]):
        samples, rate_hz = soundfile.read(path, frames=SECONDS * 16_000, dtype="float32")
        soundfile.write(folder / f"{number}.wav", samples * 0.9, rate_hz)
    return folder


@pytest.fixture(scope="module")
def expected(spoken: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What one process makes that nobody disturbs, cut into the same batches."""
    with open_fakes(tmp_path_factory.mktemp("whole") / "data", models()) as service:
        assert take_in(service, spoken) == ["indexed"] * RECORDINGS
        assert list(service.manage.catch_up()) == []
        return contents(service)


@pytest.fixture(scope="module")
def index() -> Iterator[QdrantServer]:
    with qdrant_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path, index: QdrantServer) -> Iterator[Settings]:
    """Settings of processes that share a database, the index and a folder for sound files."""
    (tmp_path / "media").mkdir()

    def chosen(database: str) -> Settings:
        return shared_settings(tmp_path / "data", database, index.url, tmp_path / "media")

    if request.param == "sqlite":
        yield chosen(f"sqlite:///{tmp_path / 'db'}")
        return
    databases: Databases = request.getfixturevalue("databases")
    with databases.one() as url:
        yield chosen(url)


def kept(settings: Settings) -> dict[str, object]:
    """Return what is there, as the page finds it."""
    with Service.open(settings, loader=models()) as service:
        assert service.store.leases.entries() == []
        return contents(service)


def states(results: list[dict[str, Any]]) -> set[str]:
    return {one["state"] for one in results}


def wait_for(what: Callable[[], object], process: subprocess.Popen[str], within_s: float = 300.0) -> None:
    """Wait until something is so, while a driver runs."""
    until_s = time.monotonic() + within_s
    while not what():
        assert process.poll() is None and time.monotonic() < until_s
        time.sleep(0.02)


def test_a_run_and_a_second_one(settings: Settings, spoken: Path, expected: dict[str, object]) -> None:
    results = finished(start(settings, [spoken]))
    assert [one["state"] for one in results] == ["indexed"] * RECORDINGS
    assert states(finished(start(settings, [spoken]))) == {"unchanged"}
    assert kept(settings) == expected


def test_two_drivers_share_the_work(settings: Settings, spoken: Path, expected: dict[str, object]) -> None:
    both = [start(settings, [spoken], takes_s=TAKES_S) for _ in range(2)]
    found = [finished(one) for one in both]
    done = [sum(one["state"] == "indexed" for one in results) for results in found]
    assert sum(done) == RECORDINGS and all(states(results) <= {"indexed", "unchanged"} for results in found)
    assert kept(settings) == expected


def test_two_drivers_on_a_cluster_with_room_for_half_of_their_actors(
    settings: Settings, spoken: Path, expected: dict[str, object]
) -> None:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    try:
        both = [start(settings, [spoken], address=cluster.address) for _ in range(2)]
        found = [finished(one) for one in both]
    finally:
        cluster.shutdown()
    assert sum(one["state"] == "indexed" for results in found for one in results) == RECORDINGS
    assert all(states(results) <= {"indexed", "unchanged"} for results in found)
    assert kept(settings) == expected


def test_killed_actors_and_killed_drivers(
    settings: Settings, spoken: Path, expected: dict[str, object], tmp_path: Path
) -> None:
    pids, chance = tmp_path / "pids", random.Random(1)
    pids.mkdir()
    driver = start(settings, [spoken], takes_s=TAKES_S, pids=pids)
    for _ in range(2):  # a recording is set aside after three
        wait_for(lambda: living_actors(pids, driver), driver)
        time.sleep(chance.uniform(0.2, 1.5))
        if driver.poll() is None and (living := living_actors(pids, driver)):
            os.kill(chance.choice(living), signal.SIGKILL)
    wait_for(lambda: living_actors(pids, driver), driver)
    time.sleep(chance.uniform(0.2, 1.5))
    with driver:
        driver.kill()
    wait_until_gone(pids)
    results = finished(start(settings, [spoken], is_retried=True))
    assert states(results) <= {"indexed", "unchanged"}
    assert kept(settings) == expected


def test_what_kills_its_actor_is_set_aside_and_the_rest_is_done(
    settings: Settings, spoken: Path, expected: dict[str, object], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(spoken, tmp_path / "in"))
    samples, rate_hz = soundfile.read(folder / "0.wav", dtype="float32")
    soundfile.write(folder / "poison.wav", samples / np.abs(samples).max(), rate_hz)
    assert np.abs(soundfile.read(folder / "poison.wav")[0]).max() > LOUD
    results = finished(start(settings, [folder]))
    failed = [one for one in results if one["state"] == "failed"]
    assert [one["name"] for one in failed] == ["in/poison.wav"] and "set aside: it failed 3 times" in failed[0][
        "message"
    ]
    assert len(results) == RECORDINGS + 1
    again = [one for one in finished(start(settings, [folder])) if one["state"] == "failed"]
    assert len(again) == 1 and "set aside" in again[0]["message"]
    (folder / "poison.wav").unlink()
    with Service.open(settings, loader=models()) as service:
        (left,) = service.store.leases.entries()
        entry = service.store.journal.entry(left.recording_id)
        assert left.tries == 3 and entry.state == "failed" and "set aside" in entry.message
        service.store.recordings.delete(left.recording_id)
    assert kept(settings) == expected
