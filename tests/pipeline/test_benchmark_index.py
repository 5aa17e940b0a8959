"""``benchmark-index``: a library's own vectors or a file's, measured; the library stays as it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from speechsearch.cli import app
from speechsearch.domain.errors import InputError, NotFoundError
from speechsearch.evaluation import index_report
from tests.conftest import copy_data


@pytest.fixture
def data(library_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPEECHSEARCH_DATA_DIR", str(tmp_path / "data"))
    return copy_data(library_folder, tmp_path / "data")


def run(*words: str):
    done = CliRunner().invoke(app, ["benchmark-index", "--asked", "10", "--runs", "1", *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_a_library_is_measured_and_the_page_can_show_it(data: Path, tmp_path: Path) -> None:
    done = run("--points", "300", "--methods", "flat,int8", "--picture", str(tmp_path / "p.svg"))
    assert done.exit_code == 0 and "drawn with replacement to 300" in done.stdout
    kept = index_report.read(data / index_report.FILE_NAME)
    assert (kept.points, kept.dim, kept.asked) == (300, 384, 10)
    assert [row.method for row in kept.rows] == ["flat", "int8", "int8", "int8"]
    assert kept.rows[0].recall == 1.0 and kept.command.startswith("speechsearch")
    assert (tmp_path / "p.svg").read_text(encoding="utf-8").startswith("<svg")


def test_a_file_is_measured_without_any_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECHSEARCH_DATA_DIR", str(tmp_path / "none"))
    draw = np.random.default_rng(0)
    np.save(tmp_path / "v.npy", draw.standard_normal((100, 16)))
    np.save(tmp_path / "q.npy", draw.standard_normal((30, 16)))
    words = ("--vectors", str(tmp_path / "v.npy"), "--methods", "flat", "--json")
    found = json.loads(run(*words, "--queries", str(tmp_path / "q.npy"), "-o", str(tmp_path / "f.json")).stdout)
    assert (found["points"], found["asked"], len(found["rows"])) == (100, 10, 1)
    assert "rows of q.npy" in found["vectors"] and index_report.read(tmp_path / "f.json").points == 100
    assert not (tmp_path / "none").exists()
    np.save(tmp_path / "wide.npy", draw.standard_normal((30, 17)))
    with pytest.raises(InputError, match="has 17 numbers a row, the vectors 16"):
        run(*words, "--queries", str(tmp_path / "wide.npy"))
    with pytest.raises(InputError, match="A file of vectors has no collections"):
        run(*words, "--collection", "samples")


def test_what_windows_sound_like_is_measured_too(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(1).standard_normal((30, 16)).astype(np.float32)
    monkeypatch.setattr("speechsearch.service.browse.Browse.window_vectors", lambda self, collection: vectors)
    assert "the similar vectors of 30 windows" in run("--vectors", "similar", "--methods", "flat").stdout
    monkeypatch.setattr("speechsearch.service.browse.Browse.window_vectors", lambda self, collection: vectors[:3])
    with pytest.raises(InputError, match="There are 3 'similar' vectors"):
        run("--vectors", "similar", "--methods", "flat")


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (("--vectors", "phonetic"), NotFoundError, "no dense vectors called 'phonetic'"),
        (("--collection", "other"), NotFoundError, "no collection 'other'"),
        ((), InputError, "There are 13 'adapter' vectors, too few"),
        (("--points", "100", "--methods", "flat,trees"), InputError, "no method 'trees'"),
        (("--vectors", "gone.npy"), InputError, "cannot be read as an array"),
    ],
)
def test_what_there_is_not_is_said(data: Path, words: tuple[str, ...], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        run(*words)
    assert not (data / index_report.FILE_NAME).exists()
