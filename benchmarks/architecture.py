"""Draw the rooms of the program from its imports, for docs: ``python -m benchmarks.architecture``.

A room is a folder of ``speechsearch``; the command line is a file. A room stands one floor above the highest one that
it imports, so every arrow points down; arrows that a longer way says already are left out.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "images" / "architecture.svg"
PURPOSE = {
    "domain": "values, errors, limits",
    "audio": "decode, cut, degrade",
    "text": "words, sounds, terms",
    "index": "nearest vectors",
    "store": "the only SQL",
    "models": "one file a family",
    "diarization": "who speaks when",
    "retrieval": "rank, fuse, explain",
    "library": "two passes, in step",
    "answers": "extract, cite, refuse",
    "service": "use cases, settings",
    "evaluation": "measure engines",
    "jobs": "the queue",
    "training": "recipes",
    "api": "REST, MCP, login",
    "ui": "the page",
    "cli": "commands",
}
WIDTH, ROW, BOX_WIDTH, BOX_HEIGHT = 920, 92, 150, 48


def rooms() -> set[str]:
    """Return the names of the rooms."""
    folders = {path.parent.name for path in (ROOT / "speechsearch").glob("*/__init__.py")}
    return folders | {"cli"}


def sources(room: str) -> list[Path]:
    """Return the Python files of a room."""
    folder = ROOT / "speechsearch" / room
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


@cache
def imported(path: Path) -> frozenset[str]:
    """Return the rooms that a file imports, its own among them."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module:
            whole = node.module == "speechsearch"
            names = [f"speechsearch.{alias.name}" for alias in node.names] if whole else [node.module]
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("speechsearch.")}
    return frozenset(found & rooms())


def arrows() -> dict[str, set[str]]:
    """Return room -> the rooms that it imports."""
    return {room: {other for path in sources(room) for other in imported(path)} - {room} for room in sorted(rooms())}


def floors(imports: dict[str, set[str]]) -> dict[str, int]:
    """Return room -> its floor, 1 for one that imports nothing.

    >>> floors({"a": set(), "b": {"a"}, "c": {"a", "b"}})
    {'a': 1, 'b': 2, 'c': 3}
    """
    found: dict[str, int] = {}

    def floor(room: str) -> int:
        if room not in found:
            found[room] = 1 + max((floor(other) for other in imports[room]), default=0)
        return found[room]

    return {room: floor(room) for room in sorted(imports)}


def direct(imports: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return the arrows without those that a longer way says already.

    >>> direct({"a": set(), "b": {"a"}, "c": {"a", "b"}})["c"]
    {'b'}
    """
    return {
        room: {other for other in others if not any(other in imports[between] for between in others - {other})}
        for room, others in imports.items()
    }


def drawing() -> str:
    """Return the picture as SVG; the same for the same imports."""
    imports = arrows()
    level = floors(imports)
    by_floor: dict[int, list[str]] = defaultdict(list)
    for room, floor in sorted(level.items()):
        by_floor[floor].append(room)
    highest = max(by_floor)
    place = {}
    for floor, names in by_floor.items():
        step = WIDTH / (len(names) + 1)
        for number, room in enumerate(names, 1):
            place[room] = (round(step * number), 30 + ROW * (highest - floor))
    height = 30 + ROW * highest
    lines = []
    for room, others in sorted(direct(imports).items()):
        for other in sorted(others):
            (x1, y1), (x2, y2) = place[room], place[other]
            lines.append(f'<line x1="{x1}" y1="{y1 + BOX_HEIGHT}" x2="{x2}" y2="{y2}" marker-end="url(#end)"/>')
    boxes = [
        f'<g><rect x="{x - BOX_WIDTH // 2}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="8"/>'
        f'<text x="{x}" y="{y + 20}" class="name">{escape(room)}</text>'
        f'<text x="{x}" y="{y + 37}">{escape(PURPOSE[room])}</text></g>'
        for room, (x, y) in sorted(place.items())
    ]
    style = (
        "line{stroke:#64748b;stroke-width:1.2}rect{fill:#f8fafc;stroke:#0d9488;stroke-width:1.4}"
        "text{font:12px system-ui,sans-serif;text-anchor:middle;fill:#334155}.name{font-weight:600;font-size:14px}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="The rooms of speechsearch and what they import">\n<style>{style}</style>\n'
        '<defs><marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#64748b"/></marker></defs>\n'
        f'<rect width="{WIDTH}" height="{height}" style="fill:#ffffff;stroke:none"/>\n'
        + "\n".join([*lines, *boxes])
        + "\n</svg>\n"
    )


if __name__ == "__main__":
    PICTURE.write_text(drawing(), encoding="utf-8")
    print(f"wrote {PICTURE.relative_to(ROOT)}")
