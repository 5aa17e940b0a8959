"""Vectors to measure indexes with: out of a file that anybody may have written, or grown from a library's real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.errors import InputError
from speechsearch.domain.values import FloatMatrix

MOVED = 0.3
"""The length of the noise that is added to a vector of length 1."""
LEAST_ROWS, MOST_ROWS, MOST_NUMBERS = 20, 10_000_000, 65_536
BLOCK = 20_000
SHAPE_HINT = (
    f"It needs one vector a row: {LEAST_ROWS} to {MOST_ROWS:,} rows of 2 to {MOST_NUMBERS:,} floating-point numbers."
)


def read_vectors(path: Path) -> FloatMatrix:
    """Return the vectors of a NumPy file (.npy), each of length 1, (rows, numbers) float32. Nothing pickled is read.

    Raises:
        InputError: it is no such file, cut off, of another shape, or has rows that are zero or not finite.
    """
    try:
        kept = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, TypeError, OverflowError, EOFError) as error:
        raise InputError(f"'{path}' cannot be read as an array of NumPy: {error!s:.200}", SHAPE_HINT) from error
    if kept.ndim != 2 or kept.dtype.kind != "f":
        raise InputError(f"'{path}' has the shape {kept.shape} of {kept.dtype}.", SHAPE_HINT)
    rows, numbers = kept.shape
    if not LEAST_ROWS <= rows <= MOST_ROWS or not 2 <= numbers <= MOST_NUMBERS:
        raise InputError(f"'{path}' has {rows:,} rows of {numbers:,} numbers.", SHAPE_HINT)
    return unit_rows(kept, str(path))


def unit_rows(matrix: NDArray[np.floating], name: str = "vectors") -> FloatMatrix:
    """Return the rows scaled to length 1, (rows, numbers) float32.

    Raises:
        InputError: a row is zero or not finite.

    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 2.0]])).round(3).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 1.0]]
    """
    found = np.empty(matrix.shape, np.float32)
    for start in range(0, len(matrix), BLOCK):
        block = np.asarray(matrix[start : start + BLOCK], np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            lengths = np.linalg.norm(block, axis=1)
        wrong = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
        if len(wrong):
            raise InputError(f"Row {start + wrong[0]:,} of {name} is zero or not finite.", "Leave such rows out.")
        found[start : start + BLOCK] = block / lengths[:, None]
    return found


def moved(real: FloatMatrix, count: int, seed: int) -> FloatMatrix:
    """Return vectors near real ones: drawn with replacement, noise of length MOVED added, (count, dim) float32.

    >>> moved(np.eye(4, dtype=np.float32), 1000, seed=1).shape
    (1000, 4)
    """
    draw = np.random.default_rng(seed)
    found = np.empty((count, real.shape[1]), np.float32)
    for start in range(0, count, BLOCK):
        chosen = real[draw.integers(len(real), size=min(BLOCK, count - start))]
        noise = draw.standard_normal(chosen.shape, np.float32)
        changed = chosen + np.float32(MOVED) * noise / np.linalg.norm(noise, axis=1, keepdims=True)
        found[start : start + BLOCK] = changed / np.linalg.norm(changed, axis=1, keepdims=True)
    return found


def grown(real: FloatMatrix, count: int, seed: int = 1) -> FloatMatrix:
    """Return so many vectors: the real ones, where they are enough some of them, else further ones near them."""
    if count <= len(real):
        return real[np.sort(np.random.default_rng(seed).permutation(len(real))[:count])]
    return np.concatenate([real, moved(real, count - len(real), seed)])
