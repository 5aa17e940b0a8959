"""Weights by the kind of question: what made the questions is learnt again."""

from __future__ import annotations

import numpy as np
import torch

from speechsearch.text.common import FEATURES
from speechsearch.training.fit_fusion import Asked, by_folds, fused_scores, learnt

PASSAGES = 30


def questions(count: int, seed: int = 1) -> list[Asked]:
    """Plain ones, whose right passage the first channel knows, and names, which the second one knows."""
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        is_name = number % 2 == 1
        scores = random.standard_normal((2, PASSAGES)).astype(np.float32)
        right = int(random.integers(PASSAGES))
        scores[int(is_name), right] += 4.0
        features = torch.tensor([1.0, 0.0, float(is_name), 0.5, 0.0])
        made.append(Asked(features, torch.from_numpy(scores), torch.arange(PASSAGES) == right))
    return made


def share_first(coefficients: torch.Tensor, asked: list[Asked]) -> float:
    """The share of the questions whose right passage has the highest score."""
    return float(np.mean([bool(one.is_right[fused_scores(coefficients, one).argmax()]) for one in asked]))


def test_each_kind_gets_the_weights_that_find_its_answers() -> None:
    coefficients = learnt(questions(200))
    unusual = FEATURES.index("unusual")
    assert coefficients[1, unusual] > 0.3 > -0.3 > coefficients[0, unusual]
    equal = torch.zeros(2, len(FEATURES))
    others = questions(200, seed=2)
    assert share_first(coefficients, others) > share_first(equal, others) + 0.03


def test_every_question_is_scored_by_weights_that_did_not_see_it() -> None:
    sets = [questions(30), questions(10, seed=3)]
    found = by_folds(sets)
    assert [one.shape for one in found] == [(30, PASSAGES), (10, PASSAGES)]
    assert all(row.any() for one in found for row in one)
