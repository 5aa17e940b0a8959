"""Measure how fast the embedded index searches: ``python -m benchmarks.index_speed --points 100000``.

Points are random: dense unit vectors, and sparse ones with terms drawn as words are (Zipf), which is what decides how
many points share a term with the query. A two-channel search is one dense and one sparse search, as ``hybrid`` does.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from speechsearch.domain.values import Channel, Filters, SparseVector
from speechsearch.index import EdgeIndex, Point

DIM = 384
TERMS = 59_319
SPECS = (Channel("adapter", "dense", dim=DIM), Channel("phonetic", "sparse", has_idf=True))
SHARES = np.cumsum(1 / np.arange(1, TERMS + 1))


def sparse(random: np.random.Generator, count: int) -> SparseVector:
    """Return about ``count`` terms, the common ones often."""
    terms = np.unique(np.searchsorted(SHARES, random.random(2 * count) * SHARES[-1]))
    terms = np.sort(random.permutation(terms)[:count]).astype(np.uint32)
    return SparseVector(terms, random.random(len(terms)).astype(np.float32) + np.float32(0.01))


def batches(random: np.random.Generator, points: int, batch: int = 500) -> Iterator[list[Point]]:
    """Yield points in batches of one recording each."""
    for start in range(0, points, batch):
        payload = {"collection": f"c{start // batch % 3}", "recording_id": f"r{start}", "speaker": "", "language": "en"}
        yield [
            Point(
                str(uuid.UUID(bytes=random.bytes(16), version=4)),
                {"adapter": random.standard_normal(DIM).astype(np.float32), "phonetic": sparse(random, 250)},
                {**payload, "start_s": 0.0},
            )
            for _ in range(min(batch, points - start))
        ]


def timed(search: Callable[[], object], queries: int) -> str:
    """Return the median and 95th percentile of a search, in milliseconds."""
    times_ms = []
    for _ in range(queries):
        started = time.perf_counter()
        search()
        times_ms.append(1000 * (time.perf_counter() - started))
    return f"{np.percentile(times_ms, 50):.1f} | {np.percentile(times_ms, 95):.1f}"


def main() -> None:
    """Fill an index, search it, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--exact-points", type=int, default=50_000)
    arguments = parser.parse_args()
    random = np.random.default_rng(0)
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(EdgeIndex(SPECS, Path(folder) / "index", arguments.exact_points)) as index,
    ):
        insert_s = 0.0
        for batch in batches(random, arguments.points):
            started = time.perf_counter()
            index.upsert(batch)
            insert_s += time.perf_counter() - started
        limit, filters = arguments.limit, Filters(collections=("c1",))

        def dense_search(restriction: Filters | None = None) -> None:
            index.search("adapter", random.standard_normal(DIM).astype(np.float32), limit, restriction)

        def sparse_search() -> None:
            index.search("phonetic", sparse(random, 40), limit)

        def both() -> None:
            dense_search()
            sparse_search()

        dense_search()
        rows = {
            "dense": dense_search,
            "dense, one collection in three": lambda: dense_search(filters),
            "sparse": sparse_search,
            "two channels": both,
        }
        print(f"{arguments.points} points, n = {arguments.queries} queries, limit {limit}, insert {insert_s:.1f} s")
        print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
        print("| search | p50 ms | p95 ms |\n|---|---|---|")
        for name, search in rows.items():
            print(f"| {name} | {timed(search, arguments.queries)} |")


if __name__ == "__main__":
    main()
