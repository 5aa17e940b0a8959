"""Measure what the page holds in memory, step by step: ``python -m benchmarks.memory DATA --minutes 10 --minutes 180``.

The page is built over a copy of the data folder DATA in this process, and asked: in words, by voice, to write something
down. Then all models are let go of, as happens after half an hour without questions. Last, sound of so many minutes is
taken in as one file, once all models are loaded: what that takes at most is to be the same for every length.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import soundfile

from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import SAMPLE_RATE_HZ, Query
from speechsearch.evaluation import describe_machine
from speechsearch.service.open import Service
from speechsearch.service.settings import Settings

EVERY_S = 0.02
SPOKEN = SAMPLES / "audio" / "s015.opus"


def resident_mb() -> float:
    """Return what this process and its children hold, in megabytes."""
    process, found = psutil.Process(), 0.0
    for one in (process, *process.children(recursive=True)):
        try:
            found += one.memory_info().rss / 1e6
        except psutil.NoSuchProcess:
            continue  # it has ended meanwhile
    return found


@contextmanager
def watched() -> Iterator[list[float]]:
    """Give a list that has the most megabytes held while the block ran, once it has ended."""
    most, is_over = [resident_mb()], threading.Event()

    def watch() -> None:
        while not is_over.wait(EVERY_S):
            most[0] = max(most[0], resident_mb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield most
    finally:
        is_over.set()
        watcher.join()


def long_file(folder: Path, minutes: float) -> Path:
    """Return a file with so many minutes of the samples, one after the other."""
    path, left = folder / f"{minutes:g}.flac", int(minutes * 60 * SAMPLE_RATE_HZ)
    with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, 1) as target:
        while left > 0:
            for file in sorted((SAMPLES / "audio").iterdir()):
                samples, rate_hz = soundfile.read(file, dtype="float32")
                step = max(1, round(rate_hz / SAMPLE_RATE_HZ))
                some = np.asarray(samples if samples.ndim == 1 else samples[:, 0])[::step][:left]
                target.write(some)
                left -= len(some)
    return path


def page_steps(service: Service) -> Iterator[tuple[str, float]]:
    """Yield what was done and what is held after it."""
    from speechsearch.api import create_app
    from speechsearch.ui.page import build_page

    yield "opened", resident_mb()
    create_app(service), build_page(service, None)
    yield "page built", resident_mb()
    service.search.find(Query("why is octopus blood blue"))
    yield "asked in words", resident_mb()
    spoken = service.search.query_audio(SPOKEN)
    service.search.find(Query(audio=spoken))
    yield "asked by voice", resident_mb()
    service.library.makers.baselines[0].recognizer.transcribe([spoken])
    yield "written down", resident_mb()
    service.loader.release_idle(0)
    yield "models let go of", resident_mb()
    service.search.find(Query("why is octopus blood blue"))
    yield "asked in words again", resident_mb()


def take_in(service: Service, file: Path) -> float:
    """Return how many megabytes taking in a file needs at most, over what was held before."""
    from ingest.discover import discover
    from ingest.pipeline import run

    with watched() as most, tempfile.TemporaryDirectory() as folder:
        before = most[0]
        selection = discover([file], Limits(), Path(folder))
        (result,) = run(service.manage, selection, collection="long", wants_transcripts=False)
    if result.state != "indexed":
        raise SystemExit(f"It was not taken in: {result}")
    return most[0] - before


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a data folder with the samples, whose second pass is done")
    parser.add_argument("--minutes", type=float, action="append", default=[], help="length of a file to take in")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(arguments.data, Path(folder) / "data")
        with Service.open(Settings(data_dir=Path(folder) / "data")) as service:
            print(f"{describe_machine()}\npython -m benchmarks.memory {shlex.join(sys.argv[1:])}\n")
            print("| step | resident memory, MB |\n|:--|--:|")
            for step, held_mb in page_steps(service):
                print(f"| {step} | {held_mb:.0f} |", flush=True)
            if arguments.minutes:
                service.search.find(Query(audio=service.search.query_audio(SPOKEN)))
                print("\n| one file of, minutes | at most, over the loaded models, MB |\n|--:|--:|")
            for minutes in arguments.minutes:
                print(f"| {minutes:g} | {take_in(service, long_file(Path(folder), minutes)):.0f} |", flush=True)


if __name__ == "__main__":
    main()
