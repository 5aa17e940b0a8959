"""Measure how cost grows with size: ``python -m benchmarks.scale queries DATA 10000 100000``.

``queries`` makes libraries of so many passages out of the real ones of the data folder DATA, drawn with replacement and
moved a little (noise is added to their vectors), and asks them below the page: nothing, a collection or a speaker
filtered. ``hours --hours 10`` takes in real speech, repeated with noise and shifts so that no two files are alike, hour
by hour into one library. Both keep their figures under runs/scale; ``page`` writes docs/scale.md and its picture.
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import matplotlib
import numpy as np
import psutil
import soundfile
import typer

from benchmarks.page_load import percentile
from benchmarks.scale_library import COLLECTIONS, MOVED, fill
from benchmarks.search_speed import new_questions
from ingest.discover import discover
from ingest.pipeline import run
from speechsearch import audio
from speechsearch.audio.degrade import Degradation, degrade
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, Filters, Query
from speechsearch.evaluation import describe_machine
from speechsearch.service.open import Service
from speechsearch.service.settings import Settings

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "runs" / "scale"
PAGE, PICTURE = ROOT / "docs" / "scale.md", ROOT / "docs" / "images" / "scale.png"
TITLES = {
    "queries": "Searches",
    "hours1": "Hours of speech, searched by sound",
    "hours2": "Hours of speech, with transcripts and speakers",
}
FILE_S, FILES_AN_HOUR = 360.0, 10
FILTERS = {
    "no filter": Filters(),
    "a collection": Filters(collections=(COLLECTIONS[0],)),
    "a speaker": Filters(speakers=("Speaker of 3",)),
}
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Folder = Annotated[Path, typer.Argument(help="a data folder with recordings whose second pass is done")]


def bytes_of(folder: Path) -> int:
    """Return how much the files of a folder take."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def keep(name: str, rows: Sequence[dict[str, Any]]) -> None:
    """Write figures, with the machine and the command that made them."""
    KEPT.mkdir(parents=True, exist_ok=True)
    command = shlex.join(["python", "-m", "benchmarks.scale", *sys.argv[1:]])
    kept = {"command": command, "machine": str(describe_machine()), "date": time.strftime("%Y-%m-%d"), "rows": rows}
    (KEPT / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


@app.command()
def queries(data: Folder, passages: list[int], questions: int = 100, work: Path = KEPT / "work") -> None:
    """Ask libraries of so many PASSAGES, made one after the other and deleted again."""
    rows = []
    for count in passages:
        shutil.rmtree(work, ignore_errors=True)
        row: dict[str, Any] = {"passages": count, "questions": questions}
        row["build, s"] = timed(lambda count=count: fill(data, work, count))  # type: ignore[misc]
        row["database, MB"] = bytes_of(work) / 1e6 - bytes_of(work / "index") / 1e6
        row["index, MB"] = bytes_of(work / "index") / 1e6
        row |= asked(work, questions)
        rows.append(row)
        print(json.dumps(row), flush=True)
        keep("queries", rows)
        shutil.rmtree(work)


def asked(work: Path, questions: int) -> dict[str, float]:
    """Return how long opening a library, questions to it and the deletion of a collection take, and the memory."""
    found: dict[str, float] = {}
    started = time.perf_counter()
    with Service.open(Settings(data_dir=work)) as service:
        found["start, s"] = time.perf_counter() - started
        found["first search, s"] = timed(lambda: service.search.find(Query("why is octopus blood blue")))
        for number, (name, filters) in enumerate(FILTERS.items()):
            texts = new_questions(questions + 5, number)
            times = [timed(lambda t=t, f=filters: service.search.find(Query(t, filters=f))) for t in texts][5:]  # type: ignore[misc]
            found[f"{name}, p50 ms"] = percentile(times, 0.5) * 1000
            found[f"{name}, p95 ms"] = percentile(times, 0.95) * 1000
        found["memory, MB"] = psutil.Process().memory_info().rss / 1e6
        before = service.store.passages.count()
        found["a collection deleted, s"] = timed(lambda: service.manage.delete_collection(COLLECTIONS[0]))
        found["its passages"] = before - service.store.passages.count()
        closing = time.perf_counter()
    found["closed after it, s"] = time.perf_counter() - closing
    return found


@app.command()
def hours(hours: int = 1, sounds: Path = SAMPLES / "audio", passes: int = 1, work: Path = KEPT / "work") -> None:
    """Take in HOURS of speech, hour by hour: the sounds of a folder again and again, each time otherwise.

    PASSES 1: by sound alone; 2: with transcripts and who speaks.
    """
    shutil.rmtree(work, ignore_errors=True)
    files, rows = sorted(sounds.iterdir()), []
    with Service.open(Settings(data_dir=work / "data")) as service:
        for hour in range(1, hours + 1):
            made = hour_of_speech(files, work / "sounds", hour)
            before = bytes_of(work / "data")
            started = time.perf_counter(), time.process_time()
            selection = discover([work / "sounds"], service.limits, work / "unpacked")
            results = list(run(service.manage, selection, collection=COLLECTIONS[0], wants_transcripts=passes > 1))
            failed = [one for one in results if one.state != "indexed"]
            failed += list(service.manage.catch_up()) if passes > 1 else []
            if failed:
                raise SystemExit(f"Not all was taken in: {failed[0]}")
            row: dict[str, Any] = {"hours": hour, "passes": passes, "seconds": time.perf_counter() - started[0]}
            row["processor, s"] = time.process_time() - started[1]
            row["MB on disk"] = (bytes_of(work / "data") - before) / 1e6
            row["of that sound, MB"] = sum(path.stat().st_size for path in made) / 1e6
            rows.append(row | {"passages": service.store.passages.count()})
            print(json.dumps(rows[-1]), flush=True)
            keep(f"hours{passes}", rows)
            shutil.rmtree(work / "sounds")
    shutil.rmtree(work)


def hour_of_speech(files: Sequence[Path], folder: Path, hour: int) -> list[Path]:
    """Return an hour of speech in files: pieces in another order, other noise, cut at another place."""
    draw = np.random.default_rng(hour)
    folder.mkdir(parents=True)
    made = []
    for number in range(FILES_AN_HOUR):
        pieces: list[np.ndarray[Any, np.dtype[np.float32]]] = []
        while sum(map(len, pieces)) < FILE_S * SAMPLE_RATE_HZ:
            sound = audio.load(files[int(draw.integers(len(files)))], Limits(), FILE_S).samples
            pieces.append(sound[draw.integers(1, SAMPLE_RATE_HZ) :])
        whole = np.concatenate(pieces)[: int(FILE_S * SAMPLE_RATE_HZ)]
        noise = Degradation(noise="pink", noise_ratio_db=float(draw.uniform(15, 30)))
        path = folder / f"{hour:03d}-{number}.flac"
        soundfile.write(path, degrade(Audio(whole), noise, seed=hour * FILES_AN_HOUR + number).samples, SAMPLE_RATE_HZ)
        made.append(path)
    return made


@app.command()
def page() -> None:
    """Write the page and the picture from what was measured."""
    kept = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(KEPT.glob("*.json"))}
    lines = [
        "# What more recordings cost",
        "",
        "Made by `python -m benchmarks.scale page`; no number is edited by hand. Libraries of many passages are made",
        "of the real passages of the samples, drawn with replacement and moved a little: noise of length "
        f"{MOVED} is added",
        "to vectors of length 1, terms are left out and exchanged. Hours are the samples' speech again and again, in",
        "another order, cut at other places, with other noise.",
    ]
    for name, one in kept.items():
        lines += ["", f"## {TITLES[name]}", "", f"{one['date']}, {one['machine']}:", f"`{one['command']}`", ""]
        rows = one["rows"]
        first, *others = ([head, *(shown(row[head]) for row in rows)] for head in rows[0])
        lines += [f"| {' | '.join(first)} |", f"|:--|{'--:|' * len(rows)}"]
        lines += [f"| {' | '.join(cells)} |" for cells in others]
    PAGE.write_text("\n".join([*lines, "", "![What more recordings cost](images/scale.png)"]) + "\n", encoding="utf-8")
    draw(kept)


