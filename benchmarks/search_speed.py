"""Measure the way of a question, before and after: ``python -m benchmarks.search_speed DATA --code OLD --code .``.

Every ``--code`` is a checkout; each is run by itself on a copy of the data folder DATA, one after the other, so that
figures of one run can be compared. ``app.py`` is started and asked over HTTP: how soon it answers, how much memory it
holds then and after the first search, and what many visitors get who ask without a pause. Below the page, one thread
asks the service in a process of its own. Every question is a new one: a word of it is another one each time, so that
nothing is remembered. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import asyncio
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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import psutil

from benchmarks.page_load import percentile
from speechsearch.domain.assets import SAMPLES
from speechsearch.evaluation import describe_machine

STARTING_S = 300.0
SETTLED_S, IDLE_PERCENT = 4.0, 8.0
BELOW = """
import json, sys, time
from pathlib import Path
from speechsearch.domain.values import Query
from speechsearch.service.open import Service
from speechsearch.service.settings import Settings
questions = json.load(sys.stdin)
started = time.perf_counter()
with Service.open(Settings(data_dir=Path(sys.argv[1]))) as service:
    found = {"open and first search, ms": [], "one search, ms": [], "one search, ms of the processor": []}
    service.search.find(Query(questions[0]))
    found["open and first search, ms"].append((time.perf_counter() - started) * 1000)
    for question in questions[1:6]:
        service.search.find(Query(question))
    for question in questions[6:]:
        before = time.perf_counter(), time.process_time()
        service.search.find(Query(question))
        found["one search, ms"].append((time.perf_counter() - before[0]) * 1000)
        found["one search, ms of the processor"].append((time.process_time() - before[1]) * 1000)
print(json.dumps(found))
"""


def new_questions(count: int, seed: int) -> list[str]:
    """Return so many different questions: those of the samples, each with a word changed for one that is said there."""
    draw = random.Random(seed)
    asked = [json.loads(line)["text"] for line in (SAMPLES / "questions.jsonl").read_text("utf-8").splitlines()]
    said = [json.loads(line)["text"] for line in (SAMPLES / "transcripts.jsonl").read_text("utf-8").splitlines()]
    words = sorted({word for text in said for word in text.lower().split() if word.isalpha() and len(word) > 3})
    found: dict[str, None] = {}
    while len(found) < count:
        question = draw.choice(asked).rstrip("?").split()
        question[draw.randrange(len(question))] = draw.choice(words)
        found[" ".join(question)] = None
    return list(found)


@contextmanager
def served(code: Path, data: Path) -> Iterator[tuple[int, psutil.Process, float]]:
    """Give the port and the process of a page over a data folder, and how many seconds it took to answer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mine = {
        "SPEECHSEARCH_DATA_DIR": str(data),
        "SPEECHSEARCH_SERVER__PORT": str(port),
        "SPEECHSEARCH_LIMITS__SEARCHES_A_MINUTE": "1000000",
        "PYTHONPATH": str(code),
    }
    started = time.perf_counter()
    command = [sys.executable, "app.py"]
    with (
        open(data / "errors.log", "wb") as log,
        subprocess.Popen(command, cwd=code, env=os.environ | mine, stdout=subprocess.DEVNULL, stderr=log) as process,
    ):
        try:
            while time.perf_counter() - started < STARTING_S:
                try:
                    asyncio.run(asked(port, ["/health"]))
                    break
                except OSError:
                    time.sleep(0.1)
            yield port, psutil.Process(process.pid), time.perf_counter() - started
        finally:
            process.terminate()


