"""Learn how likely a passage is relevant from what is known of a hit, and measure how far such chances can be believed.

Source: Platt, 1999, probabilistic outputs: logistic regression; Naeini et al., 2015, expected calibration error;
Brier, 1950.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechsearch.retrieval.calibration import logistic, signals
from speechsearch.retrieval.retriever import RankedPassage, Ranking

KEPT = 0.95
"""Share of right first answers that must count as confident: a wrong 'nothing found' is worse than a weak hit."""
STEPS = 60
BINS = 10
PENALTY = 1.0
"""How strongly the coefficients of normalised signals are drawn to zero: as if so many cases said nothing."""
DEEPEST = 10
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """The best ten passages of every question: ``signals`` (n, SIGNALS); ``is_right``, ``is_first`` (n,) bool.

    ``questions`` (n,) int, the same in libraries of all sizes; ``kinds`` and ``sizes`` (n,), of question and library.
    """

    signals: NDArray[np.float64]
    is_right: NDArray[np.bool_]
    is_first: NDArray[np.bool_]
    questions: NDArray[np.int64]
    kinds: NDArray[np.str_]
    sizes: NDArray[np.int64]


def cases_of(
    scores: Numbers, heard: Numbers, features: Numbers, is_right: NDArray[np.bool_], kinds: Sequence[str], first: int
) -> Cases:
    """Return the hits in one library.

    ``scores``, ``heard``, ``is_right``: (questions, passages); ``features``: (questions, FEATURES); ``first``: the
    number of the first question.
    """
    found, rights, questions = [], [], []
    for number, row in enumerate(scores):
        best = np.argsort(-row, kind="stable")[:DEEPEST]
        passages = tuple(RankedPassage("", float(row[one]), (), float(heard[number, one])) for one in best)
        found.append(signals(Ranking(passages, 0.0, 0.0, tuple(features[number].tolist()))))
        rights.append(is_right[number, best])
        questions += [number] * len(best)
    numbers = np.array(questions)
    return Cases(
        np.concatenate(found),
        np.concatenate(rights),
        np.diff(numbers, prepend=-1) != 0,
        numbers + first,
        np.array(kinds)[numbers],
        np.full(len(numbers), scores.shape[1]),
    )


def joined(cases: Sequence[Cases]) -> Cases:
    """Return all cases as one."""
    return Cases(*(np.concatenate([getattr(one, name) for one in cases]) for name in Cases.__slots__))


def threshold_of(first: Numbers, is_right: NDArray[np.bool_]) -> float:
    """Return the chance that KEPT of the first hits that are right reach; both (questions,).

    >>> threshold_of(np.array([0.9, 0.8, 0.1]), np.array([True, True, False]))
    0.805
    """
    return round(float(np.quantile(first[is_right], 1 - KEPT)), 4)


def kind_of(query_id: str) -> str:
    """Return the kind of a question.

    >>> kind_of("q0012"), kind_of("rare-003"), kind_of("absent-words-004"), kind_of("absent-story-q0012")
    ('question', 'rare', 'absent-words', 'absent-story')
    """
    kind, _, _ = query_id.rpartition("-")
    return kind or "question"


def fit(cases: Numbers, is_relevant: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the coefficients (signals,) of the logistic model of cases (n, signals); the first signal is always 1.

    >>> cases = np.array([[1.0, 0.0]] * 40 + [[1.0, 1.0]] * 40)
    >>> is_relevant = np.array([True] * 10 + [False] * 30 + [True] * 30 + [False] * 10)
    >>> logistic(cases, fit(cases, is_relevant))[[0, 40]].round(2).tolist()
    [0.26, 0.74]
    """
    means, deviations = cases.mean(0), cases.std(0)
    means[0], deviations[deviations == 0] = 0.0, 1.0
    inputs = (cases - means) / deviations
    weights = np.zeros(cases.shape[1])
    for _ in range(STEPS):  # Newton's method; the loss is convex
        found = logistic(inputs, weights)
        slope = inputs.T @ (is_relevant - found) - PENALTY * weights
        curvature = (inputs * (found * (1 - found))[:, None]).T @ inputs + PENALTY * np.eye(len(weights))
        step = np.linalg.solve(curvature, slope)
        weights = weights + step
        if np.abs(step).max() < 1e-9:
            break
    result: NDArray[np.float64] = weights / deviations
    result[0] -= result[1:] @ means[1:]
    return result


def cross_validated(
    cases: Numbers, is_relevant: NDArray[np.bool_], groups: NDArray[np.int64], folds: int = 5
) -> NDArray[np.float64]:
    """Return the chance of every case, (n,), by a model fitted without the cases of its fold.

    ``groups``: (n,) which question a case belongs to; a question's cases are all in one fold.
    """
    found = np.zeros(len(cases))
    fold_of = np.random.default_rng(1).integers(0, folds, int(groups.max()) + 1)[groups]
    for fold in range(folds):
        left_out = fold_of == fold
        found[left_out] = logistic(cases[left_out], fit(cases[~left_out], is_relevant[~left_out]))
    return found


def brier(chances: NDArray[np.float64], is_relevant: NDArray[np.bool_]) -> float:
    """Return the mean squared difference between chance and outcome; 0 is perfect.

    >>> brier(np.array([0.5, 1.0]), np.array([True, True]))
    0.125
    """
    return float(((chances - is_relevant) ** 2).mean())


def reliability(chances: NDArray[np.float64], is_relevant: NDArray[np.bool_]) -> list[tuple[int, float, float]]:
    """Return (cases, mean chance, share that is right) of each of ten equal ranges of chance that has cases.

    >>> reliability(np.array([0.72, 0.78, 0.1]), np.array([True, False, False]))
    [(1, 0.1, 0.0), (2, 0.75, 0.5)]
    """
    bins = np.minimum((chances * BINS + 1e-9).astype(int), BINS - 1)
    inside = [bins == one for one in range(BINS) if (bins == one).any()]
    return [(int(one.sum()), round(float(chances[one].mean()), 4), float(is_relevant[one].mean())) for one in inside]


def calibration_error(chances: NDArray[np.float64], is_relevant: NDArray[np.bool_]) -> float:
    """Return the expected calibration error: how far chance and share differ, over ten equal ranges of chance.

    >>> calibration_error(np.array([0.75, 0.75, 0.75, 0.75]), np.array([True, True, True, False]))
    0.0
    """
    table = reliability(chances, is_relevant)
    return sum(count * abs(chance - share) for count, chance, share in table) / len(chances)


def told(name: str, cases: Cases, found: Numbers, threshold: float) -> str:
    """Return what cross-validation says of chances, whole, by kind of question and by size of library."""

    def errors(groups: NDArray[Any]) -> str:
        parts = {one: groups == one for one in np.unique(groups)}
        return ", ".join(f"{one} {calibration_error(found[at], cases.is_right[at]):.3f}" for one, at in parts.items())

    share = cases.is_right.mean()
    none = np.char.startswith(cases.kinds, "absent") & cases.is_first
    return (
        f"{name}: {len(found)} cases, {share:.1%} right; Brier score {brier(found, cases.is_right):.4f} (always the "
        f"share: {share * (1 - share):.4f}); expected calibration error "
        f"{calibration_error(found, cases.is_right):.4f}; by kind: {errors(cases.kinds)}; by passages: "
        f"{errors(cases.sizes)}; reliability {reliability(found, cases.is_right)}; confident from {threshold}, which "
        f"{(found[none] < threshold).mean():.0%} of the unanswerable questions do not reach"
    )