def shown(value: float) -> str:
    """Return a number as a table shows it.

    >>> shown(100000), shown(1234.5), shown(3.14159)
    ('100,000', '1,234', '3.1')
    """
    return f"{value:,.0f}" if isinstance(value, int) or value >= 100 else f"{value:.1f}"


def draw(kept: dict[str, Any]) -> None:
    """Draw how long questions take by the number of passages, and what an hour costs, hour by hour."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    picture, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4))
    rows = kept.get("queries", {"rows": []})["rows"]
    for name in FILTERS:
        for share, line in (("p50", "-"), ("p95", ":")):
            times_ms = [row[f"{name}, {share} ms"] for row in rows]
            left.plot([row["passages"] for row in rows], times_ms, line, marker="o", label=f"{name}, {share}")
    left.set(xscale="log", xlabel="passages", ylabel="ms a search below the page", ylim=(0, None))
    for passes in (1, 2):
        rows = kept.get(f"hours{passes}", {"rows": []})["rows"]
        for what in ("processor, s", "MB on disk"):
            if rows:
                costs = [row[what] for row in rows]
                right.plot([row["hours"] for row in rows], costs, marker="o", label=f"{what}, passes: {passes}")
    right.set(xlabel="hours in the library", ylabel="cost of the last hour", ylim=(0, None))
    for panel in (left, right):
        panel.legend(frameon=False, fontsize=8)
    picture.tight_layout()
    picture.savefig(PICTURE, dpi=110)


if __name__ == "__main__":
    app()
