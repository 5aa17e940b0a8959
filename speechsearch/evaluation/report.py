"""An evaluation as JSON and as tables, with its n, its machine, its command and its date."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from speechsearch.evaluation.machine import Machine
from speechsearch.evaluation.metrics import CONFIDENCE_LEVEL, RANK_METRICS, Figure, PairedTest
from speechsearch.evaluation.runner import TESTED_METRICS, EngineReport
from speechsearch.retrieval.engine_cards import BASELINE

SCHEMA_VERSION = 1
"""Goes up when a key of the JSON changes its name or meaning."""
ABSENT = "-"
TITLES = {"mrr@10": "MRR@10", "ndcg@10": "nDCG@10"}


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """The figures of all engines on one collection and how they came about; ``audio_s`` is None when not measured."""

    collection: str
    passages: int
    queries: int
    audio_s: float | None
    engines: Sequence[EngineReport]
    machine: Machine
    command: str
    date: str
    seed: int
    baseline: str = BASELINE


def as_json(report: EvaluationReport) -> dict[str, Any]:
    """Return the report as plain values, its keys always in the same order; a figure that is not a number is null."""
    plain = asdict(report)
    engines = plain.pop("engines")
    result: dict[str, Any] = finite(
        {"schema_version": SCHEMA_VERSION, **plain, "confidence_level": CONFIDENCE_LEVEL, "engines": engines}
    )
    return result


def finite(value: Any) -> Any:
    """Return nested lists and dicts with None in the place of NaN and infinity, which JSON lacks.

    >>> finite({"a": [1.5, float("nan")]})
    {'a': [1.5, None]}
    """
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_markdown(report: EvaluationReport) -> str:
    """Return the report as two Markdown tables that also read well in a terminal, and what they rest on."""
    ranks = [[engine.engine, *(figure(engine.figures[name]) for name in RANK_METRICS)] for engine in report.engines]
    length = "" if report.audio_s is None else f", {report.audio_s / 60:.1f} min"
    answerable = report.engines[0].queries if report.engines else 0
    return "\n".join([
        f"{report.collection}: {report.passages} passages{length}, {report.queries} queries, "
        f"n = {answerable} with an answer; {CONFIDENCE_LEVEL:.0%} bootstrap intervals.",
        "", *table(["engine", *(TITLES.get(name, name) for name in RANK_METRICS)], ranks),
        "", *table(rest_titles(report.baseline), [rest(engine) for engine in report.engines]),
        "",
        f"Differences from {report.baseline} with the p-value of a two-sided paired permutation test. Abstains: "
        "queries without an answer that get no confident hit; confident: those with an answer that get one.",
        "",
        f"{report.date}, {report.machine}, seed {report.seed}:", "", f"    {one_line(report.command)}", "",
    ])  # fmt: skip


def rest_titles(baseline: str) -> list[str]:
    """Return the titles of the second table."""
    tests = [f"{TITLES.get(name, name)} - {baseline} (p)" for name in TESTED_METRICS]
    return ["engine", *tests, "WER %", "PER %", "abstains %", "confident %", "indexing x real time", "p50 ms", "p95 ms",
            "index MiB", "peak MiB"]  # fmt: skip


def rest(engine: EngineReport) -> list[str]:
    """Return an engine's line of the second table."""
    return [
        engine.engine,
        *(difference(engine.against_baseline.get(name)) for name in TESTED_METRICS),
        *(number(value, 1, 100) for value in (engine.word_error_rate, engine.phoneme_error_rate)),
        *(number(value, 1, 100) for value in (engine.abstention_rate, engine.confident_rate)),
        number(engine.indexing_real_time_factor, 0),
        *(number(value, 1) for value in (engine.query_p50_ms, engine.query_p95_ms)),
        *(number(value, 1, 2**-20) for value in (engine.index_bytes, engine.peak_memory_bytes)),
    ]


def number(value: float | None, digits: int, times: float = 1) -> str:
    """Return a number with so many digits, a dash when there is none.

    >>> number(0.1234, 1, 100), number(None, 1)
    ('12.3', '-')
    """
    return ABSENT if value is None or not math.isfinite(value) else f"{value * times:.{digits}f}"


def figure(value: Figure) -> str:
    """Return a mean with its interval.

    >>> figure(Figure(0.8771, 0.85, 0.9019))
    '0.877 [0.850, 0.902]'
    """
    if not math.isfinite(value.mean):
        return ABSENT
    return f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]"


def difference(test: PairedTest | None) -> str:
    """Return a signed difference with its p-value.

    >>> difference(PairedTest(0.0312, 0.0004)), difference(PairedTest(-0.5, 0.25))
    ('+0.031 (<0.001)', '-0.500 (0.250)')
    """
    if test is None or not math.isfinite(test.difference):
        return ABSENT
    chance = "<0.001" if test.p_value < 0.001 else f"{test.p_value:.3f}"
    return f"{test.difference:+.3f} ({chance})"


def one_line(text: str) -> str:
    r"""Return a text in one line.

    >>> one_line("a\nb")
    'a b'
    """
    return " ".join(text.split())


def table(titles: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table whose columns are as wide as their widest cell.

    >>> table(["engine", "n"], [["asr", "10"]])
    ['| engine |  n |', '| :----- | -: |', '| asr    | 10 |']
    """
    cells = [[one_line(cell).replace("|", "\\|") for cell in line] for line in (titles, *lines)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rows = [
        f"| {' | '.join(c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True)))} |"
        for line in cells
    ]
    rule = " | ".join(("-" * (w - 1) + ":") if i else ":" + "-" * (w - 1) for i, w in enumerate(widths))
    return [rows[0], f"| {rule} |", *rows[1:]]
