"""Figures of an evaluation, all pure: rank metrics, their intervals, paired tests, error rates, percentiles.

Source: ir-measures (MacAvaney, Macdonald, Ounis, 2022) for the rank metrics, RapidFuzz for the edit distance; the
paired test is Fisher's randomisation test as Smucker, Allan and Carterette (2007) recommend it for retrieval.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

RANK_METRICS = {
    "recall@1": "R@1", "recall@5": "R@5", "recall@10": "R@10", "recall@100": "R@100", "mrr@10": "RR@10",
    "ndcg@10": "nDCG@10",
}  # fmt: skip
"""Our names of the rank metrics, in the order of every table, and those of ir-measures."""
DEEPEST_RANK = 100
CONFIDENCE_LEVEL = 0.95
EXACT_PAIRS = 14
"""Up to this many unequal pairs, the paired test goes through all 2^n changes of sign."""
CHUNK_NUMBERS = 250_000
"""How many places the bootstrap draws at a time: what stays in the processor's cache is several times as fast."""
CHUNK_SIGNS = 4_000_000
"""How many signs the paired test draws at a time; another number draws others."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over queries with the ends of its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PairedTest:
    """How far an engine's mean lies above the baseline's, and the two-sided p-value of that difference."""

    difference: float
    p_value: float


def rank_metrics(
    rankings: Mapping[str, Sequence[str]], relevance: Mapping[str, Mapping[str, int]]
) -> tuple[tuple[str, ...], dict[str, Floats]]:
    """Return the ids of the answerable queries, ascending, and each rank metric of each of them, (queries,) float64.

    A query without a relevant passage is left out; one without a ranking has 0 everywhere. The order of a ranking
    counts, not its scores, so that ties stay as the engine broke them. Of a passage ranked twice the first counts.

    >>> ids, values = rank_metrics({"q1": ["b", "a"], "q2": []}, {"q1": {"a": 1}, "q2": {"a": 1}, "q3": {}})
    >>> ids, values["recall@1"].tolist(), values["recall@5"].tolist(), values["mrr@10"].tolist()
    (('q1', 'q2'), [0.0, 0.0], [1.0, 0.0], [0.5, 0.0])
    """
    import ir_measures

    measures = {ir_measures.parse_measure(theirs): ours for ours, theirs in RANK_METRICS.items()}
    query_ids = tuple(sorted(name for name, grades in relevance.items() if any(grade > 0 for grade in grades.values())))
    place = {name: number for number, name in enumerate(query_ids)}
    values = {ours: np.zeros(len(query_ids)) for ours in RANK_METRICS}
    wanted = {name: dict(relevance[name]) for name in query_ids}
    found = {
        name: {passage: -float(rank) for rank, passage in enumerate(dict.fromkeys(rankings.get(name, ())))}
        for name in query_ids
        if rankings.get(name)
    }
    if found:
        for result in ir_measures.iter_calc(list(measures), wanted, found):
            values[measures[result.measure]][place[result.query_id]] = result.value
    return query_ids, values


def chunks(count: int, width: int, most: int) -> Iterator[int]:
    """Yield how many rows of ``width`` numbers, ``most`` numbers at a time, to make until there are ``count``.

    >>> list(chunks(5, 10, 25))
    [2, 2, 1]
    """
    size = max(1, most // max(1, width))
    for start in range(0, count, size):
        yield min(size, count - start)


def bootstrap_interval(
    values: ArrayLike, *, seed: int, resamples: int = 10_000, level: float = CONFIDENCE_LEVEL
) -> Figure:
    """Return the mean of per-query values with its percentile bootstrap interval; NaN without values.

    >>> bootstrap_interval([0.5, 0.5, 0.5], seed=1)
    Figure(mean=0.5, low=0.5, high=0.5)
    """
    return bootstrap_intervals({"": values}, seed=seed, resamples=resamples, level=level)[""]


def bootstrap_intervals(
    values: Mapping[str, ArrayLike], *, seed: int, resamples: int = 10_000, level: float = CONFIDENCE_LEVEL
) -> dict[str, Figure]:
    """Return the figure of each metric from its values of the same queries, all of them over the same draws.

    >>> bootstrap_intervals({"a": [0.5, 0.5], "b": [1.0, 1.0]}, seed=1)["b"]
    Figure(mean=1.0, low=1.0, high=1.0)
    """
    numbers = {name: np.asarray(one, np.float64) for name, one in values.items()}
    count = len(next(iter(numbers.values()), ()))
    if not count:
        return dict.fromkeys(numbers, Figure(float("nan"), float("nan"), float("nan")))
    random = np.random.default_rng(seed)
    means: dict[str, list[Floats]] = {name: [] for name in numbers}
    for rows in chunks(resamples, count, CHUNK_NUMBERS):
        drawn = random.integers(count, size=(rows, count))
        for name, one in numbers.items():
            means[name].append(one[drawn].mean(axis=1))
    figures = {}
    for name, one in numbers.items():
        low, high = np.quantile(np.concatenate(means[name]), [(1 - level) / 2, (1 + level) / 2])
        figures[name] = Figure(float(one.mean()), float(low), float(high))
    return figures


def paired_permutation_test(
    engine: ArrayLike, baseline: ArrayLike, *, seed: int, resamples: int = 20_000
) -> PairedTest:
    """Return the difference of two means over the same queries and its p-value by random changes of sign.

    Under the null hypothesis each query's difference is as likely to have the other sign. With at most 14 queries that
    differ every combination is tried and the p-value is exact; of three that all win, 2 of 8 are as extreme:

    >>> paired_permutation_test([1, 1, 1, 0], [0, 0, 0, 0], seed=1)
    PairedTest(difference=0.75, p_value=0.25)
    >>> paired_permutation_test([0.5, 1], [0.5, 1], seed=1)
    PairedTest(difference=0.0, p_value=1.0)
    """
    ours, theirs = np.asarray(engine, np.float64), np.asarray(baseline, np.float64)
    if ours.shape != theirs.shape:
        raise ValueError(f"{len(ours)} values against {len(theirs)}: a paired test needs the same queries")
    if not len(ours):
        return PairedTest(float("nan"), float("nan"))
    unequal = (ours - theirs)[ours != theirs]
    difference = float((ours - theirs).mean())
    reached = abs(unequal.sum()) - 1e-9  # sums of the same numbers in another order may differ in the last digit
    if len(unequal) <= EXACT_PAIRS:
        numbers = np.arange(2 ** len(unequal))[:, None]
        signs = 1.0 - 2.0 * (numbers >> np.arange(len(unequal)) & 1)
        return PairedTest(difference, float(np.mean(np.abs(signs @ unequal) >= reached)))
    random = np.random.default_rng(seed)
    extreme = 0
    for rows in chunks(resamples, len(unequal), CHUNK_SIGNS):
        signs = random.integers(2, size=(rows, len(unequal)), dtype=np.int8) * 2.0 - 1.0
        extreme += int(np.count_nonzero(np.abs(signs @ unequal) >= reached))
    return PairedTest(difference, (1 + extreme) / (1 + resamples))


def error_rate(gold: Sequence[Sequence[object]], heard: Sequence[Sequence[object]]) -> float | None:
    """Return edits (substitutions, deletions, insertions) divided by the gold length, over all passages together.

    Words give the word error rate, phonemes the phoneme error rate. Passages without gold are left out; None when no
    passage has any.

    >>> error_rate([["the", "old", "gate"], []], [["the", "gate", "way"], ["x"]])
    0.6666666666666666
    """
    from rapidfuzz.distance import Levenshtein

    if len(gold) != len(heard):
        raise ValueError(f"{len(gold)} gold passages against {len(heard)} heard")
    pairs = [(said, got) for said, got in zip(gold, heard, strict=True) if said]
    if not pairs:
        return None
    return sum(Levenshtein.distance(said, got) for said, got in pairs) / sum(len(said) for said, _ in pairs)


def word_error_rate(gold: Sequence[str], heard: Sequence[str]) -> float | None:
    """Return the word error rate of transcripts, numbers written out and punctuation dropped on both sides.

    >>> word_error_rate(["In 1874, Mr. Bell left."], ["in eighteen seventy four mister bell left"])
    0.0
    """
    from speechsearch.text.spoken import spoken_words

    return error_rate([spoken_words(text) for text in gold], [spoken_words(text) for text in heard])


def percentile(values: ArrayLike, percent: float) -> float:
    """Return a percentile with linear interpolation; NaN without values.

    >>> percentile([10, 20, 30, 40], 50), percentile([10, 20, 30, 40], 95)
    (25.0, 38.5)
    """
    numbers = np.asarray(values, np.float64)
    return float(np.percentile(numbers, percent)) if len(numbers) else float("nan")


def share(flags: Sequence[bool]) -> float | None:
    """Return the part that is true; None of nothing.

    >>> share([True, False, True, True]), share([])
    (0.75, None)
    """
    return sum(flags) / len(flags) if flags else None
