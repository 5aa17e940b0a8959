"""Weights by the kind of question: what made the questions is learnt again."""

from __future__ import annotations

import numpy as np
import torch

from speechsearch.text.common import FEATURES
from speechsearch.training.fit_weights import Asked, by_folds, fused_scores, learnt

PASSAGES = 30


def questions(count: int, seed: int = 1) -> Asked:
    """Plain ones, whose right passage the first channel knows, and names, which the second one knows."""
    random = np.random.default_rng(seed)
    is_name = np.arange(count) % 2
    right = random.integers(PASSAGES, size=count)
    scores = random.standard_normal((count, 2, PASSAGES)).astype(np.float32)
    scores[np.arange(count), is_name, right] += 4.0
    kinds = [[1.0, 0.0, float(one), 0.5, 0.0, 0.5] for one in is_name]
    is_right = torch.arange(PASSAGES)[None] == torch.from_numpy(right)[:, None]
    return Asked(torch.tensor(kinds), torch.from_numpy(scores), torch.zeros(count, PASSAGES), is_right)


def share_first(coefficients: torch.Tensor, some: Asked) -> float:
    """The share of the questions whose right passage has the highest score."""
    best = fused_scores(coefficients, some).argmax(1, keepdim=True)
    return float(some.is_right.gather(1, best).float().mean())


def test_each_kind_gets_the_weights_that_find_its_answers() -> None:
    coefficients = learnt([questions(200)])
    unusual = FEATURES.index("unusual")
    assert coefficients[1, unusual] > 0.3 > -0.3 > coefficients[0, unusual]
    equal = torch.zeros(2, len(FEATURES))
    others = questions(200, seed=2)
    assert share_first(coefficients, others) > share_first(equal, others) + 0.03


def test_a_question_without_an_answer_teaches_nothing() -> None:
    some = questions(40)
    nothing = Asked(some.features, some.scores * 3, some.heard, torch.zeros_like(some.is_right))
    torch.testing.assert_close(learnt([some, nothing]), learnt([some]))


def test_every_question_is_scored_by_weights_that_did_not_see_it() -> None:
    whole, other = questions(30), questions(10, seed=3)
    smaller = Asked(whole.features, whole.scores[:, :, :5], whole.heard[:, :5], whole.is_right[:, :5])
    found = by_folds([[whole, smaller], [other]])
    assert [[one.shape for one in some] for some in found] == [[(30, PASSAGES), (30, 5)], [(10, PASSAGES)]]
    assert all(row.any() for some in found for one in some for row in one)
    np.testing.assert_allclose(found[0][1], found[0][0][:, :5], rtol=1e-5)  # the same weights in both libraries
