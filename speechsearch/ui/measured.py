"""The shipped evaluation (evaluation.json) as HTML tables. Pure but for one file; every value is escaped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from speechsearch.evaluation import Figure, PairedTest
from speechsearch.retrieval.engine_cards import BASELINE, BUILT_IN, DEFAULT, EVERYTHING
from speechsearch.ui import view
from speechsearch.ui.compare_view import difference_cell, measure, table
from speechsearch.ui.texts import About, Page

CEILING = "text-hybrid"
OURS = (EVERYTHING.name, DEFAULT)
"""The engines that are compared with the baseline."""
TITLES = {card.name: card.title for card in BUILT_IN}
AGAINST = [About.AGAINST.format(engine=TITLES[ours], baseline=TITLES[BASELINE]) for ours in OURS]


def figures(file: Path) -> str:
    """Return the tables of the evaluation that ships with the program; where it is not there, say so."""
    if not file.is_file():
        return f"<p>{About.NO_EVALUATION}</p>"
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        sets = "".join(figure_row(one["name"], one["passages"], one["conditions"]["clean"]) for one in found["sets"])
        conditions = "".join(
            condition_row(found["titles"][name], one) for name, one in found["together"]["conditions"].items()
        )
        on = found["machine"]
        made = About.MADE.format(
            date=found["date"], processor=on["processor"], cores=on["cores"], command=found["command"]
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        return f"<p>{About.BAD_EVALUATION.format(why=view.text(error))}</p>"
    heads = [About.COLLECTION, Page.COUNT, About.PERFECT, *TITLES.values(), *AGAINST]
    engines = [TITLES[engine] for engine in (*OURS, BASELINE)]
    noisy = [About.NOISY_HEAD, Page.COUNT, *engines, *AGAINST, About.SOUNDS_MISHEARD, About.WORDS_MISHEARD]
    return (
        f"<p>{About.FIGURES}</p>{table(heads, sets, About.FIGURES_LABEL)}"
        f"<p>{About.NOISY}</p>{table(noisy, conditions, About.NOISY_LABEL)}"
        f'<p class="ss-basis">{About.FROM.format(made=view.text(made, 400))}</p>'
    )


def figure_row(name: str, passages: int, record: Mapping[str, Any]) -> str:
    """Return a collection's line: recall at 5 of every built-in engine, and ours against the baseline."""
    cells = "".join(recall(record, engine) for engine in (CEILING, *TITLES))
    return (
        f'<tr><th scope="row">{view.text(name)}<br>'
        f"<small>{About.PASSAGES.format(number=view.text(passages))}</small></th>"
        f"<td>{view.text(record['n'])}</td>{cells}{against_baseline(record)}</tr>"
    )


def condition_row(title: str, record: Mapping[str, Any]) -> str:
    """Return a condition's line: recall at 5 of ours and the baseline, differences, and how much was misheard."""
    cells = "".join(recall(record, engine) for engine in (*OURS, BASELINE))
    errors = (record["phoneme_error_rate"], record["word_error_rate"].get(BASELINE))
    return (
        f'<tr><th scope="row">{view.text(title)}</th><td>{view.text(record["n"])}</td>'
        f"{cells}{against_baseline(record)}{''.join(f'<td>{percent(one)}</td>' for one in errors)}</tr>"
    )


def recall(record: Mapping[str, Any], engine: str) -> str:
    """Return an engine's recall at 5 as a cell; a dash where it did not run."""
    found = record["engines"].get(engine)
    return measure(Figure(**found["recall@5"])) if found else "<td>–</td>"


def against_baseline(record: Mapping[str, Any]) -> str:
    """Return our engines' differences from the baseline as cells; dashes where one of the two did not run."""
    tests = [record["tests"].get(ours, {}).get(BASELINE) for ours in OURS]
    found = [test and test["recall@5"] for test in tests]
    return "".join(difference_cell(PairedTest(one["difference"], one["p_value"]) if one else None) for one in found)


def percent(share: float | None) -> str:
    """Return a share in percent, a dash where there is none.

    >>> percent(0.1234), percent(None)
    ('12.3 %', '–')
    """
    return "–" if share is None else f"{100 * share:.1f} %"
