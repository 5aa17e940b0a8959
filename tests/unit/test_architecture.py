"""The rooms: which there are, what each may import, how large files are; importing the package is fast and light.

docs/architecture.md says what each room is for; benchmarks/architecture.py draws its picture from the same imports.
"""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys

import pytest

from benchmarks.architecture import ROOT, drawing, imported, rooms, sources

FLOORS = {
    1: ("domain",),
    2: ("audio", "text", "index", "store"),
    3: ("models", "diarization"),
    4: ("retrieval", "library", "answers"),
    5: ("service", "jobs"),
    6: ("evaluation", "api"),
    7: ("ui", "training"),
    8: ("cli",),
}
MAY_IMPORT = {
    "domain": set(),
    "audio": {"domain"},
    "text": {"domain"},
    "index": {"domain"},
    "store": {"domain"},
    "models": {"domain", "text"},
    "diarization": {"domain", "audio"},
    "retrieval": {"domain", "text", "index", "models"},
    "answers": {"domain", "text", "models"},
    "library": {"domain", "audio", "index", "store", "models", "diarization"},
    "service": {"domain", "audio", "index", "store", "models", "diarization", "retrieval", "library", "answers"},
    "jobs": {"domain", "store"},
    "evaluation": {"domain", "audio", "text", "index", "models", "retrieval", "library", "service"},
    "training": {"domain", "audio", "text", "models", "retrieval", "answers", "library", "service", "evaluation"},
    "api": {"domain", "audio", "store", "library", "retrieval", "service", "jobs"},
    "ui": {"domain", "audio", "store", "library", "retrieval", "service", "evaluation", "jobs", "api"},
    "cli": {"domain", "library", "service", "evaluation", "api", "ui"},
}
"""What each room imports; a new arrow is written down here, and points down."""
LOOSE = {
    "__init__", "__main__", "cli", "cli_ask", "cli_diarize", "cli_edit", "cli_exchange", "cli_files", "cli_index",
    "cli_ingest", "cli_models", "cli_names", "cli_quantize", "cli_shared", "cli_similar", "cli_speakers", "cli_speech",
    "cli_tokenize", "cli_train",
}  # fmt: skip
LONGEST_FILE, USUAL_FILE = 400, 150
LISTS = ("speechsearch/ui/texts.py",)
"""Files that only list, so may be long: the one file with all texts of the page."""
HEAVY = ("torch", "transformers", "gradio", "datasets", "qdrant_client", "onnxruntime")
FLOOR_OF = {room: floor for floor, names in FLOORS.items() for room in names}


def test_the_rooms_are_those_of_the_plan() -> None:
    assert rooms() - set(FLOOR_OF) == set(), "a new room needs a floor, and a line in docs/architecture.md"
    assert len(FLOOR_OF) - 1 <= 16 and len(FLOORS) <= 8  # cli is a file
    loose = {path.stem for path in (ROOT / "speechsearch").glob("*.py")}
    assert loose == LOOSE


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_a_room_imports_only_what_it_may(room: str) -> None:
    for path in sources(room):
        for other in imported(path) - {room}:
            assert other in MAY_IMPORT[room], f"{path.relative_to(ROOT)} imports {other}"


def test_imports_point_down() -> None:
    for room, others in MAY_IMPORT.items():
        for other in others:
            assert FLOOR_OF[other] < FLOOR_OF[room], f"{room} may not import {other}: it is no lower floor"
    assert all("training" not in others for others in MAY_IMPORT.values())


def test_no_arrow_is_allowed_that_is_not_there() -> None:
    used = {room: {other for path in sources(room) for other in imported(path)} - {room} for room in MAY_IMPORT}
    unused = {room: others - used[room] for room, others in MAY_IMPORT.items() if others - used[room]}
    assert unused == {}


def test_the_package_imports_ingest_only_from_the_command_line() -> None:
    for path in (ROOT / "speechsearch").rglob("*.py"):
        if path.stem in (
            "cli",
            "cli_diarize",
            "cli_exchange",
            "cli_files",
            "cli_ingest",
            "cli_quantize",
            "cli_speech",
            "cli_tokenize",
        ):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            assert (module or "").split(".")[0] not in ("ingest", "cluster", "benchmarks"), f"{path} imports {module}"


def test_ingest_knows_nothing_of_clusters() -> None:
    for path in (ROOT / "ingest").rglob("*.py"):
        assert "cluster" not in path.read_text(encoding="utf-8"), path


def test_rooms_that_import_each_other_have_no_two_files_of_one_name() -> None:
    stems = {room: {path.stem for path in sources(room)} - {"__init__", "__main__"} for room in MAY_IMPORT}
    for room, others in MAY_IMPORT.items():
        for other in others:
            assert stems[room] & stems[other] == set(), f"{room} and {other}"


def test_files_are_short() -> None:
    lengths = {
        path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines())
        for folder in ("speechsearch", "ingest", "cluster", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        if path.relative_to(ROOT).as_posix() not in LISTS
    }
    assert {path: length for path, length in lengths.items() if length > LONGEST_FILE} == {}
    assert statistics.median(lengths.values()) <= USUAL_FILE


def test_only_the_settings_read_the_environment() -> None:
    readers = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "speechsearch").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    ]  # fmt: skip
    # All but the first pass something on to others.
    allowed = {"service/settings.py", "__init__.py", "api/server.py", "audio/children.py"}
    assert {reader.removeprefix("speechsearch/") for reader in readers} <= allowed


def test_the_picture_shows_the_rooms_as_they_are() -> None:
    shown = (ROOT / "docs" / "images" / "architecture.svg").read_text(encoding="utf-8")
    assert shown == drawing(), "draw it anew: python -m benchmarks.architecture"


def test_importing_the_package_is_fast_and_light() -> None:
    code = f"""
import sys, time
started = time.perf_counter()
import speechsearch
spent_s = time.perf_counter() - started
import speechsearch.cli
print(spent_s < 0.3, [name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "True []"
