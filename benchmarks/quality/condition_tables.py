"""The tables of noise, band, codecs, speed and room: all sets together, and set by set. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.quality.figures import OURS, Record
from benchmarks.quality.recognizers import ASR, EVERYTHING, MINI_ASR
from benchmarks.quality.sets import CLEAN
from benchmarks.quality.tables import (
    ENGINES,
    METRICS,
    RECALLS,
    against,
    cell,
    error_rates,
    lines,
    mean,
    picture,
    test_of,
    tested,
)
from speechsearch.evaluation.report import number

SHOWN = (EVERYTHING, "hybrid", ASR, MINI_ASR)
COLUMNS = [(metric, engine) for metric in RECALLS for engine in SHOWN]
TESTS = [(ours, ASR, metric) for ours in OURS for metric in RECALLS]
RATES = {ASR: "WER % whisper-base", MINI_ASR: "WER % mini"}
HEADS = [
    "condition", "n", *(f"{METRICS[metric]} {ENGINES[engine]}" for metric, engine in COLUMNS),
    *(against(*one) for one in TESTS), "PER %", *RATES.values(),
]  # fmt: skip


def condition_row(title: str, record: Record) -> list[str]:
    """Return the line of a condition."""
    return [
        title,
        str(record["n"]),
        *(cell(record, engine, metric) for metric, engine in COLUMNS),
        *(tested(test_of(record, *one)) for one in TESTS),
        *error_rates(record, list(RATES)),
    ]


def conditions_part(document: Record) -> str:
    """Return how the engines do when the passages are made worse, all sets together and set by set; empty if not."""
    titles, together = document["titles"], document["together"]["conditions"]
    if len(together) < 2:
        return ""
    parts = [
        "## Noise, telephone, codecs, speed, room\n",
        f"The passages are made worse; the questions stay typed. All sets together. `{ENGINES[ASR]}`, and with it "
        f"`{EVERYTHING}`, was measured\nunder some conditions only: it is the slowest part. A dash: not measured.\n",
        lines(HEADS, [condition_row(titles[name], record) for name, record in together.items()]),
        picture("recall-by-noise"),
        picture("recall-by-condition"),
    ]
    if len(document["sets"]) > 1:
        parts += set_by_set(document, OURS, ASR) + set_by_set(document, OURS[:1], MINI_ASR)
    return "\n".join(parts)


def set_by_set(document: Record, ours: Sequence[str], rival: str) -> list[str]:
    """Return recall at 5 of engines and a rival on every set, under the conditions in which the rival was measured."""
    rows = []
    for name in document["together"]["conditions"]:
        records = [one["conditions"][name] for one in document["sets"]]
        if any(rival in record["engines"] for record in records):
            rows.append([document["titles"][name], *(versus(record, ours, rival) for record in records)])
    if not rows:
        return []
    counts = [f"{one['name']} (n = {one['conditions'][CLEAN]['n']})" for one in document["sets"]]
    names = " / ".join(f"`{ENGINES[engine]}`{' (p)' if engine != rival else ''}" for engine in (*ours, rival))
    return [f"Set by set: R@5 of {names}.\n", lines(["condition", *counts], rows)]


def versus(record: Record, ours: Sequence[str], rival: str) -> str:
    """Return recall at 5 of engines, each with the p-value of its difference from the rival, and that of the rival.

    >>> engines = {"hybrid": {"recall@5": {"mean": 0.5}}, "asr": {"recall@5": {"mean": 0.25}}}
    >>> tests = {"hybrid": {"asr": {"recall@5": {"difference": 0.25, "p_value": 0.03}}}}
    >>> versus({"engines": engines, "tests": tests}, ["hybrid"], "asr")
    '0.500 (0.030) / 0.250'
    """
    said = []
    for engine in ours:
        chance = tested(test_of(record, engine, rival, "recall@5")).split(" ")[-1]
        said.append(f"{number(mean(record, engine, 'recall@5'), 3)} {chance}")
    return " / ".join([*said, number(mean(record, rival, "recall@5"), 3)])
