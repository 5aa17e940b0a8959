"""Imports point down only, and importing the package is fast."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEVELS = {
    "datatypes": 0, "errors": 0, "progress": 0, "settings": 0,
    "catalog": 1, "limits": 1, "lock": 1, "passwords": 1, "runtime": 1, "visitors": 1, "audio": 1, "mini": 1,
    "encoders": 2, "asr": 2, "index": 2, "store": 2,
    "retrieval": 3,
    "evidence": 4, "exports": 4, "jobs": 4, "worker": 4, "waveform": 4, "derived": 4,
    "evaluation": 4, "backup": 4, "library": 4, "maps": 4, "contents": 4, "engines": 4,
    "service": 4, "reading": 4, "keeping": 4, "measure": 4, "prepared": 4, "robustness": 4,
    "training": 5, "api": 5, "ui": 5, "cli": 5, "__main__": 6, "__init__": 0,
}  # fmt: skip
HEAVY = ("torch", "transformers", "gradio", "datasets", "qdrant_client", "onnxruntime")


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "speechsearch").parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        if isinstance(node, ast.ImportFrom) and node.module == "speechsearch":
            names += [f"speechsearch.{alias.name}" for alias in node.names if not alias.name.startswith("__")]
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("speechsearch.")}
    return found


SOURCES = sorted((ROOT / "speechsearch").rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    room = room_of(path)
    for other in imported_rooms(path) - {room}:
        if LEVELS[room] == 2:
            assert LEVELS[other] < 2, f"{room} imports {other}: rooms of one level on L2 do not know each other"
        assert LEVELS[other] <= LEVELS[room], f"{room} (L{LEVELS[room]}) imports {other} (L{LEVELS[other]})"
        assert other != "training", f"{room} imports training"


def test_the_package_never_imports_ingest_outside_the_command_line() -> None:
    for path in SOURCES:
        if room_of(path) == "cli":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            assert (module or "").split(".")[0] != "ingest", f"{path.name} imports ingest"


def test_importing_the_package_is_fast_and_light() -> None:
    code = f"import sys, speechsearch, speechsearch.cli; print([m for m in {HEAVY!r} if m in sys.modules])"
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
    assert time.perf_counter() - started < 20  # a loaded machine; the list above is what keeps it fast
