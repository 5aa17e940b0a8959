"""Measure many visitors at once while recordings are taken in: errors, times by action, and memory over time.

``python -m benchmarks.visitors [--visitors 50 --minutes 10 --pause 3]`` starts a server of its own with an empty data
folder, whose uploads are private, waits until the samples are indexed, and lets every visitor (a cookie and an address
of his own) search, ask, play passages by ranges, upload and delete, with a pause after each. One more visitor adds
recordings without end. ``--data`` begins with a copy of a closed data folder. Prints tables in Markdown; the exit code
is 1 when anything failed.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import random
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import psutil
import soundfile

from benchmarks.page_load import percentile
from speechsearch.domain.assets import SAMPLES
from speechsearch.evaluation.machine import describe_machine

ROOT = Path(__file__).parents[1]
QUESTIONS = [json.loads(line)["text"] for line in (SAMPLES / "questions.jsonl").read_text("utf-8").splitlines()]
RATE_HZ = 16_000
ACTIONS = {"search": 55, "play": 25, "ask": 8, "upload": 6, "delete": 6}
"""How often each is done, in parts of a hundred."""
RANGE_BYTES = 65_536
SETTINGS = {
    "SERVER__UPLOADS": "private",
    "LIMITS__VISITOR_DURATION_S": "1000000",  # else the visitor who adds without end would soon be full
    "LIMITS__JOBS_AN_HOUR": "100000",
}
LOOK_EVERY_S = 5.0
GIVEN_UP_S, READY_S, ENDED_S = 60.0, 1800.0, 300.0


@dataclass
class Seen:
    """What happened: milliseconds by action, failures by action and reason, memory over time in bytes."""

    times_ms: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    failures: Counter[str] = field(default_factory=Counter)
    memory: list[tuple[float, int, int]] = field(default_factory=list)
    """When (s), of the server, of its children together."""


@contextmanager
def server(data: Path, log: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Run the application on a free port and give its address and process, once it is ready."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {**SETTINGS, "DATA_DIR": str(data), "SERVER__PORT": str(port)}
    environment = os.environ | {f"SPEECHSEARCH_{name}": value for name, value in settings.items()}
    with log.open("w") as output:
        program = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=output, stderr=output)
    address = f"http://127.0.0.1:{port}"
    try:
        until_ready(address, program)
        yield address, psutil.Process(program.pid)
    finally:
        program.terminate()
        try:
            program.wait(ENDED_S)
        except subprocess.TimeoutExpired:
            program.kill()
            raise


def until_ready(address: str, program: subprocess.Popen[bytes]) -> None:
    """Return when the server answers and all samples can be searched. Raises TimeoutError."""
    end_s = time.monotonic() + READY_S
    while time.monotonic() < end_s and program.poll() is None:
        try:
            health = httpx.get(f"{address}/health", timeout=GIVEN_UP_S).json()
            if health["passages"] and health["indexing"] is None:
                return
        except httpx.HTTPError:
            pass  # not yet
        time.sleep(1)
    raise TimeoutError(f"The server is not ready after {READY_S:.0f} s, or has ended.")


def spoken(draw: random.Random, duration_s: float) -> bytes:
    """Return a WAV file of samples one after the other, with a little noise, so that each file is new."""
    parts, held_s = [], 0.0
    files = sorted((SAMPLES / "audio").glob("*.opus"))
    while held_s < duration_s:
        sound, rate_hz = soundfile.read(draw.choice(files), dtype="float32")
        parts.append(sound[:: max(1, rate_hz // RATE_HZ)])
        held_s += len(parts[-1]) / RATE_HZ
    whole = np.concatenate(parts)[: int(duration_s * RATE_HZ)]
    noise = np.random.default_rng(draw.getrandbits(32)).normal(0, 1e-3, len(whole))
    written = io.BytesIO()
    soundfile.write(written, whole + noise.astype("float32"), RATE_HZ, format="WAV")
    return written.getvalue()


class Visitor:
    """Somebody with a cookie of his own."""

    def __init__(self, address: str, number: int, seen: Seen) -> None:
        # As behind a proxy on this machine; else all would be counted as one address.
        headers = {"X-Forwarded-For": f"10.0.{number // 250}.{number % 250 + 1}"}
        self.client = httpx.AsyncClient(base_url=address, timeout=GIVEN_UP_S, headers=headers)
        self._draw, self._number, self._seen = random.Random(number), number, seen
        self._found: list[str] = []

    async def stay(self, until_s: float, pause_s: float) -> None:
        """Do one thing after the other until the time is over."""
        async with self.client:
            await self.client.get("/health")
            await asyncio.sleep(self._draw.uniform(0, pause_s))
            while time.monotonic() < until_s:
                action = self._draw.choices(list(ACTIONS), list(ACTIONS.values()))[0]
                await self.do(action)
                await asyncio.sleep(self._draw.uniform(0.5, 1.5) * pause_s)

    async def do(self, action: str) -> None:
        """Do a thing and note how long it took, or why it failed."""
        began_s = time.perf_counter()
        try:
            answer = await getattr(self, action)()
        except httpx.HTTPError as error:
            self._seen.failures[f"{action}: {type(error).__name__}"] += 1
            return
        if answer is None:
            return
        if answer.is_success:
            self._seen.times_ms[action].append((time.perf_counter() - began_s) * 1000)
        else:
            self._seen.failures[f"{action}: {answer.status_code} {answer.text[:80]}"] += 1

    async def search(self) -> httpx.Response:
        """Search as the page's first column does."""
        answer = await self.client.get("/api/v1/search", params={"q": self._draw.choice(QUESTIONS), "k": 5})
        if answer.is_success:
            self._found = [hit["passage_id"] for hit in answer.json()["hits"]]
        return answer

    async def ask(self) -> httpx.Response:
        """Ask for an answer in sentences."""
        return await self.client.post("/api/v1/ask", json={"question": self._draw.choice(QUESTIONS)})

    async def play(self) -> httpx.Response | None:
        """Hear a passage that was found, in two ranges, as a player asks."""
        if not self._found:
            return None
        path = f"/api/v1/clips/{self._draw.choice(self._found)}"
        first = await self.client.get(path, headers={"Range": f"bytes=0-{RANGE_BYTES - 1}"})
        if first.status_code == 404:
            self._found = []  # somebody's own, deleted meanwhile
            return None
        rest = {"Range": f"bytes={RANGE_BYTES // 2}-"}
        return await self.client.get(path, headers=rest) if first.is_success else first

    async def upload(self) -> httpx.Response:
        """Add a short recording to a collection of one's own."""
        sound = await asyncio.to_thread(spoken, self._draw, 6.0)
        files = {"files": (f"note {self._draw.getrandbits(32)}.wav", sound, "audio/wav")}
        return await self.client.post("/api/v1/recordings", files=files, data={"collection": "mine"})

    async def delete(self) -> httpx.Response | None:
        """Delete one's own collection, if there is one and nothing is being added to it."""
        names = {one["name"] for one in (await self.client.get("/api/v1/collections")).json()}
        jobs = (await self.client.get("/api/v1/jobs")).json()
        is_busy = any(one["state"] in ("queued", "running") for one in jobs)
        if "mine" not in names or is_busy:
            return None
        return await self.client.delete("/api/v1/collections", params={"name": "mine"})

    async def add_without_end(self, until_s: float) -> int:
        """Keep a task of a long recording running and return how many were added."""
        added = 0
        async with self.client:
            while time.monotonic() < until_s:
                jobs = (await self.client.get("/api/v1/jobs")).json() if added else []
                if sum(one["state"] in ("queued", "running") for one in jobs) < 2:
                    sound = await asyncio.to_thread(spoken, self._draw, 300.0)
                    files = {"files": (f"talk {added}.wav", sound, "audio/wav")}
                    answer = await self.client.post("/api/v1/recordings", files=files, data={"collection": "talks"})
                    if not answer.is_success:
                        self._seen.failures[f"ingest: {answer.status_code} {answer.text[:80]}"] += 1
                    added += 1
                await asyncio.sleep(1.0)
        return added


