"""Ways to index, measured: every engine through the same lines, and figures that are right."""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest

from speechsearch.domain.errors import IndexUnavailableError, InputError
from speechsearch.evaluation import index_report
from speechsearch.evaluation.index_edge import edge_methods
from speechsearch.evaluation.index_faiss import LEAST_TRAINED, cells_of, code_bytes, faiss_methods
from speechsearch.evaluation.index_server import PREFIX, server_methods
from speechsearch.evaluation.index_tradeoff import NEIGHBOURS, PARTS, Method, Row, Speed, rows_of, truth_of
from speechsearch.evaluation.index_vectors import grown, moved, unit_rows
from tests.tiny.qdrant_server import qdrant_server

POINTS, DIM = 600, 32
EXACT = ("flat", "faiss-flat", "server-flat")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with qdrant_server() as running:
        yield running.url


@pytest.fixture(scope="module")
def case():
    real = unit_rows(np.random.default_rng(0).standard_normal((150, DIM)))
    vectors, queries = grown(real, POINTS), moved(real, 12, seed=2)
    parts = np.arange(POINTS) % PARTS
    return vectors, parts, queries, truth_of(vectors, parts, queries)


def measured(method: Method, case, folder: Path) -> list[Row]:
    vectors, parts, queries, truth = case
    return rows_of(method, vectors, parts, queries, truth, folder, runs=2)


@pytest.mark.parametrize("name", list(edge_methods()))
def test_edge_finds_what_is_near(name: str, case) -> None:
    # Not where other tests' files may lie, in memory: there a hole of a file is filled by reading it.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        check(measured(edge_methods()[name], case, Path(folder)), name)


@pytest.mark.parametrize("name", ["faiss-flat", "faiss-ivf", "faiss-hnsw", "faiss-ivf-pq"])
def test_faiss_finds_what_is_near(name: str, case, tmp_path: Path) -> None:
    pytest.importorskip("faiss", reason="faiss-cpu is not installed (requirements-faiss.txt)")
    if name == "faiss-ivf-pq":
        assert name not in faiss_methods(POINTS)
        vectors = grown(case[0], LEAST_TRAINED)
        parts = np.arange(len(vectors)) % PARTS
        case = vectors, parts, case[2], truth_of(vectors, parts, case[2])
    check(measured(faiss_methods(len(case[0]))[name], case, tmp_path), name)


