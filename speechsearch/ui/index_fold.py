"""What was last measured of the ways to index this library's vectors, folded, at the end of the Compare tab."""

from __future__ import annotations

from pathlib import Path

from speechsearch.domain.errors import InputError
from speechsearch.evaluation import index_report
from speechsearch.evaluation.index_report import Tradeoff, shown
from speechsearch.evaluation.index_tradeoff import Row
from speechsearch.ui import view
from speechsearch.ui.compare_view import short, table
from speechsearch.ui.texts import IndexCosts


def index_fold(folder: Path) -> str:
    """Return the fold for a data folder: the figures, or how to get them."""
    file = folder / index_report.FILE_NAME
    try:
        inner = measured(index_report.read(file)) if file.is_file() else ""
    except InputError as error:
        inner = view.problem(error)
    about = f'<p class="ss-about">{IndexCosts.ABOUT}</p>'
    about += f'<p class="ss-about">{IndexCosts.HOW} <code>{IndexCosts.COMMAND}</code></p>'
    return f'<details class="ss-more ss-index"><summary>{IndexCosts.TITLE}</summary>{about}{inner}</details>'


def measured(found: Tradeoff) -> str:
    """Return the picture, its key, the table and what they rest on; which collections it was stays unsaid."""
    drawn = index_report.picture(found.rows, IndexCosts.LABEL, IndexCosts.ACROSS, IndexCosts.UP)
    keys = "".join(
        f'<li><span class="ss-key" style="background:{colour}"></span>{view.text(name)}</li>'
        for name, colour in index_report.key(found.rows)
    )
    rows = "".join(line(row) for row in found.rows)
    basis = IndexCosts.BASIS.format(
        vectors=f"{found.points:,}", dim=found.dim, asked=found.asked, runs=found.runs, date=view.text(found.date),
        machine=view.text(found.machine, 200),
    )  # fmt: skip
    return (
        f'<figure class="ss-curves">{drawn}<ul class="ss-keys">{keys}</ul></figure>'
        f'{table(IndexCosts.HEADS, rows, IndexCosts.LABEL)}<p class="ss-about ss-basis">{basis}</p>'
    )


def line(row: Row) -> str:
    """Return a row of the table."""
    ms = f"<b>{shown(row.alone.p50_ms)}</b><small>{IndexCosts.MOST.format(ms=shown(row.alone.p95_ms))}</small>"
    first = "–" if row.cold_ms is None else f"{row.cold_ms:.0f}"
    size = "–" if row.compared_bytes is None else f"{row.compared_bytes:,.0f}"
    cells = (
        short(row.recall), short(row.filtered_recall), shown(row.alone.a_second), shown(row.together_a_second)
    )  # fmt: skip
    return (
        f'<tr><th scope="row">{view.text(f"{row.engine} {row.method}")}<br><small>{view.text(row.setting)}</small></th>'
        f"{''.join(f'<td>{one}</td>' for one in cells)}"
        f'<td class="ss-figure">{ms}</td><td>{first}</td><td>{shown(row.build_s)}</td><td>{size}</td></tr>'
    )
