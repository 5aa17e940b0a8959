"""The trade-off of indexes as a file, a table and a picture, with its n, machine, command and date."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path

from speechsearch.domain.errors import InputError
from speechsearch.evaluation.index_tradeoff import CALLERS, NEIGHBOURS, PARTS, Row, Speed

FILE_NAME = "index-tradeoff.json"
"""In the data folder: what was last measured of the library."""
LARGEST_BYTES = 5_000_000
HEADS = (
    "index", "searched", f"recall@{NEIGHBOURS}", "searches a second (range)", "p50 / p95 / p99 ms",
    f"{CALLERS} callers, a second", f"one in {PARTS}: recall", "p50 ms", "first, cold ms", "build s",
    "bytes a vector: kept / compared",
)  # fmt: skip
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 340, 58, 14, 12, 44
COLOURS = (
    "#3f7fb5", "#d0651e", "#1e9a74", "#b45f95", "#94781a", "#777780", "#8a5a3a", "#5a5fc0", "#c2404f", "#4d8f2f",
)  # fmt: skip
"""Readable on a light page and on a dark one."""
OF_OTHERS = "5 4"
"""The lines of all engines but the first are dashed."""


@dataclass(frozen=True, slots=True)
class Tradeoff:
    """All rows and how they came about. ``vectors``: which they were, in words; ``asked``: queries a run."""

    vectors: str
    points: int
    dim: int
    asked: int
    runs: int
    machine: str
    command: str
    date: str
    rows: tuple[Row, ...]


def write(tradeoff: Tradeoff, path: Path) -> None:
    """Write it as JSON, whole or not at all. Raises InputError: the file cannot be written."""
    draft = path.with_name(f"{path.name}.unfinished")
    try:
        draft.write_text(json.dumps(asdict(tradeoff), indent=1) + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise InputError(f"'{path}' cannot be written: {error.strerror or error}.", "Name another file.") from error


def read(path: Path) -> Tradeoff:
    """Return what ``write`` wrote.

    Raises:
        InputError: it cannot be read, or is something else.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise ValueError("it is too large")
        found = json.loads(path.read_text(encoding="utf-8"))
        speeds = ("alone", "filtered")
        rows = tuple(Row(**{**one, **{name: Speed(**one[name]) for name in speeds}}) for one in found["rows"])
        tradeoff = Tradeoff(**{**found, "rows": rows})
        as_markdown(tradeoff)  # so that whoever shows it finds numbers where numbers must be
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(
            f"'{path.name}' cannot be read: {error!s:.200}", "Measure again: speechsearch benchmark-index"
        ) from error
    return tradeoff


def cells(row: Row) -> tuple[str, ...]:
    """Return a row's cells, as HEADS names them."""
    alone, filtered = row.alone, row.filtered
    sizes = (row.kept_bytes, row.compared_bytes)
    return (
        f"{row.engine} {row.method}",
        row.setting,
        f"{row.recall:.3f}",
        f"{shown(alone.a_second)} ({shown(alone.slowest)}-{shown(alone.fastest)})",
        " / ".join(f"{one:.2f}" for one in (alone.p50_ms, alone.p95_ms, alone.p99_ms)),
        shown(row.together_a_second),
        f"{row.filtered_recall:.3f}",
        f"{filtered.p50_ms:.2f}",
        "-" if row.cold_ms is None else f"{row.cold_ms:.0f}",
        shown(row.build_s),
        " / ".join("-" if one is None else f"{one:,.0f}" for one in sizes),
    )


def shown(value: float) -> str:
    """Return a number as a table shows it: three figures.

    >>> shown(12345.6), shown(86.42), shown(1.234)
    ('12,346', '86.4', '1.23')
    """
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def basis(tradeoff: Tradeoff) -> str:
    """Return in words what the figures rest on."""
    return (
        f"{tradeoff.points:,} vectors of {tradeoff.dim} numbers: {tradeoff.vectors}. {tradeoff.asked} queries a run, "
        f"the median of {tradeoff.runs} runs. {tradeoff.date}, {tradeoff.machine}."
    )


def as_markdown(tradeoff: Tradeoff) -> str:
    """Return the table with what it rests on."""
    lines = [f"{basis(tradeoff)}", f"`{tradeoff.command}`", "", f"| {' | '.join(HEADS)} |"]
    lines.append(f"|:---|:---|{'---:|' * (len(HEADS) - 2)}")
    return "\n".join([*lines, *(f"| {' | '.join(cells(row))} |" for row in tradeoff.rows)])


