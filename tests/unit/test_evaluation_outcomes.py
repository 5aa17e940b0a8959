"""Curves and differences, against the rank metrics and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from speechsearch.evaluation.metrics import rank_metrics
from speechsearch.evaluation.outcomes import first_ranks, found_by_one, recall_curve


def test_the_curve_agrees_with_the_rank_metrics() -> None:
    rng = np.random.default_rng(5)
    names = [f"p{number}" for number in range(30)]
    rankings = {f"q{query}": list(rng.permutation(names)[: rng.integers(0, 25)]) for query in range(40)}
    relevance = {query: dict.fromkeys(rng.choice(names, rng.integers(0, 4), replace=False), 1) for query in rankings}
    curve, (_, values) = recall_curve(rankings, relevance), rank_metrics(rankings, relevance)
    for k in (1, 5, 10):
        assert curve[k - 1] == pytest.approx(values[f"recall@{k}"].mean())
    assert curve == sorted(curve)


def test_a_name_ranked_twice_counts_once() -> None:
    assert first_ranks({"q": ["b", "b", "a"]}, {"q": {"a": 2}}) == {"q": 2}
    assert recall_curve({"q": ["b", "b", "a"]}, {"q": {"a": 2}}, 2) == [0.0, 1.0]


def test_no_question_with_an_answer_has_no_curve() -> None:
    assert recall_curve({"q": ["a"]}, {"q": {}, "r": {"a": 0}}) == []


@pytest.mark.parametrize(("k", "ours", "theirs"), [(1, ["q1"], ["q2"]), (2, [], []), (5, [], [])])
def test_found_by_one(k: int, ours: list[str], theirs: list[str]) -> None:
    first = {"q1": ["a"], "q2": ["x", "a"], "q3": ["a"], "none": ["a"]}
    second = {"q1": ["x", "a"], "q2": ["a"], "q3": ["a"]}
    relevance = {"q1": {"a": 1}, "q2": {"a": 1}, "q3": {"a": 1}}
    assert found_by_one(first, second, relevance, k) == ours
    assert found_by_one(second, first, relevance, k) == theirs