async def watch(process: psutil.Process, began_s: float, until_s: float, seen: Seen) -> None:
    """Note the memory every few seconds."""
    while time.monotonic() < until_s:
        children = 0
        for child in process.children(recursive=True):
            try:
                children += child.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        seen.memory.append((time.monotonic() - began_s, process.memory_info().rss, children))
        await asyncio.sleep(LOOK_EVERY_S)


async def crowd(address: str, process: psutil.Process, visitors: int, minutes: float, pause_s: float) -> Seen:
    """Return what happens with so many visitors for so long."""
    seen, began_s = Seen(), time.monotonic()
    until_s = began_s + minutes * 60
    everybody = [Visitor(address, number, seen).stay(until_s, pause_s) for number in range(visitors)]
    adding = Visitor(address, visitors, seen).add_without_end(until_s)
    await asyncio.gather(adding, watch(process, began_s, until_s, seen), *everybody)
    return seen


def table(seen: Seen, minutes: float) -> str:
    """Return times by action and memory over time in Markdown.

    >>> seen = Seen(memory=[(0.0, 2**30, 0), (60.0, 2**30, 2**20)])
    >>> seen.times_ms["search"] += [100.0, 300.0]
    >>> print(table(seen, 1.0).splitlines()[2])
    | search | 2 | 2.0 | 300 | 300 | 300 |
    """
    lines = ["| action | n | a minute | p50 ms | p95 ms | p99 ms |", "|---|---:|---:|---:|---:|---:|"]
    for action in ACTIONS:
        if times_ms := seen.times_ms[action]:
            shares = " | ".join(f"{percentile(times_ms, share):.0f}" for share in (0.5, 0.95, 0.99))
            lines.append(f"| {action} | {len(times_ms)} | {len(times_ms) / minutes:.1f} | {shares} |")
    lines += ["", "| after s | server MB | children MB |", "|---:|---:|---:|"]
    shown = np.linspace(0, len(seen.memory) - 1, min(11, len(seen.memory))).round().astype(int)
    for at_s, own_bytes, children_bytes in (seen.memory[place] for place in shown):
        lines.append(f"| {at_s:.0f} | {own_bytes / 2**20:.0f} | {children_bytes / 2**20:.0f} |")
    return "\n".join(lines)