def lines_of(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return index -> its rows, the lowest recall first."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(f"{row.engine} {row.method}", []).append(row)
    return {name: sorted(some, key=lambda row: row.recall) for name, some in found.items()}


def place(recall: float, a_second: float, least: float, most: float) -> tuple[float, float]:
    """Return where recall (0.5 to 1) and searches a second (logarithmic) lie in the picture.

    >>> place(0.5, 10, 10, 1000), place(1.0, 1000, 10, 1000), place(0.2, 100, 10, 1000)
    ((58.0, 296.0), (626.0, 12.0), (58.0, 154.0))
    """
    across = max(0.0, recall - 0.5) * 2
    up = math.log(a_second / least) / math.log(most / least)
    return round(LEFT + across * (WIDTH - LEFT - RIGHT), 1), round(HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM), 1)


def picture(rows: Sequence[Row], label: str, across: str, up: str) -> str:
    """Return recall against searches a second as SVG, a line an index; the right upper corner is the best place.

    ``label``: what it shows, for who cannot see it; ``across``, ``up``: what stands at its axes. Empty without rows.
    """
    if not rows:
        return ""
    rates = [row.alone.a_second for row in rows]
    least, most = (10.0 ** math.floor(math.log10(min(rates))), 10.0 ** math.ceil(math.log10(max(rates)) + 1e-9))
    least = least / 10 if least == most else least
    drawn = [_axes(least, most, across, up)]
    first = rows[0].engine
    for number, (name, some) in enumerate(lines_of(rows).items()):
        points = [place(row.recall, row.alone.a_second, least, most) for row in some]
        colour, dash = COLOURS[number % len(COLOURS)], "none" if some[0].engine == first else OF_OTHERS
        path = " ".join(f"{x},{y}" for x, y in points)
        told = "".join(
            f'<circle cx="{x}" cy="{y}" r="3.2" fill="{colour}" stroke="none"><title>{escape(name)}, '
            f"{escape(row.setting)}: {row.recall:.3f}, {shown(row.alone.a_second)}</title></circle>"
            for (x, y), row in zip(points, some, strict=True)
        )
        curve = f'<polyline points="{path}" stroke-dasharray="{dash}"/>'
        drawn.append(f'<g fill="none" stroke="{colour}" stroke-width="1.6">{curve}{told}</g>')
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" xmlns="http://www.w3.org/2000/svg"'
    return f'<svg {size} role="img" aria-label="{escape(label)}" font-family="sans-serif">{"".join(drawn)}</svg>'


def key(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Return (index, colour of its line), in the order of the picture."""
    return [(name, COLOURS[number % len(COLOURS)]) for number, name in enumerate(lines_of(rows))]


def picture_file(tradeoff: Tradeoff) -> str:
    """Return the picture with its key as a whole SVG file, black on white."""
    inner = picture(tradeoff.rows, "Recall and speed", f"recall@{NEIGHBOURS} against exact search", "searches a second")
    keys = key(tradeoff.rows)
    across = WIDTH // 2
    written = "".join(
        f'<g transform="translate({LEFT + number % 2 * across - LEFT // 2} {HEIGHT + 12 + number // 2 * 16})">'
        f'<rect width="18" height="3" y="-4" fill="{colour}"/><text x="24" font-size="11">{escape(name)}</text></g>'
        for number, (name, colour) in enumerate(keys)
    )
    height = HEIGHT + 16 + 16 * math.ceil(len(keys) / 2)
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" xmlns="http://www.w3.org/2000/svg" '
        f'color="#222" fill="#222" font-family="sans-serif"><rect width="{WIDTH}" height="{height}" fill="#fff"/>'
        f'<svg width="{WIDTH}" height="{HEIGHT}">{inner}</svg>{written}</svg>\n'
    )


def _axes(least: float, most: float, across: str, up: str) -> str:
    """Return the lines and numbers behind the curves."""
    drawn = []
    bottom = HEIGHT - BOTTOM
    for tenth in range(5, 11):
        x, _ = place(tenth / 10, least, least, most)
        drawn.append(f'<line x1="{x}" x2="{x}" y1="{TOP}" y2="{bottom}"/>{_text(x, bottom + 16, f"{tenth / 10:.1f}")}')
    for power in range(round(math.log10(least)), round(math.log10(most)) + 1):
        _, y = place(0.5, 10.0**power, least, most)
        number = _text(LEFT - 6, y + 4, f"{10.0**power:,g}", "end")
        drawn.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>{number}')
    drawn.append(_text((LEFT + WIDTH) / 2, HEIGHT - 8, across))
    drawn.append(f'<g transform="translate(12 {HEIGHT / 2 - 10}) rotate(-90)">{_text(0, 0, up)}</g>')
    return f'<g stroke="currentColor" stroke-opacity=".15">{"".join(drawn)}</g>'


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="11" fill="currentColor" stroke="none">'
        f"{escape(text)}</text>"
    )
