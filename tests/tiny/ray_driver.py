"""A driver of ``ingest --on ray`` with the fake models, in a process of its own, so that it can be killed.

``python -m tests.tiny.ray_driver`` reads a JSON object with what is to be done, and prints a line for each result.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cluster.listing import listed
from cluster.pool import RayPool
from cluster.run import Finder, ingest_on
from cluster.tasks import How
from ingest import discover
from speechsearch.domain.values import Audio
from speechsearch.library import intake
from speechsearch.models.base import EncodedPassage
from speechsearch.service.open import Service
from speechsearch.service.settings import Settings
from tests.tiny.fakes import FakeLoader, FakeSpeakerEncoder, FakeSpeechEncoder, fake_settings

ROOT = Path(__file__).parent.parent.parent
BATCH_S = 4.0
"""Of this there are several in a recording, so that kills come between them."""
LOUD = 0.999
"""So loud nothing is but what ends the process that hears it."""


class Mortal(FakeSpeechEncoder):
    """Takes its time, and dies of what is too loud."""

    def __init__(self, takes_s: float) -> None:
        super().__init__()
        self._takes_s = takes_s

    def encode_passages(self, sounds: Sequence[Audio]) -> list[EncodedPassage]:
        time.sleep(self._takes_s)
        if any(float(np.abs(sound.samples).max(initial=0.0)) > LOUD for sound in sounds):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode_passages(sounds)


def models(takes_s: float = 0.0) -> FakeLoader:
    """The models of drivers and actors."""
    return FakeLoader(speech=Mortal(takes_s), speakers=FakeSpeakerEncoder())


def shared_settings(data_dir: Path, database: str, index: str, media: Path, actors: int = 2) -> Settings:
    """Settings of processes that work together; leases are short, so that what a killed one had is free soon.

    Each data folder has a collection of its own on the server ``index``.
    """
    chosen = {
        "index": {"url": index, "name": data_dir.parent.name},
        "media": {"url": str(media)},
        "cluster": {"actors": actors, "lease_s": 3.0},
    }
    settings = fake_settings(data_dir, models(), database=database)
    return Settings.model_validate({**settings.model_dump(), **chosen})


def open_shared_fakes(settings: Settings, takes_s: float, pids: Path | None) -> Service:
    """Open the service as one of several processes; ``pids``: a folder with a file for each process."""
    intake.BATCH_S = BATCH_S
    if pids is not None:
        (pids / str(os.getpid())).touch()
    return Service.open(settings, "share", loader=models(takes_s))


def finder(sources: Sequence[str]) -> Finder:
    """Return what lists files, folders, archives and addresses."""

    def find(service: Service, workspace: Path) -> Any:
        places = listed(sources, service.limits, workspace)
        return discover(places.paths, service.limits, workspace), places

    return find


def start(
    settings: Settings, sources: Sequence[Path], *, wants_passes: bool = True, takes_s: float = 0.0,
    pids: Path | None = None, is_retried: bool = False, address: str = "",
) -> subprocess.Popen[str]:  # fmt: skip
    """Start a driver."""
    about = {
        "data_dir": str(settings.data_dir),
        "database": settings.store.url.get_secret_value(),
        "index": settings.index.url,
        "media": settings.media.url,
        "actors": settings.cluster.actors,
        "sources": [str(one) for one in sources],
        "wants_passes": wants_passes,
        "is_retried": is_retried,
        "address": address,
        "takes_s": takes_s,
        "pids": str(pids) if pids else "",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.tiny.ray_driver"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "RAY_worker_niceness": "0"},  # of itself Ray lets actors wait for all other programs
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(about))
    process.stdin.close()
    return process


def finished(process: subprocess.Popen[str], may_fail: bool = False) -> list[dict[str, Any]]:
    """Let a driver run to its end and return its results; ``may_fail``: what it needs was taken from it."""
    with process:
        assert process.stdout is not None
        lines = process.stdout.read().splitlines()
    assert may_fail or process.returncode == 0
    return [json.loads(line) for line in lines]


def living_actors(pids: Path, driver: subprocess.Popen[str]) -> list[int]:
    """Return the actors of a driver that live; ``pids``: the folder with a file for each process."""
    found = [int(one.name) for one in pids.iterdir() if int(one.name) != driver.pid]
    return [one for one in found if is_alive(one)]


def is_alive(pid: int) -> bool:
    """Say whether a process has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pids: Path, within_s: float = 120.0) -> None:
    """Wait until the actors of a killed driver have ended: Ray sees to that."""
    until_s = time.monotonic() + within_s
    while any(is_alive(int(one.name)) for one in pids.iterdir()):
        assert time.monotonic() < until_s
        time.sleep(0.1)


def main() -> None:
    """Do what standard input says."""
    about = json.load(sys.stdin)
    where = (Path(about["data_dir"]), about["database"], about["index"], Path(about["media"]), about["actors"])
    pids = Path(about["pids"]) if about["pids"] else None
    opener = partial(open_shared_fakes, takes_s=about["takes_s"], pids=pids)
    how = How("talks", is_retried=about["is_retried"], wants_passes=about["wants_passes"])
    pool = partial(RayPool, address=about["address"])
    for result in ingest_on(pool, shared_settings(*where), finder(about["sources"]), how, opener=opener):
        print(json.dumps({"name": result.name, "state": result.state, "message": result.message}), flush=True)


if __name__ == "__main__":
    main()
