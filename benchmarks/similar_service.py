"""Measure the routes of Similar: ``python -m benchmarks.similar_service FOLDER [--embedder NAME] [--seconds 20]``.

A server in a process of its own takes in the sound files of a folder and prepares them; callers in this one send
clips of 10 s to ``/embed`` and ``/search_by_audio`` and ask ``/search`` by track, each again as soon as it is
answered. Once as it is (requests that wait together are heard together, up to 16), and once with every request heard
alone. Prints a table.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import itertools
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import soundfile

from speechsearch.evaluation.machine import describe_machine

CALLERS = (1, 8, 32)
ROUTES = ("embed", "search_by_audio", "search")
CLIP_S, CLIPS = 10.0, 64
START_S = 1800.0
PATH = "/api/v1/similar"


def serve(folder: Path, embedder: str, most_together: int, device: str, port: int) -> None:
    """Take in a folder and answer until killed; says "ready" when everything is prepared."""
    import uvicorn

    from ingest import discover, run
    from speechsearch.api import create_app
    from speechsearch.domain.limits import Limits
    from speechsearch.models import combiner
    from speechsearch.service.open import Service
    from speechsearch.service.settings import EngineSettings, ModelSettings, Settings

    combiner.MOST_TOGETHER = most_together
    with tempfile.TemporaryDirectory() as kept:
        engines = EngineSettings(recognizer="none", speaker_encoder="none", sound_embedder=embedder)
        settings = Settings(
            data_dir=Path(kept), engines=engines, limits=Limits(searches_a_minute=10**6),
            models=ModelSettings(device=device),
        )  # fmt: skip
        with Service.open(settings) as service:
            with service.workspace() as workspace:
                list(run(service.manage, discover([folder], service.limits, workspace), collection="bench"))
            failed = list(service.manage.catch_up())
            if failed:
                sys.exit(failed[0].message)
            print(f"ready {len(service.browse.recordings())}", flush=True)
            # A busy machine must not end connections that seem idle.
            uvicorn.run(
                create_app(service), host="127.0.0.1", port=port, log_level="error", timeout_keep_alive=round(START_S)
            )


@contextmanager
def server(arguments: argparse.Namespace, most_together: int) -> Iterator[str]:
    """Run the server in a process of its own; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.similar_service", str(arguments.folder), "--serve", str(port)]
    command += ["--embedder", arguments.embedder, "--device", arguments.device]
    command += ["--most-together", str(most_together)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None, "it was asked for"
            line = process.stdout.readline()
            if not line.startswith("ready"):
                sys.exit(f"the server did not start: {line}")
            address, until_s = f"http://127.0.0.1:{port}", time.monotonic() + START_S
            while True:
                try:
                    httpx.get(f"{address}{PATH}/health", timeout=60).raise_for_status()
                    break
                except httpx.ConnectError:
                    if time.monotonic() > until_s:
                        raise
                    time.sleep(0.1)
            yield address
        finally:
            process.terminate()
            process.wait(60)


def clips_of(folder: Path) -> list[bytes]:
    """Return clips of the folder's files as 16-bit WAV."""
    found: list[bytes] = []
    for path in itertools.cycle(sorted(one for one in folder.rglob("*") if one.is_file())):
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        size = round(CLIP_S * rate_hz)
        start = int(np.random.default_rng(len(found)).integers(0, max(1, len(samples) - size)))
        file = io.BytesIO()
        soundfile.write(file, samples[start : start + size, 0], rate_hz, format="WAV", subtype="PCM_16")
        found.append(file.getvalue())
        if len(found) == CLIPS:
            return found
    return found


async def call(
    address: str, route: str, clips: list[bytes], ids: list[str], callers: int, seconds: float
) -> tuple[list[float], float]:
    """Return how long each request took, in ms, and all together, in s; each caller asks again once it is answered.

    Every caller asks once before, so that models, landmarks and the processes that decode are there.
    """
    times_ms: list[float] = []
    numbers = itertools.count()

    async def ask(client: httpx.AsyncClient) -> None:
        number = next(numbers)
        if route == "search":
            answer = await client.get(f"{PATH}/search", params={"track_id": ids[number % len(ids)]})
        else:
            answer = await client.post(f"{PATH}/{route}", content=clips[number % len(clips)])
        answer.raise_for_status()

    async def caller(client: httpx.AsyncClient, until_s: float) -> None:
        while (began_s := time.perf_counter()) < until_s:
            await ask(client)
            times_ms.append(1000 * (time.perf_counter() - began_s))

    limits = httpx.Limits(max_connections=callers)
    async with httpx.AsyncClient(base_url=address, timeout=300, limits=limits) as client:
        await asyncio.gather(*(ask(client) for _ in range(callers)))
        began_s = time.perf_counter()
        await asyncio.gather(*(caller(client, began_s + seconds) for _ in range(callers)))
    return times_ms, time.perf_counter() - began_s


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--embedder", default="similar-mini")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--route", action="append", choices=ROUTES, help="only this one, or several")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--serve", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--most-together", type=int, default=16, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.folder, given.embedder, given.most_together, given.device, given.serve)
        return
    clips = clips_of(given.folder)
    print(f"{describe_machine()}; clips of {CLIP_S:g} s, {given.seconds:g} s a row, {given.embedder}")
    print(
        "| route | batching | callers | requests | a second | p50 ms | p95 ms |\n|:---|:---|---:|---:|---:|---:|---:|"
    )
    routes = given.route or ROUTES
    for most_together in (16, 1):
        with server(given, most_together) as address:
            listed = httpx.get(f"{address}/api/v1/recordings", params={"limit": 500}, timeout=60).json()
            ids = [one["recording_id"] for one in listed["recordings"]]
            for route, callers in itertools.product(routes if most_together > 1 else ("embed",), CALLERS):
                times_ms, spent_s = asyncio.run(call(address, route, clips, ids, callers, given.seconds))
                p50, p95 = np.percentile(times_ms, (50, 95))
                said = "yes" if most_together > 1 else "no"
                rate = len(times_ms) / spent_s
                print(
                    f"| {route} | {said} | {callers} | {len(times_ms)} | {rate:.1f} | {p50:.0f} | {p95:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
