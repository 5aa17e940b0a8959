"""Measure every engine on every set under every condition, and write the report: the evaluation, whole.

``python -m benchmarks.quality runs/eval`` writes ``evaluation.json`` and, from it alone, ``docs/evaluation.md``,
the pictures in ``docs/images`` and the figures of the model card and the README. The sets come from ``python -m
benchmarks.build_development_sets``; ``samples`` is always one of them. What is measured is kept under
``runs/quality``, transcripts above all, so a run that was stopped goes on where it was; ``--fresh`` measures anew.
Which recogniser hears which conditions stands in ``recognizers.py``; ``--without pocketsphinx`` leaves the slowest out.
"""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.quality.figures import Measured, document
from benchmarks.quality.measure import Measurer, usual_models
from benchmarks.quality.recognizers import HEARS
from benchmarks.quality.report import write_everything
from benchmarks.quality.sets import CLEAN, CONDITIONS, SPEED_SETS, Condition, QualitySet, folders_of, read_set
from benchmarks.quality.speeds import speeds
from speechsearch.evaluation import describe_machine

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "runs" / "quality"


def chosen(names: str) -> list[str]:
    """Return names that a person separated by commas.

    >>> chosen("fairytale, squad"), chosen("")
    (['fairytale', 'squad'], [])
    """
    return [name.strip() for name in names.split(",") if name.strip()]


def conditions_named(names: list[str]) -> list[Condition]:
    """Return the conditions of these names, all without any; clean speech is always one of them.

    Raises:
        BadParameter: there is none of a name.
    """
    check("condition", names, [condition.name for condition in CONDITIONS])
    return [condition for condition in CONDITIONS if not names or condition.name in {*names, CLEAN}]


def check(what: str, names: list[str], known: list[str]) -> None:
    """Raise BadParameter when a name is not known."""
    if unknown := sorted(set(names) - set(known)):
        raise typer.BadParameter(f"unknown {what} {', '.join(unknown)}; known: {', '.join(known)}")


def say(one: QualitySet, condition: str, what: str) -> None:
    """Print a line of progress."""
    print(f"{time.strftime('%H:%M:%S')} {one.name} ({one.audio_s / 60:.0f} min), {condition}: {what}", flush=True)


def main(
    root: Annotated[Path, typer.Argument(help="The folder of the sets.", exists=True, file_okay=False)],
    sets: Annotated[str, typer.Option(help="Which sets, separated by commas; all by default.")] = "",
    conditions: Annotated[str, typer.Option(help="Which conditions, separated by commas; all by default.")] = "",
    passages: Annotated[int, typer.Option(min=1, help="At most so many passages of a set.")] = 140,
    without: Annotated[str, typer.Option(help="The recognisers to leave out, separated by commas.")] = "",
    fresh: Annotated[bool, typer.Option(help="Measure anew what was measured before; transcripts stay.")] = False,
) -> None:
    """Measure the engines and write the report."""
    heard, left_out = conditions_named(chosen(conditions)), chosen(without)
    check("recogniser", left_out, list(HEARS))
    models = usual_models(left_out)
    measurer = Measurer(KEPT, models, is_fresh=fresh)
    measured = []
    for folder in folders_of(root, chosen(sets)):
        one = read_set(folder, passages)
        cells = {}
        for condition in heard:
            cell = cells[condition.name] = measurer.cell(one, condition)
            say(one, condition.name, ", ".join([f"{cell.seconds:.0f} s", *measurer.news()]))
        timed = speeds(KEPT, models, one, is_fresh=fresh) if one.name in SPEED_SETS else {}
        length = len(one.collection.passages)
        measured.append(
            Measured(
                one.name, one.about, length, one.passages_in_all, one.audio_s, one.collection.relevance, cells, timed
            )
        )
    facts = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": asdict(describe_machine()),
        "command": " ".join(["python -m benchmarks.quality", *map(shlex.quote, sys.argv[1:])]),
        "model": models.speech_encoder.fingerprint,
        "recognizers": {name: recognizer.fingerprint for name, recognizer in models.recognizers.items()},
        "titles": {condition.name: condition.title for condition in heard},
    }
    write_everything(document(measured, facts), ROOT)


if __name__ == "__main__":
    typer.run(main)
