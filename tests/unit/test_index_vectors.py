"""Files of vectors from anybody: only plain arrays of usable vectors are read, and nothing pickled is ever run."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from speechsearch.domain.errors import InputError
from speechsearch.evaluation.index_vectors import MOVED, grown, moved, read_vectors, unit_rows


class Runs:
    """Pickled: it would make a file when it is read."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.path,)


def written(path: Path, array: np.ndarray, **named: bool) -> Path:
    np.save(path, array, **named)
    return path


@pytest.mark.parametrize("kind", ["<f2", "<f4", ">f4", "<f8"])
def test_rows_are_read_in_any_precision_and_order(tmp_path: Path, kind: str) -> None:
    rows = np.random.default_rng(1).standard_normal((40, 6))
    found = read_vectors(written(tmp_path / "v.npy", np.asfortranarray(rows.astype(kind))))
    assert found.dtype == np.float32 and found.shape == (40, 6)
    np.testing.assert_allclose(found, rows / np.linalg.norm(rows, axis=1, keepdims=True), atol=2e-3)


def test_nothing_pickled_is_run(tmp_path: Path) -> None:
    trap = tmp_path / "ran"
    objects = np.array([[Runs(str(trap))] * 4] * 30, object)
    with pytest.raises(InputError, match="cannot be read as an array of NumPy"):
        read_vectors(written(tmp_path / "objects.npy", objects, allow_pickle=True))
    (tmp_path / "bare.npy").write_bytes(pickle.dumps(Runs(str(trap))))
    with pytest.raises(InputError, match="cannot be read as an array of NumPy"):
        read_vectors(tmp_path / "bare.npy")
    assert not trap.exists()


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros(40, np.float32), r"has the shape \(40,\)"),
        (np.ones((30, 4, 2), np.float32), r"has the shape \(30, 4, 2\)"),
        (np.ones((30, 4), np.int32), "of int32"),
        (np.ones((30, 4), np.complex64), "of complex64"),
        (np.ones((30, 4), [("a", "f4")]), "has the shape"),
        (np.ones((19, 4), np.float32), "has 19 rows of 4 numbers"),
        (np.ones((30, 1), np.float32), "has 30 rows of 1 numbers"),
        (np.ones((20, 65_537), np.float16), "has 20 rows of 65,537 numbers"),
        (np.ones((0, 4), np.float32), "cannot be read|has 0 rows"),
        (np.array([[1.0, 2.0]] * 30 + [[0.0, 0.0]]), "Row 30 of .* is zero or not finite"),
        (np.array([[np.nan, 2.0]] + [[1.0, 0.0]] * 30), "Row 0 of .* is zero or not finite"),
        (np.array([[1.0, 2.0]] * 30 + [[np.inf, 0.0]]), "Row 30 of .* is zero or not finite"),
    ],
)
def test_other_shapes_are_refused(tmp_path: Path, array: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_vectors(written(tmp_path / "v.npy", array))


def announced(shape: object) -> bytes:
    """Return a file that says it has a shape, and holds 30 times 4 numbers."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return file.getvalue() + bytes(480)


def test_files_that_lie_are_refused(tmp_path: Path) -> None:
    lying = {
        "cut": announced((31, 4)),
        "huge": announced((9_999_999, 4)),
        "vast": announced((10**30, 4)),
        "negative": announced((-30, 4)),
        "no shape": announced("exit()"),
        "empty": b"",
        "text": b"vectors",
    }
    for name, content in lying.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=r"cannot be read as an array of NumPy|rows of"):
            read_vectors(tmp_path / name)
    with pytest.raises(InputError, match="cannot be read as an array of NumPy"):
        read_vectors(tmp_path / "absent.npy")
    np.savez(tmp_path / "many.npz", a=np.ones((30, 4)))
    with pytest.raises(InputError, match="cannot be read as an array of NumPy"):
        read_vectors(tmp_path / "many.npz")


def test_a_library_grows_by_vectors_near_its_own_and_shrinks_to_some_of_them() -> None:
    real = unit_rows(np.random.default_rng(0).standard_normal((200, 64)))
    more = grown(real, 1000)
    np.testing.assert_array_equal(more[:200], real)
    nearest = (more[200:] @ real.T).max(1)
    assert nearest.min() > 0.9 and nearest.max() < 0.9999  # cosine of what noise of this length does: about 0.96
    assert abs(float(nearest.mean()) - 1 / np.sqrt(1 + MOVED**2)) < 0.01
    np.testing.assert_allclose(np.linalg.norm(more, axis=1), 1, atol=1e-5)
    fewer = grown(real, 50)
    assert len(np.unique(fewer, axis=0)) == 50 and (fewer @ real.T).max(1).min() > 0.99999
    np.testing.assert_array_equal(grown(real, 1000), more)
    assert not np.array_equal(moved(real, 10, seed=1), moved(real, 10, seed=2))
