"""What the ways of indexing vectors cost and find: recall against exact search, speed, size and build time, measured.

Every way is built and searched through the same few lines, one thread a search, so that only the index differs. Exact
search is done by NumPy beside them and says which neighbours are right.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.values import FloatMatrix

NEIGHBOURS = 10
CALLERS = 8
PARTS = 10
"""A filter allows one point in so many."""
ROUNDING = 1e-5
"""Scores that are this near are equal: engines add numbers up in other orders."""
BLOCK = 65_536

Parts = NDArray[np.int64]
"""Which part each vector belongs to, (vectors,), 0 to PARTS - 1."""


class Built(Protocol):
    """An index that can be searched, from several threads at once."""

    @property
    def kept_bytes(self) -> int | None:
        """Of its vectors and what finds them, without what can be filtered by; None where nobody can say."""

    @property
    def compared_bytes(self) -> int | None:
        """What a search goes through: coarse copies and links, or all vectors."""

    def search(self, query: FloatMatrix, setting: Mapping[str, int], part: int | None) -> Sequence[int]:
        """Return the rows of the best NEIGHBOURS vectors for a query (dim,), of one part only if that is given."""

    def close(self) -> None:
        """Let go of it."""


@dataclass(frozen=True, slots=True)
class Method:
    """A way to index vectors.

    ``settings``: how it can be searched, name -> numbers. ``build`` takes vectors (n, dim), their parts and an empty
    folder; ``reopen`` takes the folder and opens what was built there, None where that cannot be done.
    """

    engine: str
    name: str
    settings: Mapping[str, Mapping[str, int]]
    build: Callable[[FloatMatrix, Parts, Path], Built]
    reopen: Callable[[Path], Built] | None = None


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a search is: percentiles in milliseconds and searches a second, each the median of the runs.

    ``slowest``, ``fastest``: searches a second of the worst and the best run.
    """

    p50_ms: float
    p95_ms: float
    p99_ms: float
    a_second: float
    slowest: float
    fastest: float


@dataclass(frozen=True, slots=True)
class Row:
    """One way to index, searched in one way: how many of the nearest it finds, and what it costs.

    ``recall``, ``filtered_recall``: mean share of the nearest NEIGHBOURS that are found. ``build_s``: from vectors in
    memory to an index. ``cold_ms``: opening it from files that are not in memory, and the first search; None where that
    cannot be measured. ``together_a_second``: searches a second of CALLERS threads together.
    """

    engine: str
    method: str
    setting: str
    recall: float
    filtered_recall: float
    build_s: float
    kept_bytes: float | None
    compared_bytes: float | None
    alone: Speed
    together_a_second: float
    filtered: Speed
    cold_ms: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The score of the last right neighbour of each query, (queries,): of all vectors, and of those of its part."""

    lowest: NDArray[np.float32]
    lowest_filtered: NDArray[np.float32]


def part_of(query: int) -> int:
    """Return to which part a query is narrowed when it is filtered."""
    return query % PARTS


def truth_of(vectors: FloatMatrix, parts: Parts, queries: FloatMatrix) -> Truth:
    """Return what exact search says about queries (q, dim).

    >>> vectors = np.eye(12, dtype=np.float32)
    >>> found = truth_of(vectors, np.arange(12) % PARTS, np.arange(12, dtype=np.float32)[None])
    >>> found.lowest.tolist(), found.lowest_filtered.tolist()
    ([2.0], [0.0])
    """
    wanted = np.array([part_of(number) for number in range(len(queries))])
    lowest = [np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.float32)]
    for start in range(0, len(vectors), BLOCK):
        scores = queries @ vectors[start : start + BLOCK].T
        is_part = parts[None, start : start + BLOCK] == wanted[:, None]
        for place, some in enumerate((scores, np.where(is_part, scores, -np.inf))):
            both = np.concatenate([lowest[place], some], 1)
            most = min(NEIGHBOURS, both.shape[1])
            lowest[place] = -np.partition(-both, most - 1, axis=1)[:, :most]
    last = [np.where(np.isfinite(one), one, np.inf).min(1).astype(np.float32) for one in lowest]
    return Truth(last[0], last[1])


def right_share(found: Sequence[int], vectors: FloatMatrix, query: FloatMatrix, lowest: float, there: int) -> float:
    """Return which part of the ``there`` right neighbours is among the rows found.

    >>> right_share([0, 1], np.eye(3, dtype=np.float32), np.array([3.0, 1.0, 2.0]), lowest=2.0, there=2)
    0.5
    """
    scores = vectors[list(dict.fromkeys(found))] @ query
    return min(int((scores >= lowest - ROUNDING).sum()), there) / there


def percentiles(times_s: Sequence[float]) -> tuple[float, float, float]:
    """Return the 50th, 95th and 99th percentile in milliseconds.

    >>> percentiles([0.001, 0.002, 0.003])
    (2.0, 2.9, 2.98)
    """
    p50, p95, p99 = (round(float(one), 9) for one in np.percentile(np.array(times_s) * 1000, [50, 95, 99]))
    return p50, p95, p99


def speed(runs: Sequence[Sequence[float]]) -> Speed:
    """Return the speed from the seconds of every search of every run, one after the other.

    >>> speed([[0.1, 0.1], [0.2, 0.2], [0.4, 0.4]])
    Speed(p50_ms=200.0, p95_ms=200.0, p99_ms=200.0, a_second=5.0, slowest=2.5, fastest=10.0)
    """
    of_runs = [percentiles(one) for one in runs]
    p50, p95, p99 = (median(values) for values in zip(*of_runs, strict=True))
    rates = [round(len(one) / sum(one), 6) for one in runs]
    return Speed(p50, p95, p99, median(rates), min(rates), max(rates))


def rows_of(
    method: Method, vectors: FloatMatrix, parts: Parts, queries: FloatMatrix, truth: Truth, folder: Path, runs: int = 3
) -> list[Row]:
    """Build a method's index in an empty folder and return a row for each of its settings."""
    started = time.perf_counter()
    built = method.build(vectors, parts, folder)
    build_s = time.perf_counter() - started
    sizes = [None if one is None else one / len(vectors) for one in (built.kept_bytes, built.compared_bytes)]
    rows = []
    try:
        for name, setting in method.settings.items():
            recall, filtered_recall = recalls(built, setting, vectors, parts, queries, truth)
            alone = [times_s(built, setting, queries) for _ in range(runs)]
            filtered = [times_s(built, setting, queries, is_filtered=True) for _ in range(runs)]
            together = median(rate_together(built, setting, queries) for _ in range(runs))
            cost = (build_s, sizes[0], sizes[1], speed(alone), together, speed(filtered), None)
            rows.append(Row(method.engine, method.name, name, recall, filtered_recall, *cost))
    finally:
        built.close()
    if method.reopen is None:
        return rows
    cold_ms = median(first_search_ms(method, folder, queries[run % len(queries)]) for run in range(runs))
    return [replace(row, cold_ms=cold_ms) for row in rows]


