"""Ingest is killed at random points and ends as if nobody had disturbed it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import ray_kills
from tests.faults.kills import killed
from tests.tiny.postgresql import Cluster, binaries


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_twenty_kills_lose_nothing(tmp_path: Path) -> None:
    *_, outcome = killed(tmp_path, kills=20, seed=2)
    assert outcome.kills.total() == 20 and outcome.searches > 0


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(binaries() is None, reason="PostgreSQL is not installed")
def test_kills_and_crashes_of_postgresql_lose_nothing(tmp_path: Path) -> None:
    cluster = Cluster(binaries())
    try:
        cluster.start()
        *_, outcome = killed(tmp_path, kills=20, seed=2, on_postgresql=cluster)
    finally:
        cluster.close()
    assert outcome.count() == 20 and outcome.restarts.total() > 0


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_actors_and_drivers_on_ray_lose_nothing(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    *_, outcome = ray_kills.killed(tmp_path, kills=5, seed=2, recordings=6)
    assert outcome.kills.total() == 5 and outcome.searches > 0
