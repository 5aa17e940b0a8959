"""Measure every engine on every set under every condition, and write the report: the evaluation, whole.

``python -m benchmarks.quality runs/eval`` writes ``evaluation.json`` and, from it alone, ``docs/evaluation.md``,
the pictures in ``docs/images`` and the figures of the model card and the README. The sets come from ``python -m
benchmarks.build_development_sets``; ``samples`` is always one of them. What is measured is kept under
``runs/quality``, so a run that was stopped goes on where it was; ``--fresh`` measures anew. PocketSphinx takes longer
than all the rest and does not depend on the model: ``--only-transcripts`` runs it ahead.
"""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.quality.sets import CLEAN, CONDITIONS, Condition, QualitySet, folders_of, read_set
from benchmarks.quality.transcripts import transcripts
from speechsearch.evaluation import describe_machine

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "runs" / "quality"
NOISY = "babble-10"
"""The one noisy condition in which PocketSphinx hears some sets; noise slows it down to less than real time."""


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
    known = [condition.name for condition in CONDITIONS]
    if unknown := sorted(set(names) - set(known)):
        raise typer.BadParameter(f"unknown condition {', '.join(unknown)}; known: {', '.join(known)}")
    return [condition for condition in CONDITIONS if not names or condition.name in {*names, CLEAN}]


def written_down(
    one: QualitySet, condition: Condition, noisy: list[str], silent: list[str], workers: int
) -> list[str] | None:
    """Return PocketSphinx's transcripts of a set's passages; None where it does not run."""
    runs = one.name not in silent if condition.name == CLEAN else condition.name == NOISY and one.name in noisy
    if not runs:
        return None
    started = time.perf_counter()
    texts = transcripts(list(one.heard(condition)), KEPT / "transcripts", workers)
    say(one, condition.name, f"PocketSphinx {time.perf_counter() - started:.0f} s")
    return texts


def say(one: QualitySet, condition: str, what: str) -> None:
    """Print a line of progress."""
    print(f"{time.strftime('%H:%M:%S')} {one.name} ({one.audio_s / 60:.0f} min), {condition}: {what}", flush=True)


def main(
    root: Annotated[Path, typer.Argument(help="The folder of the sets.", exists=True, file_okay=False)],
    sets: Annotated[str, typer.Option(help="Which sets, separated by commas; all by default.")] = "",
    conditions: Annotated[str, typer.Option(help="Which conditions, separated by commas; all by default.")] = "",
    passages: Annotated[int, typer.Option(min=1, help="At most so many passages of a set.")] = 140,
    workers: Annotated[int, typer.Option(min=1, help="How many processes run PocketSphinx.")] = 2,
    noisy_sets: Annotated[str, typer.Option(help="The sets that PocketSphinx hears in babble too: slow.")] = "samples",
    silent_sets: Annotated[str, typer.Option(help="The sets that PocketSphinx does not hear at all.")] = "",
    fresh: Annotated[bool, typer.Option(help="Measure anew what was measured before.")] = False,
    only_transcripts: Annotated[bool, typer.Option(help="Run PocketSphinx ahead and write no report.")] = False,
) -> None:
    """Measure the engines and write the report."""
    heard, noisy, silent = conditions_named(chosen(conditions)), chosen(noisy_sets), chosen(silent_sets)
    folders = folders_of(root, chosen(sets))
    if only_transcripts:
        for condition in heard:
            for folder in folders:
                written_down(read_set(folder, passages), condition, noisy, silent, workers)
        return

    from benchmarks.quality.figures import Measured, document
    from benchmarks.quality.measure import Measurer
    from benchmarks.quality.report import write_everything

    measurer = Measurer(KEPT, is_fresh=fresh)
    measured = []
    for folder in folders:
        one = read_set(folder, passages)
        cells = {}
        for condition in heard:
            cell = measurer.cell(one, condition, written_down(one, condition, noisy, silent, workers))
            say(one, condition.name, f"{cell.seconds:.0f} s")
            cells[condition.name] = cell
        speeds = measurer.speeds(one)
        length = len(one.collection.passages)
        measured.append(
            Measured(
                one.name, one.about, length, one.passages_in_all, one.audio_s, one.collection.relevance, cells, speeds
            )
        )
    facts = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": asdict(describe_machine()),
        "command": " ".join(["python -m benchmarks.quality", *map(shlex.quote, sys.argv[1:])]),
        "model": measurer.makers.speech_encoder.fingerprint,
        "titles": {condition.name: condition.title for condition in heard},
    }
    write_everything(document(measured, facts), ROOT)


if __name__ == "__main__":
    typer.run(main)
