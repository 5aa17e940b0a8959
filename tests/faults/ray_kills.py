"""Kill ingest on Ray again and again: an actor, the driver, or the database's server.

Drivers, actors, leases, store and index (a stand-in over HTTP) are the real ones; only the models are fakes. A series
starts with nothing and is disturbed ``ROUNDS`` times on its way; what is there is opened and searched after each.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from unittest import mock

import soundfile

from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.values import Query
from speechsearch.service.open import Service
from speechsearch.service.settings import Settings
from speechsearch.store import Store
from tests.faults.kills import Outcome
from tests.tiny.fakes import open_fakes, take_in
from tests.tiny.kept import contents
from tests.tiny.postgresql import Cluster, Databases
from tests.tiny.qdrant_server import qdrant_server
from tests.tiny.ray_driver import finished, living_actors, models, shared_settings, start, wait_until_gone

ROUNDS = 5
SECONDS = 12
TAKES_S = 0.4
"""So long the speech encoder takes for a batch, so that a kill finds it at work."""
STARTS_WITHIN_S = 300.0
DONE = {"indexed", "unchanged"}


def make_sounds(folder: Path, recordings: int) -> None:
    """Write short recordings that are all different."""
    folder.mkdir()
    for number, path in enumerate(sorted((SAMPLES / "audio").glob("*.opus"))[:recordings]):
        samples, rate_hz = soundfile.read(path, frames=SECONDS * 16_000, dtype="float32")
        soundfile.write(folder / f"{number}.wav", samples * 0.9, rate_hz)


def killed(
    folder: Path, kills: int, seed: int, recordings: int = 12, on_postgresql: Cluster | None = None
) -> Iterator[Outcome]:
    """Disturb ``kills`` times, in series of ROUNDS, and yield after each what was done so far.

    Raises AssertionError where anything is lost, or there twice.

    ``folder``: where all of it happens, empty. ``on_postgresql``: a server that runs, and is crashed, too.
    """
    from ray.cluster_utils import Cluster as RayCluster

    make_sounds(folder / "in", recordings)
    with open_fakes(folder / "whole" / "data", models()) as service:
        assert take_in(service, folder / "in") == ["indexed"] * recordings
        assert list(service.manage.catch_up()) == []
        expected = contents(service)
    outcome, chance = Outcome(recordings=recordings, passages=len(expected["passages"])), random.Random(seed)  # type: ignore[arg-type]
    databases = Databases(on_postgresql.url) if on_postgresql else None
    # Of itself Ray lets actors wait for all other programs, those of a driver that begins anew among them.
    unhurried = mock.patch.dict(os.environ, RAY_worker_niceness="0")
    with unhurried, qdrant_server() as index, ExitStack() as stack:
        ray = RayCluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
        stack.callback(ray.shutdown)
        while outcome.count() < kills:
            own = folder / f"series{outcome.series}"
            (own / "media").mkdir(parents=True)
            with ExitStack() as lent:
                url = lent.enter_context(databases.one()) if databases else f"sqlite:///{own / 'db'}"
                settings = shared_settings(own / "data", url, index.url, own / "media")
                one = Series(settings, folder / "in", ray.address, chance, outcome, on_postgresql)
                one.disturb(min(ROUNDS, kills - outcome.count()))
                one.finish()
                with Service.open(settings, loader=models()) as service:
                    found = contents(service)
                    assert service.store.leases.entries() == []
                for part, value in expected.items():
                    assert found[part] == value, f"{part} differ after series {outcome.series}"
            outcome.series += 1
            yield outcome


def searched(service: Service) -> int:
    """See that the page can search, and finds nothing twice, while others write; return how many searches that took."""
    engines = ("adapter", "asr")
    for engine in engines:
        found = [hit.passage.passage_id for hit in service.search.find(Query("anything", top_k=200), engine).hits]
        assert len(set(found)) == len(found)
    return len(engines)


class Series:
    """One library, from nothing to the end; ``server``: of its database, where that is crashed, too."""

    def __init__(
        self, settings: Settings, sounds: Path, address: str, chance: random.Random, outcome: Outcome,
        server: Cluster | None,
    ) -> None:  # fmt: skip
        self._settings, self._sounds, self._address = settings, sounds, address
        self._chance, self._outcome, self._server = chance, outcome, server
        self._pids = settings.data_dir.parent / "pids"
        self._pids.mkdir()
        self._store = Store(settings.store.url.get_secret_value())

    def _start(self) -> subprocess.Popen[str]:
        return start(
            self._settings, [self._sounds], takes_s=TAKES_S, pids=self._pids, is_retried=True, address=self._address
        )

    def _is_at_work(self, driver: subprocess.Popen[str]) -> bool:
        """Say whether an actor has claimed a recording."""
        leases = self._store.leases
        return bool(living_actors(self._pids, driver) and leases.held([one.recording_id for one in leases.entries()]))

    def disturb(self, times: int) -> None:
        """Kill something so many times, each while there is work; what is done sooner is begun again."""
        choices = ["an actor", "an actor", "the driver", *(["the server"] if self._server else [])]
        driver = self._start()
        for _ in range(times):
            until_s = time.monotonic() + STARTS_WITHIN_S
            while driver.poll() is None and not self._is_at_work(driver):
                assert time.monotonic() < until_s, "no actor works"
                time.sleep(0.05)
            time.sleep(self._chance.uniform(0.2, 4.0))
            what = self._chance.choice(choices) if driver.poll() is None else "over"
            actors = living_actors(self._pids, driver)
            if what == "an actor" and actors:
                with suppress(ProcessLookupError):
                    os.kill(self._chance.choice(actors), signal.SIGKILL)
            elif what == "the driver":
                driver.kill()
            elif what == "the server" and self._server:
                self._server.kill()
                time.sleep(self._chance.uniform(0, 2))
                self._server.start()
                self._outcome.restarts["at work"] += 1
            if what != "the server":
                self._outcome.kills[what] += 1
            if what in ("the driver", "over"):
                with driver:
                    driver.wait()
                wait_until_gone(self._pids)
                driver = self._start()
            with Service.open(self._settings, "share", loader=models()) as service:
                self._outcome.searches += searched(service)
        finished(driver, may_fail=True)  # it fails where the server went while it was opening the database

    def finish(self) -> None:
        """Run once more, undisturbed."""
        wait_until_gone(self._pids)
        states = [one["state"] for one in finished(self._start())]
        assert states and set(states) <= DONE, states
        self._store.close()