def main() -> int:
    """Print the tables; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--pause", type=float, default=3.0, help="seconds between an answer and the next action")
    parser.add_argument("--data", type=Path, help="a closed data folder that is copied, so that it begins sooner")
    parser.add_argument("--log", type=Path, help="where the server's output goes")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log, data = given.log or Path(folder) / "log", Path(folder) / "data"
        if given.data:
            shutil.copytree(given.data, data)
        with server(data, log) as (address, process):
            seen = asyncio.run(crowd(address, process, given.visitors, given.minutes, given.pause))
            counted = httpx.get(f"{address}/metrics", timeout=GIVEN_UP_S).text
        lines = log.read_text(encoding="utf-8").splitlines()
    print(f"{describe_machine()}, load {os.getloadavg()[0]:.1f} at the end")
    print(f"`python -m benchmarks.visitors {shlex.join(sys.argv[1:])}`\n\n{table(seen, given.minutes)}\n")
    taken_in = [line for line in counted.splitlines() if line.startswith("speechsearch_sound_seconds_total")]
    print(f"Sound taken in meanwhile, seconds: {taken_in[0].split()[-1] if taken_in else 0}")
    print("Failures: " + (", ".join(f"{reason} ({n})" for reason, n in seen.failures.most_common()) or "none"))
    problems = [line for line in lines if " error " in line]
    print("\n".join(["Errors in the server's log:", *problems[:20]]) if problems else "No errors in the server's log.")
    return 1 if seen.failures or problems else 0


if __name__ == "__main__":
    sys.exit(main())