@pytest.mark.parametrize("name", ["server-flat", "server-int8"])
def test_a_server_finds_what_is_near_and_keeps_nothing(
    name: str, case, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uuid.uuid4", lambda: uuid.UUID(int=5))
    rows = measured(server_methods(server)[name], case, tmp_path)
    check(rows, name)
    assert all(row.cold_ms is None and row.kept_bytes is None for row in rows)
    left = httpx.get(f"{server}/collections/{PREFIX}{uuid.UUID(int=5).hex}/exists")
    assert left.json()["result"] == {"exists": False}


def check(rows: list[Row], name: str) -> None:
    assert rows
    for row in rows:
        assert 0 < row.alone.p50_ms <= row.alone.p95_ms <= row.alone.p99_ms
        assert row.alone.slowest <= row.alone.a_second <= row.alone.fastest
        assert row.together_a_second > 0 and row.build_s > 0
        if name in EXACT:
            assert (row.recall, row.filtered_recall) == (1.0, 1.0)
        else:
            assert 0.2 < row.recall <= 1
    # The one that looks longest finds nearly all, with the filter too; of the few cells of IVF it looks into a quarter.
    least, least_filtered = (0.8, 0.4) if name == "faiss-ivf" else (0.95, 0.9)
    assert max(row.recall for row in rows) > least and max(row.filtered_recall for row in rows) > least_filtered
    if not name.startswith("server"):
        assert all(row.cold_ms and row.cold_ms > 0 for row in rows)
        whole = DIM * 4
        kept, compared = rows[0].kept_bytes, rows[0].compared_bytes
        assert kept and compared and whole <= kept < 10 * whole
        if name in ("int8", "binary", "turbo", "faiss-ivf-pq"):
            assert compared < kept


def test_exact_search_agrees_with_sorting(case) -> None:
    vectors, parts, queries, truth = case
    for number, query in enumerate(queries):
        scores = np.sort(vectors @ query)[::-1]
        assert truth.lowest[number] == pytest.approx(scores[NEIGHBOURS - 1], abs=1e-6)
        of_part = np.sort(vectors[parts == number % PARTS] @ query)[::-1]
        assert truth.lowest_filtered[number] == pytest.approx(of_part[NEIGHBOURS - 1], abs=1e-6)


def test_a_method_that_finds_the_wrong_ones_is_told_so(case, tmp_path: Path) -> None:
    class First:
        kept_bytes = compared_bytes = POINTS

        def search(self, query, setting, part):
            time.sleep(0.02)
            return range(NEIGHBOURS)

        def close(self) -> None:
            pass

    (row,) = measured(Method("none", "first", {"": {}}, lambda *_: First()), case, tmp_path)
    assert row.recall < 0.2 and row.filtered_recall < 0.2 and row.kept_bytes == 1
    assert row.alone.p50_ms >= 20 and row.alone.a_second <= 50 and row.together_a_second > row.alone.a_second


def test_fewer_neighbours_than_asked_for_are_no_fault(tmp_path: Path) -> None:
    vectors = unit_rows(np.random.default_rng(3).standard_normal((20, 8)))
    parts, queries = np.arange(20) % PARTS, vectors[:10]
    rows = rows_of(edge_methods()["flat"], vectors, parts, queries, truth_of(vectors, parts, queries), tmp_path, runs=1)
    assert (rows[0].recall, rows[0].filtered_recall) == (1.0, 1.0)


def test_cells_and_codes_fit_few_vectors_and_odd_widths() -> None:
    assert [cells_of(points) for points in (20, 1000, 100_000)] == [1, 25, 1264]
    assert [code_bytes(dim) for dim in (2, 7, 100, 512)] == [1, 1, 10, 64]


def test_a_server_that_is_none_is_said(case, tmp_path: Path) -> None:
    with pytest.raises(IndexUnavailableError, match="did not do what it was asked"):
        measured(server_methods("http://127.0.0.1:9")["server-flat"], case, tmp_path)


SPEED = Speed(1.0, 2.0, 3.0, 900.0, 800.0, 1000.0)
ROW = Row("Qdrant Edge", "int8", "2x <again>", 0.99, 0.98, 1.5, 500.0, 100.0, SPEED, 700.0, SPEED, 12.0)
FOUND = index_report.Tradeoff(
    "adapter vectors", 1000, 384, 100, 3, "a machine", "speechsearch benchmark-index", "2026-11-27",
    (ROW, replace(ROW, engine="faiss", method="HNSW & more", kept_bytes=None, compared_bytes=None, cold_ms=None)),
)  # fmt: skip


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    index_report.write(FOUND, tmp_path / "found.json")
    assert index_report.read(tmp_path / "found.json") == FOUND
    with pytest.raises(InputError, match="cannot be written"):
        index_report.write(FOUND, tmp_path / "no" / "found.json")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"rows": [{}]}', "null", '{"rows": [1]}', "\0"])
def test_a_damaged_report_is_said(tmp_path: Path, content: str) -> None:
    (tmp_path / "found.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"'found\.json' cannot be read"):
        index_report.read(tmp_path / "found.json")


def test_tables_have_all_cells_and_pictures_all_points() -> None:
    lines = index_report.as_markdown(FOUND).splitlines()
    assert lines[0].startswith("1,000 vectors of 384 numbers: adapter vectors.") and "3 runs" in lines[0]
    assert [line.count("|") for line in lines[3:]] == [len(index_report.HEADS) + 1] * 4
    assert "500 / 100" in lines[5] and "- / -" in lines[6]
    drawn = index_report.picture_file(FOUND)
    assert drawn.count("<circle") == 2 and drawn.count("<polyline") == 2 and "2x &lt;again&gt;" in drawn
    assert "HNSW &amp; more" in drawn and "HNSW & more" not in drawn
    import defusedxml.ElementTree

    assert defusedxml.ElementTree.fromstring(drawn).tag.endswith("svg")
    assert index_report.picture((), "", "", "") == ""
