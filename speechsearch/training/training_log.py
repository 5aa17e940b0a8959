"""The figures of a training, a line of JSON each: what curves are drawn from, and what early stopping looks at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class TrainingLog:
    """Lines with a step and some figures, in a file."""

    def __init__(self, path: Path, is_written: bool = True) -> None:
        """``is_written``: whether what is added goes into the file, too."""
        self._path, self._is_written = path, is_written
        self.lines: list[dict[str, Any]] = []
        if path.is_file():
            self.lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]

    def add(self, line: dict[str, Any]) -> None:
        """Append a line."""
        self.lines.append(line)
        if not self._is_written:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def cut(self, step: int) -> None:
        """Leave out what came after a step, because the training goes on from there."""
        self.lines = [line for line in self.lines if line["step"] <= step]
        if not self._is_written:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text("".join(json.dumps(line) + "\n" for line in self.lines), encoding="utf-8")

    def values(self, name: str) -> list[float]:
        """Return a figure's values, in their order."""
        return [float(line[name]) for line in self.lines if name in line]

    def last(self, name: str) -> float:
        """Return a figure's last value; NaN without any."""
        return self.values(name)[-1] if self.values(name) else float("nan")

    def best(self, name: str) -> float | None:
        """Return a figure's highest value; None without any."""
        return max(self.values(name), default=None)

    def without_better(self, name: str) -> int:
        """Return how many values came after the first of the highest ones."""
        found = self.values(name)
        return len(found) - 1 - found.index(max(found)) if found else 0
