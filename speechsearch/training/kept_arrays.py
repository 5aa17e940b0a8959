"""Arrays kept on disk by the content that they were made of, so that a training makes each of them once."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray


def content_key(*parts: str | NDArray[np.float32]) -> str:
    """Return a short text that changes with any part.

    >>> content_key("a", np.zeros(2, np.float32)) == content_key("a", np.zeros(3, np.float32))
    False
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else np.ascontiguousarray(part).tobytes()
        digest.update(f"{len(data)}:".encode())
        digest.update(data)
    return digest.hexdigest()[:32]


class KeptArrays:
    """Matrices of one width in two files: numbers behind each other, and a line of JSON a matrix that says where.

    A line is written after its numbers, so what was only half written is not found again. One process writes.
    """

    def __init__(self, path: Path, width: int, dtype: DTypeLike) -> None:
        """``path``: of both files, without their endings."""
        self.width, self.dtype = width, np.dtype(dtype)
        self._numbers, self._rows = path.with_suffix(".bin"), path.with_suffix(".jsonl")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._places: dict[str, tuple[int, int]] = {}
        if self._rows.is_file():
            with open(self._rows, encoding="utf-8") as lines:
                for line in lines:
                    if line.endswith("\n"):
                        key, start, length = json.loads(line)
                        self._places[key] = (start, length)
        self._end = max((start + length for start, length in self._places.values()), default=0)
        self._map: NDArray[np.generic] | None = None

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def length(self, key: str) -> int:
        """Return how many rows a matrix has."""
        return self._places[key][1]

    def add(self, key: str, rows: NDArray[np.generic]) -> None:
        """Keep a matrix, (rows, width)."""
        with open(self._numbers, "r+b" if self._numbers.exists() else "w+b") as numbers:
            numbers.seek(self._end * self.width * self.dtype.itemsize)
            numbers.write(np.ascontiguousarray(rows, self.dtype).tobytes())
        self._places[key] = (self._end, len(rows))
        with open(self._rows, "a", encoding="utf-8") as lines:
            lines.write(json.dumps([key, self._end, len(rows)]) + "\n")
        self._end += len(rows)
        self._map = None

    def get(self, key: str) -> NDArray[np.generic]:
        """Return a matrix, (rows, width), read from disk as it is used."""
        if self._map is None:
            self._map = np.memmap(self._numbers, self.dtype, "r", shape=(self._end, self.width))
        start, length = self._places[key]
        found: NDArray[np.generic] = self._map[start : start + length]
        return found
