"""Rank metrics, intervals, tests and error rates, against numbers worked by hand."""

import itertools
import math

import numpy as np
import pytest

from speechsearch.evaluation.metrics import (
    Figure,
    bootstrap_interval,
    bootstrap_intervals,
    error_rate,
    paired_permutation_test,
    rank_metrics,
    word_error_rate,
)


def test_rank_metrics_of_hand_worked_rankings():
    ids, values = rank_metrics(
        {"a": ["x", "r1", "y", "r2"], "b": ["r3"], "c": [f"z{i}" for i in range(10)] + ["r4"]},
        {"c": {"r4": 1}, "b": {"r3": 1}, "a": {"r1": 1, "r2": 1}},
    )
    assert ids == ("a", "b", "c")
    assert values["recall@1"].tolist() == [0.0, 1.0, 0.0]
    assert values["recall@5"].tolist() == [1.0, 1.0, 0.0]
    assert values["recall@10"].tolist() == [1.0, 1.0, 0.0]
    assert values["recall@100"].tolist() == [1.0, 1.0, 1.0]
    assert values["mrr@10"].tolist() == [0.5, 1.0, 0.0]  # c has it at rank 11
    gain = (1 / math.log2(3) + 1 / math.log2(5)) / (1 + 1 / math.log2(3))  # ranks 2 and 4 where 1 and 2 are best
    assert values["ndcg@10"].tolist() == pytest.approx([gain, 1.0, 0.0])


def test_one_of_two_right_passages_is_half_the_recall():
    _, values = rank_metrics({"q": ["r1", "x"]}, {"q": {"r1": 1, "r2": 1}})
    assert values["recall@1"].tolist() == [0.5] and values["recall@10"].tolist() == [0.5]


def test_grades_count_in_ndcg_only():
    _, values = rank_metrics({"q": ["low", "high"]}, {"q": {"high": 3, "low": 1}})
    assert values["mrr@10"].tolist() == [1.0]
    assert values["ndcg@10"][0] == pytest.approx((1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3)))


def test_queries_without_an_answer_are_left_out_and_unranked_ones_have_zero():
    ids, values = rank_metrics({"q1": ["x"], "none": ["x"]}, {"q1": {"x": 1}, "q2": {"x": 1}, "none": {"x": 0}})
    assert ids == ("q1", "q2")
    assert all(numbers.tolist() == [1.0, 0.0] for numbers in values.values())
    assert rank_metrics({}, {})[1]["mrr@10"].shape == (0,)
    assert rank_metrics({}, {"q": {"x": 1}})[1]["mrr@10"].tolist() == [0.0]


def test_a_passage_ranked_twice_counts_once():
    _, values = rank_metrics({"q": ["x", "x", "x", "x", "x", "r"]}, {"q": {"r": 1}})
    assert values["recall@5"].tolist() == [1.0] and values["mrr@10"].tolist() == [0.5]


def test_the_interval_covers_the_binomial_one():
    values = np.repeat([0.0, 1.0], [40, 60])
    figure = bootstrap_interval(values, seed=3)
    half = 1.96 * math.sqrt(0.6 * 0.4 / 100)
    assert figure.mean == pytest.approx(0.6)
    assert figure.low == pytest.approx(0.6 - half, abs=0.011) and figure.high == pytest.approx(0.6 + half, abs=0.011)
    assert bootstrap_interval(values, seed=3) == figure


def test_the_interval_is_the_same_whatever_the_chunks(monkeypatch):
    values = np.arange(7) / 7
    whole = bootstrap_interval(values, seed=5, resamples=100)
    monkeypatch.setattr("speechsearch.evaluation.metrics.CHUNK_NUMBERS", 50)
    assert bootstrap_interval(values, seed=5, resamples=100) == whole


def test_metrics_drawn_together_have_the_intervals_that_they_have_alone():
    random = np.random.default_rng(2)
    values = {"recall@1": (random.random(301) > 0.5) * 1.0, "mrr@10": random.random(301)}
    alone = {name: bootstrap_interval(numbers, seed=7, resamples=500) for name, numbers in values.items()}
    assert bootstrap_intervals(values, seed=7, resamples=500) == alone
    drawn = np.random.default_rng(7).integers(301, size=(500, 301))
    low, high = np.quantile(values["mrr@10"][drawn].mean(axis=1), [0.025, 0.975])
    assert alone["mrr@10"] == Figure(values["mrr@10"].mean(), low, high)


def test_no_values_have_no_figures():
    assert math.isnan(bootstrap_interval([], seed=1).mean)
    assert math.isnan(paired_permutation_test([], [], seed=1).p_value)


def test_the_exact_test_equals_counting_by_hand():
    ours, theirs = [0.9, 0.4, 0.8, 0.1, 0.5], [0.5, 0.5, 0.2, 0.1, 0.2]
    unequal = [0.4, -0.1, 0.6, 0.3]
    flips = itertools.product((1, -1), repeat=4)
    sums = [abs(sum(sign * gap for sign, gap in zip(signs, unequal, strict=True))) for signs in flips]
    expected = sum(total >= 1.2 - 1e-9 for total in sums) / 16
    result = paired_permutation_test(ours, theirs, seed=1)
    assert expected == 4 / 16  # as it is (1.2), with the loss turned into a win (1.4), and both the other way round
    assert result.p_value == expected and result.difference == pytest.approx(1.2 / 5)
    assert paired_permutation_test(theirs, ours, seed=1).difference == pytest.approx(-1.2 / 5)


def test_the_random_test_comes_near_the_exact_one():
    ours, theirs = np.ones(20), np.repeat([0.0, 2.0], [14, 6])  # 14 wins and 6 losses of one point: a sign test
    exact = 2 * sum(math.comb(20, wins) for wins in range(14, 21)) / 2**20
    assert paired_permutation_test(ours, theirs, seed=1).p_value == pytest.approx(exact, abs=0.008)


def test_a_random_p_value_is_never_zero():
    assert paired_permutation_test(np.ones(50), np.zeros(50), seed=1, resamples=999).p_value == 0.001


def test_a_paired_test_needs_the_same_queries():
    with pytest.raises(ValueError, match="2 values against 1"):
        paired_permutation_test([1, 0], [1], seed=1)


def test_error_rates_are_over_all_passages_together():
    assert error_rate([[1, 2, 3, 4], [5]], [[1, 9, 4], [5]]) == 2 / 5
    assert error_rate([["a", "b"]], [[]]) == 1.0
    assert error_rate([["a"]], [["a", "b", "c"]]) == 2.0
    assert error_rate([[]], [["a"]]) is None
    with pytest.raises(ValueError, match="1 gold passages against 0"):
        error_rate([["a"]], [])


def test_words_are_compared_as_they_are_said():
    assert word_error_rate(["The 3 Bridges!", "Mrs. Ōno"], ["the three bridges", "missus oh no"]) == 2 / 5
    assert word_error_rate(["", "?!"], ["x", "y"]) is None
