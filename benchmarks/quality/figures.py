"""Turn raw answers into figures: means with intervals, paired tests, by set, by condition, by kind of question. Pure.

The outcome is the content of ``evaluation.json``. What is said of one set is said of all sets together in the same
words: every question then counts the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from benchmarks.quality.recognizers import ASR, EVERYTHING, MINI_ASR
from benchmarks.quality.sets import CLEAN, KINDS, kind_of
from speechsearch.evaluation.metrics import Floats, bootstrap_interval, paired_permutation_test, rank_metrics

SCHEMA_VERSION = 3
"""Goes up when a key of the JSON changes its name or meaning."""
SEED = 1
METRICS = ("recall@1", "recall@5", "recall@10", "mrr@10")
NOISY_METRICS = ("recall@1", "recall@5")
OURS = ("hybrid", EVERYTHING)
RIVALS = (ASR, MINI_ASR)

Rankings = Mapping[str, Mapping[str, Sequence[str]]]
Relevance = Mapping[str, Mapping[str, int]]
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cell:
    """What came of a set under a condition, raw.

    ``rankings``: by engine and question the passages that were found, best first; ``spoken``: the same for spoken
    questions, on clean passages only. Error rates are shares of the ``words`` and ``phonemes`` of the gold transcript,
    word error rates by the key of the engine that searches the transcripts. ``seconds`` is the time that it took to
    hear, index and answer. ``key`` says what all this depends on.
    """

    rankings: Rankings
    spoken: Rankings = field(default_factory=dict)
    word_error_rate: Mapping[str, float] = field(default_factory=dict)
    phoneme_error_rate: float = 0.0
    words: int = 0
    phonemes: int = 0
    audio_s: float = 0.0
    seconds: float = 0.0
    key: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """A set with all that was measured on it; ``conditions`` by name, ``speeds`` by engine."""

    name: str
    about: str
    passages: int
    passages_in_all: int
    audio_s: float
    relevance: Relevance
    conditions: Mapping[str, Cell]
    speeds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def document(measured: Sequence[Measured], facts: Mapping[str, Any]) -> Record:
    """Return everything that ``evaluation.json`` says; ``facts``: date, machine, command and the like."""
    sets = [
        {
            "name": one.name,
            "about": one.about,
            "passages": one.passages,
            "passages_in_all": one.passages_in_all,
            "audio_s": one.audio_s,
            "speeds": one.speeds,
            **section([one]),
        }
        for one in measured
    ]
    made: Record = rounded({"schema_version": SCHEMA_VERSION, **facts, "sets": sets, "together": section(measured)})
    return made


def section(measured: Sequence[Measured]) -> Record:
    """Return the figures of one set, or of several together: under every condition, by kind of question, spoken."""
    relevance = {f"{one.name}/{query}": grades for one in measured for query, grades in one.relevance.items()}
    conditions = {}
    for name in measured[0].conditions:
        heard = [one.conditions[name] for one in measured]
        rankings = joined({one.name: one.conditions[name].rankings for one in measured})
        metrics = METRICS if name == CLEAN else NOISY_METRICS
        conditions[name] = {**compared(rankings, relevance, metrics), **error_rates(heard)}
    clean = joined({one.name: one.conditions[CLEAN].rankings for one in measured})
    by_kind = {kind: of_kind(relevance, kind) for kind in ("question", *KINDS)}
    kinds = {kind: compared(clean, asked, METRICS) for kind, asked in by_kind.items() if asked}
    spoken = joined({one.name: one.conditions[CLEAN].spoken for one in measured if one.conditions[CLEAN].spoken})
    return {"conditions": conditions, "kinds": kinds, "spoken": typed_and_spoken(clean, spoken, relevance)}


def joined(rankings: Mapping[str, Rankings]) -> dict[str, dict[str, Sequence[str]]]:
    """Return the answers of several sets as those of one; engines that did not run on every set are left out.

    >>> joined({"a": {"asr": {"q1": ["x"]}}, "b": {"asr": {"q1": ["y"]}, "text": {"q1": []}}})
    {'asr': {'a/q1': ['x'], 'b/q1': ['y']}}
    """
    engines = [name for name in next(iter(rankings.values()), {}) if all(name in one for one in rankings.values())]
    return {
        engine: {f"{name}/{query}": found for name, one in rankings.items() for query, found in one[engine].items()}
        for engine in engines
    }


def compared(rankings: Rankings, relevance: Relevance, metrics: Sequence[str]) -> Record:
    """Return n, every engine's figures and how far ours are from their rivals, all on the same questions.

    >>> record = compared({"hybrid": {"q": ["x"]}, "asr": {"q": ["y"]}}, {"q": {"x": 1}}, ["recall@1"])
    >>> record["n"], record["engines"]["hybrid"]["recall@1"]
    (1, {'mean': 1.0, 'low': 1.0, 'high': 1.0})
    >>> record["tests"]["hybrid"]["asr"]["recall@1"]
    {'difference': 1.0, 'low': 1.0, 'high': 1.0, 'p_value': 1.0}
    """
    values = {engine: rank_metrics(found, relevance)[1] for engine, found in rankings.items()}
    return {
        "n": sum(any(grade > 0 for grade in grades.values()) for grades in relevance.values()),
        "engines": {
            engine: {metric: asdict(bootstrap_interval(found[metric], seed=SEED)) for metric in metrics}
            for engine, found in values.items()
        },
        "tests": {
            ours: {
                rival: {metric: tested(values[ours][metric], values[rival][metric]) for metric in metrics}
                for rival in RIVALS
                if rival in values
            }
            for ours in OURS
            if ours in values
        },
    }


def tested(ours: Floats, theirs: Floats) -> dict[str, float]:
    """Return the difference of two means over the same questions, its 95 % interval and its p-value.

    >>> tested(np.array([1.0, 1.0, 1.0]), np.array([0.0, 0.0, 0.0]))
    {'difference': 1.0, 'low': 1.0, 'high': 1.0, 'p_value': 0.25}
    """
    spread = bootstrap_interval(ours - theirs, seed=SEED)
    test = paired_permutation_test(ours, theirs, seed=SEED)
    return {"difference": test.difference, "low": spread.low, "high": spread.high, "p_value": test.p_value}


def error_rates(heard: Sequence[Cell]) -> Record:
    """Return the phoneme error rate and every recogniser's word error rate, over all sets' text together.

    >>> one = Cell({}, word_error_rate={"asr": 0.5}, phoneme_error_rate=0.1, words=10, phonemes=40)
    >>> two = Cell({}, word_error_rate={"asr": 0.2}, phoneme_error_rate=0.4, words=20, phonemes=80)
    >>> rates = error_rates([one, two])
    >>> round(rates["phoneme_error_rate"], 6), round(rates["word_error_rate"]["asr"], 6)
    (0.3, 0.3)
    """
    recognizers = [name for name in heard[0].word_error_rate if all(name in one.word_error_rate for one in heard)]
    words = {name: weighted((one.word_error_rate[name], one.words) for one in heard) for name in recognizers}
    phonemes = weighted((one.phoneme_error_rate, one.phonemes) for one in heard)
    return {"phoneme_error_rate": phonemes, "word_error_rate": words}


def weighted(pairs: Iterable[tuple[float, int]]) -> float | None:
    """Return the mean of values with weights; None when all weights are zero.

    >>> weighted([(1.0, 1), (0.0, 3)]), weighted([])
    (0.25, None)
    """
    listed = list(pairs)
    total = sum(weight for _, weight in listed)
    return sum(value * weight for value, weight in listed) / total if total else None


def of_kind(relevance: Relevance, kind: str) -> dict[str, Mapping[str, int]]:
    """Return the judgements of one kind of query; ids are "set/query".

    >>> of_kind({"a/rare-1": {"x": 1}, "a/q1": {"y": 1}}, "rare")
    {'a/rare-1': {'x': 1}}
    """
    return {query: grades for query, grades in relevance.items() if kind_of(query.split("/")[-1]) == kind}


def typed_and_spoken(typed: Rankings, spoken: Rankings, relevance: Relevance) -> Record | None:
    """Return recall at 5 of questions that were typed and spoken, and the difference; None when none was spoken.

    >>> found = typed_and_spoken({"asr": {"q": ["x"]}}, {"asr": {"q": ["y"]}}, {"q": {"x": 1}, "r": {"x": 1}})
    >>> found["n"], found["typed"]["asr"]["mean"], found["spoken"]["asr"]["mean"], found["tests"]["asr"]["difference"]
    (1, 1.0, 0.0, -1.0)
    """
    if not spoken:
        return None
    spoken = {engine: found for engine, found in spoken.items() if engine in typed}
    asked = set.intersection(*(set(found) for found in spoken.values()))
    judged = {query: grades for query, grades in relevance.items() if query in asked}
    before = {engine: rank_metrics(typed[engine], judged)[1]["recall@5"] for engine in spoken}
    after = {engine: rank_metrics(spoken[engine], judged)[1]["recall@5"] for engine in spoken}
    return {
        "n": len(judged),
        "typed": {engine: asdict(bootstrap_interval(found, seed=SEED)) for engine, found in before.items()},
        "spoken": {engine: asdict(bootstrap_interval(found, seed=SEED)) for engine, found in after.items()},
        "tests": {engine: tested(after[engine], before[engine]) for engine in spoken},
    }


def rounded(value: Any) -> Any:
    """Return nested values with floats of four digits after the point, and None for NaN.

    >>> rounded({"a": [0.123456, 3], "b": float("nan")})
    {'a': [0.1235, 3], 'b': None}
    """
    if isinstance(value, Mapping):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    if isinstance(value, float | np.floating):
        return round(float(value), 4) if np.isfinite(value) else None
    return value
