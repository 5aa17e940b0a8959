"""What the tables of ``docs/evaluation.md`` are made of: cells, rows and names. All pure.

``set_tables``, ``condition_tables`` and ``question_tables`` take the evaluation's figures and return Markdown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.quality.figures import Record
from benchmarks.quality.recognizers import ASR, ASR_TITLES, EVERYTHING, FROM_SOUND, MINI_ASR
from speechsearch.evaluation import Figure, PairedTest
from speechsearch.evaluation.report import ABSENT, difference, figure, number, table

CEILING = "text-hybrid"
ENGINES = {
    **{name: name for name in ("text", "text-bm25", CEILING)},
    **ASR_TITLES,
    **{name: name for name in (*FROM_SOUND, EVERYTHING)},
}
"""The rows and columns of the tables, and what they are called there."""
PAIRS = (("hybrid", ASR), (EVERYTHING, ASR), ("hybrid", MINI_ASR))
"""The differences that the tables show."""
METRICS = {"recall@1": "R@1", "recall@5": "R@5", "recall@10": "R@10", "mrr@10": "MRR@10"}
RECALLS = ("recall@1", "recall@5")
TOGETHER = "all together"
PICTURES = {
    "recall-by-noise": "Recall at 5 of the engines by the level of white noise and of babble",
    "recall-by-condition": "Recall at 5 of the engines under the other conditions",
    "typed-and-spoken": "Recall at 5 of typed and of spoken questions",
}


def cell(record: Record, engine: str, metric: str) -> str:
    """Return an engine's figure with its interval, a dash when it did not run.

    >>> cell({"engines": {"asr": {"recall@5": {"mean": 0.5, "low": 0.25, "high": 0.75}}}}, "asr", "recall@5")
    '0.500 [0.250, 0.750]'
    """
    found = record["engines"].get(engine, {}).get(metric)
    return figure(Figure(**found)) if found else ABSENT


def mean(record: Record, engine: str, metric: str) -> float | None:
    """Return an engine's figure alone, None when it did not run."""
    found = record["engines"].get(engine, {}).get(metric)
    return found["mean"] if found else None


def tested(test: Mapping[str, float] | None) -> str:
    """Return a difference with its p-value.

    >>> tested({"difference": 0.25, "low": 0.1, "high": 0.4, "p_value": 0.0004}), tested(None)
    ('+0.250 (<0.001)', '-')
    """
    return difference(PairedTest(test["difference"], test["p_value"])) if test else ABSENT


def with_interval(test: Mapping[str, float] | None) -> str:
    """Return a difference with its interval and p-value.

    >>> with_interval({"difference": 0.25, "low": 0.1, "high": 0.4, "p_value": 0.0004})
    '+0.250 [+0.100, +0.400] (<0.001)'
    """
    if not test:
        return ABSENT
    said, chance = tested(test).split(" ")
    return f"{said} [{test['low']:+.3f}, {test['high']:+.3f}] {chance}"


def test_of(record: Record, ours: str, rival: str, metric: str) -> Mapping[str, float] | None:
    """Return the test of an engine against a rival, None when one of them did not run."""
    found: Mapping[str, float] | None = record["tests"].get(ours, {}).get(rival, {}).get(metric)
    return found


def against(ours: str, rival: str, metric: str) -> str:
    """Return the head of a column of differences.

    >>> against("all", "asr", "recall@1")
    'R@1 all - asr (whisper-base) (p)'
    """
    return f"{METRICS[metric]} {ENGINES[ours]} - {ENGINES[rival]} (p)"


def share(record: Record, engine: str, ceiling: str, metric: str) -> str:
    """Return how much of a ceiling an engine reaches, in %.

    >>> share({"engines": {"a": {"m": {"mean": 0.6}}, "b": {"m": {"mean": 0.8}}}}, "a", "b", "m")
    '75'
    """
    ours, most = mean(record, engine, metric), mean(record, ceiling, metric)
    return f"{100 * ours / most:.0f}" if ours is not None and most else ABSENT


def error_rates(record: Record, recognizers: Sequence[str]) -> list[str]:
    """Return the phoneme error rate and the word error rates of recognisers, in %.

    >>> error_rates({"phoneme_error_rate": 0.125, "word_error_rate": {"asr": 0.25}}, ["asr", "asr-mini"])
    ['12.5', '25.0', '-']
    """
    words = (number(record["word_error_rate"].get(one), 1, 100) for one in recognizers)
    return [number(record["phoneme_error_rate"], 1, 100), *words]


def rows_of(document: Record) -> list[tuple[str, Record]]:
    """Return (name, figures) of every set and, when there are several, of all together."""
    rows = [(one["name"], one) for one in document["sets"]]
    return [*rows, (TOGETHER, document["together"])] if len(rows) > 1 else rows


def lines(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table as one text."""
    return "\n".join(table(titles, rows)) + "\n"


def picture(name: str) -> str:
    r"""Return a picture of the report.

    >>> picture("typed-and-spoken")
    '![Recall at 5 of typed and of spoken questions](images/typed-and-spoken.svg)\n'
    """
    return f"![{PICTURES[name]}](images/{name}.svg)\n"
