"""Learn how likely a passage is relevant from its score, and measure how far such chances can be believed.

Source: Platt, 1999, probabilistic outputs for support vector machines: a logistic curve fitted to targets that are
drawn a little towards each other; Naeini et al., 2015, expected calibration error; Brier, 1950.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from speechsearch.retrieval.fusion import likelihood

STEPS = 50
BINS = 10


def fit(scores: NDArray[np.float64], is_relevant: NDArray[np.bool_]) -> tuple[float, float]:
    """Return (slope, intercept) of the logistic curve from scores to chances of being relevant, both (n,).

    >>> slope, intercept = fit(np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0]), np.array([0, 0, 1, 1, 1, 0], bool))
    >>> round(slope, 2), round(intercept, 2), round(likelihood(1.0, slope, intercept), 2)
    (0.81, -0.41, 0.6)
    """
    right, wrong = int(is_relevant.sum()), int((~is_relevant).sum())
    targets = np.where(is_relevant, (right + 1) / (right + 2), 1 / (wrong + 2))
    mean, deviation = scores.mean(), scores.std() or 1.0
    inputs = np.stack([(scores - mean) / deviation, np.ones_like(scores)])
    weights = np.zeros(2)
    for _ in range(STEPS):  # Newton's method; the loss is convex
        chances = 1 / (1 + np.exp(-weights @ inputs))
        curvature = (inputs * (chances * (1 - chances))) @ inputs.T + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, inputs @ (targets - chances))
        weights = weights + step
        if np.abs(step).max() < 1e-9:
            break
    slope = float(weights[0] / deviation)
    return slope, float(weights[1] - slope * mean)


def cross_validated(
    scores: NDArray[np.float64], is_relevant: NDArray[np.bool_], groups: NDArray[np.int64], folds: int = 5
) -> NDArray[np.float64]:
    """Return the chance of every case, (n,), by a curve fitted without the cases of its fold.

    ``groups``: (n,) which question a case belongs to; a question's cases are all in one fold.
    """
    chances = np.zeros(len(scores))
    fold_of = np.random.default_rng(1).integers(0, folds, int(groups.max()) + 1)[groups]
    for fold in range(folds):
        left_out = fold_of == fold
        slope, intercept = fit(scores[~left_out], is_relevant[~left_out])
        chances[left_out] = [likelihood(score, slope, intercept) for score in scores[left_out]]
    return chances


def brier(chances: NDArray[np.float64], is_relevant: NDArray[np.bool_]) -> float:
    """Return the mean squared difference between chance and outcome; 0 is perfect.

    >>> brier(np.array([0.5, 1.0]), np.array([True, True]))
    0.125
    """
    return float(((chances - is_relevant) ** 2).mean())


def calibration_error(chances: NDArray[np.float64], is_relevant: NDArray[np.bool_]) -> float:
    """Return the expected calibration error: how far chance and share differ, over ten equal ranges of chance.

    >>> calibration_error(np.array([0.75, 0.75, 0.75, 0.75]), np.array([True, True, True, False]))
    0.0
    """
    bins = np.minimum((chances * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, chances, BINS) - np.bincount(bins, is_relevant.astype(float), BINS)
    return float(np.abs(gaps).sum() / len(chances))
