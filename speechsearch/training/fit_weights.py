"""Learn how to weigh an engine's channels by the kind of question.

Source: Cao et al., 2007, ListNet: the right passages' share of the softmax over all passages is made large.
Differs: a linear model of a few readable numbers a channel, drawn towards equal weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speechsearch.retrieval.fusion import LEFT_OUT, Scale, background
from speechsearch.text.common import FEATURES

FIRST_WEIGHT = 0.5
"""Of each channel, before anything is learnt."""
PENALTY = 0.005
"""How strongly coefficients are drawn to where they began."""
STEPS = 300
FOLDS = 5
Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """The questions of a collection, put to the channels of an engine over some of its passages.

    ``features`` (questions, FEATURES); ``scores`` (questions, channels, passages), normalised where there are several
    channels; ``heard`` (questions, passages), the share of the question heard; ``is_right`` (questions, passages) bool.
    """

    features: Tensor
    scores: Tensor
    heard: Tensor
    is_right: Tensor

    def of(self, which: Tensor) -> Asked:
        """Return some of the questions; ``which``: (questions,) bool."""
        return Asked(self.features[which], self.scores[which], self.heard[which], self.is_right[which])


def typical_of(sets: Sequence[Scores]) -> Scale:
    """Return the usual mean and deviation of a question's scores: medians over the questions."""
    means, deviations = zip(*(measured(row) for scores in sets for row in scores if row.any()), strict=True)
    return round(float(np.median(means)), 4), round(float(np.median(deviations)), 4)


def measured(row: NDArray[np.float64]) -> Scale:
    """Return the mean and deviation of one question's scores without the best twentieth, which may be answers."""
    kept = np.sort(row)[: len(row) - math.ceil(len(row) * LEFT_OUT)]
    return float(kept.mean()), float(kept.std())


def normalised(scores: Scores, typical: Scale, sample: Sequence[int]) -> Scores:
    """Return the scores against their question's background, as FusedRetriever has them."""
    scales = np.array([background(row[sample].tolist(), typical) for row in scores])
    result: Scores = (scores - scales[:, :1]) / scales[:, 1:]
    return result


def fused_scores(coefficients: Tensor, some: Asked) -> Tensor:
    """Return the scores of all passages, (questions, passages): channels weighted by exp(coefficients @ features)."""
    weights = (some.features @ coefficients.T).exp()
    return torch.einsum("qc,qcp->qp", weights, some.scores)


def learnt(sets: Sequence[Asked]) -> Tensor:
    """Return the coefficients, (channels, FEATURES) float32, that make right passages likeliest."""
    first = torch.zeros(sets[0].scores.shape[1], len(FEATURES))
    first[:, 0] = math.log(FIRST_WEIGHT)
    coefficients = first.clone().requires_grad_()
    answerable = [one.of(one.is_right.any(1)) for one in sets]
    optimiser = torch.optim.LBFGS([coefficients], max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        losses = []
        for one in answerable:
            scores = fused_scores(coefficients, one)
            right = scores.masked_fill(~one.is_right, -torch.inf)
            losses.append(scores.logsumexp(1) - right.logsumexp(1))
        loss: Tensor = torch.cat(losses).mean() + PENALTY * (coefficients - first).square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return coefficients.detach()


def by_folds(sets: Sequence[Sequence[Asked]]) -> list[list[Scores]]:
    """Return the scores, (questions, passages), of each set's libraries without having learnt of the fold's questions.

    ``sets``: of each set its libraries, the whole one first; it alone is learnt from.
    """
    drawn = torch.Generator().manual_seed(1)
    folds = [torch.randint(FOLDS, (len(one[0].features),), generator=drawn) for one in sets]
    found = [[np.zeros(library.is_right.shape) for library in one] for one in sets]
    for fold in range(FOLDS):
        coefficients = learnt([one[0].of(which != fold) for one, which in zip(sets, folds, strict=True)])
        for one, which, rows in zip(sets, folds, found, strict=True):
            for library, row in zip(one, rows, strict=True):
                row[(which == fold).numpy()] = fused_scores(coefficients, library.of(which == fold)).numpy()
    return found


def recalls(fused: Scores, some: Asked) -> str:
    """Return R@1 / R@5 over the questions that have an answer."""
    right = some.is_right.numpy()
    best = np.where(right, fused, -np.inf).max(1)[right.any(1)]
    ranks = 1 + (fused[right.any(1)] > best[:, None]).sum(1)
    return f"{(ranks <= 1).mean():.3f} / {(ranks <= 5).mean():.3f}"