def recalls(
    built: Built, setting: Mapping[str, int], vectors: FloatMatrix, parts: Parts, queries: FloatMatrix, truth: Truth
) -> tuple[float, float]:
    """Return the mean recall without and with the filter."""
    everywhere, filtered = [], []
    sizes = np.bincount(parts, minlength=PARTS)
    for number, query in enumerate(queries):
        part = part_of(number)
        found = built.search(query, setting, None)
        everywhere.append(right_share(found, vectors, query, truth.lowest[number], min(NEIGHBOURS, len(vectors))))
        found, there = built.search(query, setting, part), min(NEIGHBOURS, int(sizes[part]))
        filtered.append(right_share(found, vectors, query, truth.lowest_filtered[number], there))
    return float(np.mean(everywhere)), float(np.mean(filtered))


def times_s(
    built: Built, setting: Mapping[str, int], queries: FloatMatrix, *, is_filtered: bool = False
) -> list[float]:
    """Return how many seconds each search takes, one after the other."""
    found = []
    for number, query in enumerate(queries):
        started = time.perf_counter()
        built.search(query, setting, part_of(number) if is_filtered else None)
        found.append(time.perf_counter() - started)
    return found


def rate_together(built: Built, setting: Mapping[str, int], queries: FloatMatrix) -> float:
    """Return how many searches a second CALLERS threads have answered, each its share of the queries."""
    with ThreadPoolExecutor(CALLERS) as callers:
        started = time.perf_counter()
        for _ in callers.map(lambda query: built.search(query, setting, None), queries):
            pass
        return len(queries) / (time.perf_counter() - started)


def first_search_ms(method: Method, folder: Path, query: FloatMatrix) -> float:
    """Return how long opening an index and the first search take, in milliseconds, its files not being in memory."""
    if method.reopen is None:
        raise ValueError(f"{method.name} cannot be opened again")
    forget(folder)
    started = time.perf_counter()
    built = method.reopen(folder)
    try:
        built.search(query, next(iter(method.settings.values())), None)
        return 1000 * (time.perf_counter() - started)
    finally:
        built.close()


def forget(folder: Path) -> None:
    """Have the system forget what it keeps of files in memory, where it can be told so (Linux)."""
    for path in folder.rglob("*"):
        if path.is_file() and hasattr(os, "posix_fadvise"):
            file = os.open(path, os.O_RDONLY)
            try:
                os.fsync(file)
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(file)
