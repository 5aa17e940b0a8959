"""From scores to chances: what is fitted is found again, and what ships is sensible."""

from __future__ import annotations

import numpy as np
import pytest

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models.catalog import catalog
from speechsearch.retrieval.calibration import MOST_LIKELY, SIGNALS, Likelihood, logistic, read_calibrations
from speechsearch.retrieval.retriever import RankedPassage, Ranking
from speechsearch.text.common import FEATURES
from speechsearch.training.fit_calibration import (
    brier,
    calibration_error,
    cases_of,
    cross_validated,
    fit,
)

MODELS = {"speech encoder": "mini", "recognizer": "whisper-base", "text encoder": "all-MiniLM-L6-v2"}


def drawn(count: int, slope: float, intercept: float):
    random = np.random.default_rng(1)
    cases = np.column_stack([np.ones(count), random.normal(2.0, 1.5, count)])
    return cases, random.random(count) < 1 / (1 + np.exp(-slope * cases[:, 1] - intercept))


def test_the_curve_that_made_the_cases_is_found() -> None:
    assert fit(*drawn(50_000, 1.5, -4.0)) == pytest.approx((-4.0, 1.5), rel=0.05)


def test_scores_that_separate_give_no_infinite_curve() -> None:
    cases = np.array([[1.0, 0.0], [1.0, 0.1], [1.0, 5.0], [1.0, 5.1]])
    coefficients = fit(cases, np.array([False, False, True, True]))
    assert 0 < coefficients[1] < 20
    assert 0.6 < logistic(cases, coefficients)[2] < 1


def test_signals_that_say_nothing_give_the_share() -> None:
    cases = np.ones((1000, 2))
    assert logistic(cases, fit(cases, np.arange(1000) < 200))[0] == pytest.approx(0.2, abs=0.02)


def test_chances_hold_on_questions_that_were_left_out() -> None:
    cases, is_relevant = drawn(20_000, 1.5, -4.0)
    found = cross_validated(cases, is_relevant, np.arange(20_000) // 10)
    assert calibration_error(found, is_relevant) < 0.02
    share = is_relevant.mean()
    assert brier(found, is_relevant) < share * (1 - share)


def test_a_question_is_in_one_fold_only() -> None:
    cases, is_relevant = drawn(1_000, 1.5, -4.0)
    groups = np.arange(1_000) % 2
    found = cross_validated(cases, is_relevant, groups, folds=2)
    for group in (0, 1):
        other = fit(cases[groups == 1 - group], is_relevant[groups == 1 - group])
        assert found[groups == group] == pytest.approx(logistic(cases[groups == group], other))


def test_cases_are_the_best_hits_of_each_question() -> None:
    scores = np.array([[1.0, 3.0, 2.0], [5.0, 4.0, 6.0]])
    heard = np.array([[0.0, 0.5, 0.0], [0.0, 0.0, 1.0]])
    features = np.eye(2, len(FEATURES))
    is_right = np.array([[False, True, False], [False, False, False]])
    found = cases_of(scores, heard, features, is_right, ["rare", "absent-words"], 7)
    assert found.is_right.tolist() == [True, False, False, False, False, False]
    assert found.is_first.tolist() == [True, False, False, True, False, False]
    assert found.questions.tolist() == [7, 7, 7, 8, 8, 8] and found.sizes.tolist() == [3] * 6
    assert found.signals[:, SIGNALS.index("heard here")].tolist() == [0.5, 0, 0, 1, 0, 0]
    assert found.signals[1, SIGNALS.index("behind")] == pytest.approx(np.log(2))


def test_what_is_heard_and_who_is_ahead_tells_chances_apart() -> None:
    coefficients = dict.fromkeys(SIGNALS, 0.0) | {"behind": -1.0, "heard here": 3.0}
    likelihood = Likelihood(0.5, list(coefficients.values()))
    passages = (RankedPassage("a", 5.0, (), 1.0), RankedPassage("b", 4.0, (), 0.0))
    first, second = likelihood.chances(Ranking(passages, 0.0, 0.0))
    assert first == pytest.approx(1 / (1 + np.exp(-3.0))) and second == pytest.approx(1 / 3)
    sure = Likelihood(0.5, [100.0, *[0.0] * (len(SIGNALS) - 1)])
    assert sure.chances(Ranking(passages, 0.0, 0.0)) == [MOST_LIKELY] * 2
    assert likelihood.chances(Ranking((), 0.0, 0.0)) == [] and not sure.is_confident(Ranking((), 0.0, 0.0))


@pytest.mark.parametrize("engine", ["all", "hybrid", "adapter", "phonetic", "asr"])
@pytest.mark.parametrize("recognizer", ["whisper-base", "mini"])
def test_what_ships_rises_with_the_score(engine: str, recognizer: str) -> None:
    names = MODELS | {"recognizer": recognizer}
    models = {task: catalog().get(task, name).fingerprint for task, name in names.items()}
    learnt = read_calibrations().likelihood(engine, models)
    assert learnt is not None, "what ships is for the models that ship"
    assert 0.01 < learnt.threshold < 0.5
    question = (1.0, 0.0, 0.0, 0.25, 0.0, 0.9)  # two words, heard

    def chance(score: float, heard: float) -> float:
        ranking = Ranking((RankedPassage("a", score, (), heard),), 0.0, 0.0, question)
        return learnt.chances(ranking)[0]

    scores = (0.1, 0.3, 0.5) if engine == "adapter" else (0.5, 2.0, 5.0)
    found = [chance(score, 0.1 + score / 10) for score in scores]
    assert found == sorted(found) and found[0] < 0.3


def test_another_models_likelihood_is_never_taken() -> None:
    models = {task: catalog().get(task, name).fingerprint for task, name in MODELS.items()}
    known = read_calibrations()
    assert known.likelihood("asr", models | {"recognizer": "pocketsphinx-5"}) is None
    assert known.likelihood("hybrid", models | {"speech encoder": "mini-0"}) is None
    assert known.fusion("hybrid", models | {"speech encoder": "mini-0"}) is None
    assert known.fusion("asr", models | {"recognizer": "pocketsphinx-5"}) is not None  # weighs channels of text
    assert known.fusion("asr", models | {"text encoder": "other-1"}) is None


def test_a_damaged_file_is_said(tmp_path) -> None:
    (tmp_path / "calibration.json").write_text('[{"engine": "asr"}]', encoding="utf-8")
    with pytest.raises(ModelUnavailableError, match="cannot be read"):
        read_calibrations(tmp_path / "calibration.json")
