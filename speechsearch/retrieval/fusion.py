"""Pure functions that make one score of several channels'.

Source: Fox and Shaw, 1994, CombSUM over normalised scores; Lee, 1997; the distribution-based fusion of Qdrant.
Differs: a channel's scores are measured against what the same query scores on a background of other passages, so the
normalisation does not depend on how many passages were asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter

Scale = tuple[float, float]
"""A channel's mean and deviation on a background of passages."""

LEFT_OUT = 0.05
PRIOR = 4


def background(scores: Sequence[float], typical: Scale) -> Scale:
    """Return (mean, deviation) of a query's scores of some passages.

    The best twentieth is left out: an answer is no background. The rest is drawn towards ``typical`` as if PRIOR more
    passages had been seen, so that scores can be read in a library of three passages as in one of thousands.

    >>> background([1.0, 3.0, 9.0], (2.0, 1.0))
    (2.0, 1.0)
    >>> background([], (2.0, 1.0))
    (2.0, 1.0)
    """
    kept = sorted(scores)[: len(scores) - math.ceil(len(scores) * LEFT_OUT)]
    total = len(kept) + PRIOR
    mean = (sum(kept) + PRIOR * typical[0]) / total
    squares = sum([(score - mean) ** 2 for score in kept]) + PRIOR * (typical[1] ** 2 + (typical[0] - mean) ** 2)
    return mean, math.sqrt(squares / total)


def scales_of(
    channels: Mapping[str, Mapping[str, float]], sample: Sequence[str], typical: Mapping[str, Scale]
) -> dict[str, Scale]:
    """Return each channel's (mean, deviation) on the background passages, from its scores by passage id.

    >>> scales_of({"a": {"x": 1.0, "y": 3.0, "z": 9.0}}, ["x", "y"], {"a": (1.0, 1.0)})
    {'a': (1.0, 0.8944271909999159)}
    """
    return {
        name: background([scores[one] for one in sample if one in scores], typical[name])
        for name, scores in channels.items()
    }


def channel_weights(
    coefficients: Mapping[str, Sequence[float]], features: Sequence[float], asked: Iterable[str]
) -> dict[str, float]:
    """Return the weight of each channel for a question: the exponential of its coefficients times what it is like.

    >>> weights = channel_weights({"a": (0.0, 1.0), "b": (0.0, -1.0)}, (1.0, 0.5), "ab")
    >>> {name: round(weight, 3) for name, weight in weights.items()}
    {'a': 1.649, 'b': 0.607}
    """
    return {name: math.exp(sum(a * b for a, b in zip(coefficients[name], features, strict=True))) for name in asked}


def weighted_sum(
    channels: Mapping[str, Mapping[str, float]],
    weights: Mapping[str, float],
    scales: Mapping[str, Scale],
    candidates: Iterable[str],
) -> list[tuple[str, float]]:
    """Return (passage id, score), best first: each channel's score less its mean over its deviation, weighted, summed.

    Of the candidates those that no channel scores are left out. A channel that does not score a passage knows nothing
    of it; the others then count for it too. Ties are broken by id.

    >>> weighted_sum({"a": {"x": 2.0, "y": 1.0}, "b": {"y": 4.0}}, {"a": 1, "b": 1}, {"a": (0, 1), "b": (0, 1)}, "xyz")
    [('y', 5.0), ('x', 4.0)]
    """
    ids = sorted(set().union(*channels.values()).intersection(candidates))
    totals, known = [0.0] * len(ids), [0.0] * len(ids)
    for name, scores in channels.items():
        weight, (mean, deviation) = weights[name], scales[name]
        for place, passage_id in enumerate(ids):
            score = scores.get(passage_id)
            if score is not None:
                totals[place] += weight * (score - mean) / deviation
                known[place] += weight
    everything = sum(weights[name] for name in channels)
    whole = (total * everything / share for total, share in zip(totals, known, strict=True))
    return sorted(zip(ids, whole, strict=True), key=itemgetter(1), reverse=True)  # keeps the order of equal scores


def reciprocal_ranks(rankings: Mapping[str, Mapping[str, int]], k: int = 60) -> list[tuple[str, float]]:
    """Return (passage id, score), best first: the sum of 1 / (k + rank) over the rankings; ties are broken by id.

    Source: Cormack, Clarke and Buettcher, 2009, reciprocal rank fusion.

    >>> [(name, round(score, 4)) for name, score in reciprocal_ranks({"a": {"x": 1, "y": 2}, "b": {"y": 1}})]
    [('y', 0.0325), ('x', 0.0164)]
    """
    summed: dict[str, float] = {}
    for ranks in rankings.values():
        for passage_id, rank in ranks.items():
            summed[passage_id] = summed.get(passage_id, 0.0) + 1 / (k + rank)
    return sorted(summed.items(), key=lambda pair: (-pair[1], pair[0]))