async def asked(port: int, paths: list[str], until: float = float("inf")) -> list[float]:
    """Ask one path after the other over one connection until the time is over; return the milliseconds of each.

    Raises:
        RuntimeError: an answer is none.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    cookie, times_ms = "", []
    for path in paths:
        started = time.perf_counter()
        if started > until:
            break
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{cookie}\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        fields = dict(line.split(": ", 1) for line in head.lower().splitlines()[1:] if ": " in line)
        if "content-length" in fields:
            await reader.readexactly(int(fields["content-length"]))
        else:
            while size := int(await reader.readline(), 16):
                await reader.readexactly(size + 2)
            await reader.readline()
        if " 200 " not in head.splitlines()[0]:
            raise RuntimeError(f"{path} was answered with {head.splitlines()[0]}")
        times_ms.append((time.perf_counter() - started) * 1000)
        if "set-cookie" in fields:
            cookie = f"Cookie: {head.split('et-cookie: ', 1)[1].split(';')[0]}\r\n"
    writer.close()
    return times_ms


async def crowd(port: int, visitors: int, seconds: float) -> tuple[list[float], float]:
    """Return milliseconds of all answers to visitors who ask without a pause, and how many seconds they asked."""
    paths = [f"/api/v1/search?{urlencode({'q': one})}" for one in new_questions(visitors * 400, 2)]
    started = time.perf_counter()
    every = await asyncio.gather(*(asked(port, paths[n::visitors], started + seconds) for n in range(visitors)))
    return [one for times_ms in every for one in times_ms], time.perf_counter() - started


def resident_mb(process: psutil.Process) -> float:
    """Return the memory that a process and its children hold, in megabytes."""
    return sum(one.memory_info().rss for one in (process, *process.children(recursive=True))) / 1e6


def settle(process: psutil.Process) -> None:
    """Wait until a page has no more to do of itself, the passes that its recordings lack among it."""
    process.cpu_percent()
    end_s = time.monotonic() + STARTING_S
    while time.monotonic() < end_s:
        time.sleep(SETTLED_S)
        if process.cpu_percent() < IDLE_PERCENT:
            return
    raise TimeoutError("The page is still busy.")


def measured(code: Path, data: Path, questions: int, visitors: Sequence[int], seconds: float) -> dict[str, str]:
    """Return name -> figure of one checkout."""
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "data"
        shutil.copytree(data, copy)
        command = [sys.executable, "-c", BELOW, str(copy)]
        environment = os.environ | {"PYTHONPATH": str(code)}

        def below(asked: list[str]) -> str:
            given = json.dumps(asked)
            run = subprocess.run(command, input=given, cwd=code, env=environment, text=True, stdout=-1, check=True)
            return run.stdout

        below(["what is compiled is kept"])
        for name, times_ms in json.loads(below(new_questions(questions + 6, 1))).items():
            found[f"below the page: {name}"] = f"{percentile(times_ms, 0.5):.1f}"
            if len(times_ms) > 1:
                found[f"below the page: {name}, p95"] = f"{percentile(times_ms, 0.95):.1f}"
        with served(code, copy) as (port, process, took_s):
            found["page: start until it answers, s"] = f"{took_s:.1f}"
            time.sleep(5)  # what begins with the page is done
            found["page: resident memory, MB"] = f"{resident_mb(process):.0f}"
            first = asyncio.run(asked(port, ["/api/v1/search?q=why+is+octopus+blood+blue"]))
            found["page: first search, ms"] = f"{first[0]:.0f}"
            found["page: resident memory after it, MB"] = f"{resident_mb(process):.0f}"
            settle(process)
            for count in visitors:
                used_s = sum(process.cpu_times()[:2])
                times_ms, spent_s = asyncio.run(crowd(port, count, seconds))
                used_s = sum(process.cpu_times()[:2]) - used_s
                name = f"{count} visitors"
                found[f"{name}: ms of the processor a search"] = f"{used_s / len(times_ms) * 1000:.1f}"
                found[f"{name}: searches a second"] = f"{len(times_ms) / spent_s:.1f}"
                found[f"{name}: p50, ms"] = f"{percentile(times_ms, 0.5):.0f}"
                found[f"{name}: p95, ms"] = f"{percentile(times_ms, 0.95):.0f}"
                found[f"{name}: resident memory then, MB"] = f"{resident_mb(process):.0f}"
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a data folder with the samples, whose second pass is done")
    parser.add_argument("--code", type=Path, action="append", help="a checkout; this one if none is named")
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--visitors", type=int, nargs="+", default=[1, 2, 50])
    parser.add_argument("--seconds", type=float, default=20)
    arguments = parser.parse_args()
    checkouts = [one.resolve() for one in arguments.code or [Path()]]
    several = arguments.questions, arguments.visitors, arguments.seconds
    columns = []
    for code in checkouts:
        columns.append(measured(code, arguments.data.resolve(), *several))
        print(json.dumps({code.name: columns[-1]}), file=sys.stderr, flush=True)
    command = f"python -m benchmarks.search_speed {shlex.join(sys.argv[1:])}"
    print(f"n = {arguments.questions} questions below the page, all new. {describe_machine()}\n{command}\n")
    print(f"| | {' | '.join(code.name for code in checkouts)} |\n|:--|{'--:|' * len(checkouts)}")
    for name in columns[0]:
        print(f"| {name} | {' | '.join(column.get(name, '-') for column in columns)} |")


if __name__ == "__main__":
    main()
