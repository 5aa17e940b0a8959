"""Measure what ingest survives and what it needs: kills, malformed files, one long file, very many small ones.

``python -m benchmarks.faults kills --kills 100``, ``... ray --kills 20``, ``... malformed --files 1000``,
``... long --hours 3`` and ``... many --files 20000`` each write their row in docs/reliability.md, where anything that
must not happen is listed.
"""

from __future__ import annotations

import hashlib
import re
import resource
import shlex
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import psutil
import soundfile
import typer

from benchmarks.ingest_speed import long_recording
from ingest import discover, run
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.values import Passage, Recording, Span, passage_id
from speechsearch.evaluation import describe_machine
from speechsearch.service.open import Service
from speechsearch.service.settings import EngineSettings, Settings
from speechsearch.store import StoredPassage
from tests.faults import kills as killing
from tests.faults import malformed as damaging
from tests.faults import ray_kills as ray_killing
from tests.tiny.fakes import FakeLoader, fake_settings
from tests.tiny.postgresql import Cluster, binaries

PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
MEGABYTE = 1_000_000
TINY_S = 1.0
Database = Literal["sqlite", "postgresql"]
app = typer.Typer(add_completion=False, help=__doc__)
Where = Annotated[Path | None, typer.Option(help="Where it happens: a folder on a file system in memory is faster.")]


def put_row(section: str, key: str, *cells: str) -> None:
    """Write a row of a section's table on the page, in the place of one with the same key."""
    command = shlex.join(["python", "-m", "benchmarks.faults", *sys.argv[1:]])
    row = f"| {key} | {' | '.join(cells)} | {time.strftime('%Y-%m-%d')} | `{command}` |"
    print(row)
    page = PAGE.read_text(encoding="utf-8")
    begin, end = f"<!-- {section}: begin -->", f"<!-- {section}: end -->"
    before, table, after = re.split(f"{begin}\n|{end}", page)
    kept = [line for line in table.splitlines() if line and not line.startswith(f"| {key} |")]
    PAGE.write_text(f"{before}{begin}\n" + "\n".join([*kept, row]) + f"\n{end}{after}", encoding="utf-8")
    print(f"on {describe_machine()}")


def listed(counted: Counter[str]) -> str:
    """Return what was counted as a line.

    >>> listed(Counter(zip=2, tar=1))
    'zip 2, tar 1'
    """
    return ", ".join(f"{name} {number}" for name, number in counted.most_common()) or "none"


@contextmanager
def served(on: Database) -> Iterator[Cluster | None]:
    """Run a server of the database as long as the block, if it has one."""
    cluster = Cluster(binaries() or Path()) if on == "postgresql" else None
    try:
        if cluster:
            cluster.start()
        yield cluster
    finally:
        if cluster:
            cluster.close()


def put_outcome(section: str, key: str, seed: int, outcome: killing.Outcome, crashes: str, started_s: float) -> None:
    """Write the row of a series of kills after which nothing was lost, and nothing there twice."""
    put_row(
        section,
        key + (f", seed {seed}" if seed != 1 else ""),
        f"{outcome.kills.total()} ({listed(outcome.kills)})",
        crashes,
        f"{outcome.series} of {outcome.recordings} recordings, {outcome.passages} passages",
        str(outcome.searches),
        "0, 0",
        f"{time.monotonic() - started_s:.0f}",
    )


@app.command()
def kills(
    kills: int = 100,
    on: Database = "sqlite",
    real: Annotated[bool, typer.Option(help="The smallest real models instead of fakes.")] = False,
    pieces: Annotated[int, typer.Option(help="Recordings in each of folder, zip, tar and dataset.")] = 4,
    seed: int = 1,
    where: Where = None,
) -> None:
    """Kill ingest again and again; ends with an error where anything is lost or there twice."""
    started_s = time.monotonic()
    with served(on) as cluster, tempfile.TemporaryDirectory(dir=where) as folder:
        for outcome in killing.killed(Path(folder), kills, seed, pieces, cluster, real):
            models = "real models" if real else "fakes"
            crashes = f"{outcome.restarts.total()} ({listed(outcome.restarts)})"
            put_outcome("kills", f"{on}, {models}", seed, outcome, crashes, started_s)


@app.command()
def ray(
    kills: int = 20,
    on: Database = "postgresql",
    recordings: int = 12,
    seed: int = 1,
    where: Where = None,
) -> None:
    """Kill actors, drivers and the database's server of ingest on Ray; ends with an error where anything is lost."""
    started_s = time.monotonic()
    with served(on) as cluster, tempfile.TemporaryDirectory(dir=where) as folder:
        for outcome in ray_killing.killed(Path(folder), kills, seed, recordings, cluster):
            put_outcome("ray", f"{on}, fakes", seed, outcome, str(outcome.restarts.total()), started_s)


@app.command()
def malformed(files: int = 1000, seed: int = 1, hangs_after_s: float = 20.0, where: Where = None) -> None:
    """Take in malformed files of every format."""
    with tempfile.TemporaryDirectory(dir=where) as folder:
        outcome = damaging.taken(Path(folder), files, seed, hangs_after_s)
    put_row(
        "malformed",
        f"{files}, seed {seed}",
        str(outcome.formats),
        listed(outcome.states),
        f"{outcome.slowest_s:.1f} ({outcome.slowest})",
        f"{outcome.most_bytes / MEGABYTE:.0f}",
        str(len(outcome.bad)),
    )
    print(*outcome.bad, sep="\n")
    raise typer.Exit(1 if outcome.bad else 0)


