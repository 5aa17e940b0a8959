"""Measure a name's way through the phonetic index: ``python -m benchmarks.keyword_speed --passages 100000``.

Passages are made up: phoneme tracks as the speech encoder gives them (18 frames a second, eight symbols each) in an
SQLite database, and 3-grams in the embedded index. Each question is run once through the two stages and timed stage by
stage; no passage is asked for twice, so nothing is remembered.
"""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import typer

from benchmarks.index_speed import sparse
from speechsearch.domain.values import Channel, Passage, PhonemeTrack, Recording, Span, SpokenWord, passage_id
from speechsearch.index import EdgeIndex, Point
from speechsearch.retrieval.fused import draw_sample
from speechsearch.retrieval.spotting import CANDIDATES, KeptTracks, losses_of
from speechsearch.service.search import DRAWN_FROM
from speechsearch.store import Store, StoredPassage
from speechsearch.text.keywords import joined

Made = TypeVar("Made")
SPEC = Channel("phonetic", "sparse", has_idf=True)
LENGTH_S, FRAMES_A_SECOND, KEPT = 15.0, 18, 8
A_RECORDING = 500
WORDS, PRONUNCIATIONS, SOUNDS = 4, 2, 7


def track(random: np.random.Generator) -> PhonemeTrack:
    """Return a made-up track of LENGTH_S."""
    frames = int(LENGTH_S * FRAMES_A_SECOND)
    symbols, losses = random.integers(0, 40, (2, frames, KEPT)).astype(np.uint8)
    times_s = np.sort(random.choice(int(LENGTH_S * 25), frames, replace=False)) * np.float32(0.04)
    return PhonemeTrack(symbols, np.sort(losses, axis=1) * np.uint8(6), times_s.astype(np.float32))


def fill(store: Store, index: EdgeIndex, random: np.random.Generator, passages: int) -> None:
    """Take in so many made-up passages."""
    for start in range(0, passages, A_RECORDING):
        recording_id = hashlib.sha256(str(start).encode()).hexdigest()
        count = min(A_RECORDING, passages - start)
        recording = Recording(recording_id, "speed", f"{start}", count * LENGTH_S, f"{start}.opus")
        spans = [Span(number * LENGTH_S, (number + 1) * LENGTH_S) for number in range(count)]
        made = [Passage(passage_id(recording_id, span), recording_id, span) for span in spans]
        vectors = [{SPEC.name: sparse(random, 250)} for _ in made]
        stored = [StoredPassage(one, {}, track(random)) for one in made]
        store.recordings.save(recording, "none", stored, "speed", {})
        payload = {"collection": "speed", "recording_id": recording_id, "speaker": "", "language": "en", "start_s": 0.0}
        index.upsert([Point(one.passage_id, found, payload) for one, found in zip(made, vectors, strict=True)])


def main(passages: int = 100_000, questions: int = 100, seed: int = 1) -> None:
    """Fill a store and an index, ask, print a table."""
    random = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{Path(folder) / 'speechsearch.db'}")
        with closing(store), closing(EdgeIndex((SPEC,), Path(folder) / "index")) as index:
            fill(store, index, random, passages)
            words = partial(drawn_words, random)
            losses_of(words(), joined([track(random)]))  # compiled when first used
            spent: dict[str, list[float]] = {}
            sample = draw_sample(store.passages.first_ids(DRAWN_FROM))
            background = joined(list(store.passages.tracks(sample).values()))  # kept by a program
            for _ in range(questions):
                kept = KeptTracks(store.passages.tracks)
                found = timed(spent, "3-grams", partial(index.search, SPEC.name, sparse(random, 20), CANDIDATES))
                tracks = timed(spent, "read the tracks", partial(kept, [one.passage_id for one in found]))
                asked = words()
                timed(spent, "how rare the words are", partial(losses_of, asked, background))
                timed(spent, "keyword score", partial(losses_of, asked, joined(list(tracks.values()))))
            size = (Path(folder) / "speechsearch.db").stat().st_size / passages / LENGTH_S
    print(
        f"{passages} passages of {LENGTH_S:.0f} s, n = {questions} questions of {WORDS} words, {CANDIDATES} candidates"
    )
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; {size:.0f} bytes a second"
    )
    print("\n| stage | p50 ms | p95 ms |\n|---|---|---|")
    for name, times_ms in {**spent, "together": np.sum(list(spent.values()), axis=0)}.items():
        print(f"| {name} | {np.percentile(times_ms, 50):.1f} | {np.percentile(times_ms, 95):.1f} |")


def drawn_words(random: np.random.Generator) -> list[SpokenWord]:
    """Return the words of a question, each with several pronunciations."""
    return [
        SpokenWord(f"word{number}", tuple(map(tuple, random.integers(1, 40, (PRONUNCIATIONS, SOUNDS)).tolist())))
        for number in range(WORDS)
    ]


def timed(spent: dict[str, list[float]], name: str, work: Callable[[], Made]) -> Made:
    """Return what the work gives, and note the milliseconds that it took."""
    started = time.perf_counter()
    made = work()
    spent.setdefault(name, []).append(1000 * (time.perf_counter() - started))
    return made


if __name__ == "__main__":
    typer.run(main)