def resident_bytes() -> int:
    """Return how much memory this process has now."""
    return int(psutil.Process().memory_info().rss)


@app.command()
def long(
    hours: float = 3.0,
    fakes: Annotated[bool, typer.Option(help="Fakes for models: reading and cutting alone.")] = False,
    where: Where = None,
) -> None:
    """Take in one long file, and say how much memory came on top of the loaded models'."""
    with tempfile.TemporaryDirectory(dir=where) as lent:
        folder, models = Path(lent), FakeLoader()
        long_recording(folder / "short.flac", 1.0)
        duration_s = long_recording(folder / "long.flac", 60 * hours)
        settings = Settings(data_dir=folder / "data", engines=EngineSettings(recognizer="none", threads=1))
        opened = (
            Service.open(fake_settings(folder / "data", models), loader=models) if fakes else Service.open(settings)
        )
        with opened as service, service.workspace() as workspace:
            for path in (folder / "short.flac", folder / "long.flac"):
                before_bytes, started_s = resident_bytes(), time.monotonic()
                watch = damaging.Memory(psutil.Process().pid)
                (result,) = run(service.manage, discover([path], service.limits, workspace), collection="talks")
                watch.close()
                took_s = time.monotonic() - started_s
                assert result.state == "indexed", result
    most_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    put_row(
        "long",
        f"{duration_s / 3600:.1f} h, {result.passages:,} passages, {'fakes' if fakes else 'real models'}",
        f"{before_bytes / MEGABYTE:.0f}",
        f"{(most_bytes - before_bytes) / MEGABYTE:.0f}",
        f"{(watch.most_bytes - before_bytes) / MEGABYTE:.0f}",
        f"{took_s:.0f}",
    )


@app.command()
def many(
    files: int = 20_000,
    blocks: int = 10,
    held: Annotated[int, typer.Option(help="So many made-up recordings are there already, without sound.")] = 0,
    where: Where = None,
) -> None:
    """Take in a folder of very short files with fakes for models, and say whether each costs as much as the first."""
    with tempfile.TemporaryDirectory(dir=where) as lent:
        folder, models = Path(lent), FakeLoader()
        write_tiny(folder / "in", files)
        with (
            Service.open(fake_settings(folder / "data", models), loader=models) as service,
            service.workspace() as workspace,
        ):
            fill(service, held)
            started_s = time.monotonic()
            found = discover([folder / "in"], service.limits, workspace)
            listed_s, before_bytes = time.monotonic() - started_s, resident_bytes()
            times_s, states = [time.process_time()], Counter[str]()
            for number, result in enumerate(run(service.manage, found, collection="talks"), 1):
                states[result.state] += 1
                if number % max(1, files // blocks) == 0:
                    times_s.append(time.process_time())
                    cost_ms = 1000 * (times_s[-1] - times_s[-2]) / (files // blocks)
                    more = (resident_bytes() - before_bytes) / MEGABYTE
                    print(f"{number:,} files: {cost_ms:.1f} ms of this process each, {more:.0f} MB more", flush=True)
            took_s = time.monotonic() - started_s
            differences = [] if held else service.browse.differences()
    costs_ms = 1000 * np.diff(times_s) / (files // blocks)
    put_row(
        "many",
        f"{files:,} to {held:,}",
        listed(states),
        f"{listed_s:.1f}",
        f"{costs_ms[0]:.1f}, {costs_ms[-1]:.1f}",
        f"{more:.0f}",
        "-" if held else str(len(differences)),
        f"{took_s:.0f}",
    )


def fill(service: Service, recordings: int) -> None:
    """Write so many recordings of one passage to the database and the index."""
    library, random = service.library, np.random.default_rng(1)
    (channel,) = library.makers.speech_encoder.channels
    made_by = library.makers.of_sound
    service.store.collections.add("held")
    for number in range(recordings):
        name = hashlib.sha256(str(number).encode()).hexdigest()
        recording, span = Recording(name, "held", name, TINY_S, f"{number}.wav"), Span(0.0, TINY_S)
        vector = random.standard_normal(channel.dim).astype(np.float32)
        one = StoredPassage(Passage(passage_id(name, span), name, span), {channel.name: vector})
        service.store.recordings.save(recording, f"{name}.wav", [one], library.fingerprint, made_by)
    library.finish_stored()


def write_tiny(folder: Path, files: int) -> None:
    """Write so many different files of a second of speech each, a thousand in a folder."""
    sounds = [soundfile.read(path, dtype="float32")[0] for path in sorted((SAMPLES / "audio").glob("*.opus"))]
    random = np.random.default_rng(0)
    for number in range(files):
        sound = sounds[number % len(sounds)]
        start = int(random.integers(0, len(sound) - int(TINY_S * 16_000)))
        target = folder / f"{number // 1000:03d}" / f"{number:06d}.wav"
        target.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(target, sound[start : start + int(TINY_S * 16_000)], 16_000)


if __name__ == "__main__":
    app()
