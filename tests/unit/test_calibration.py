"""From scores to chances: what is fitted is found again, and what ships is sensible."""

from __future__ import annotations

import numpy as np
import pytest

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models.catalog import catalog
from speechsearch.retrieval.calibration import read_calibrations
from speechsearch.retrieval.fusion import likelihood
from speechsearch.training.fit_calibration import brier, calibration_error, cross_validated, fit

MODELS = {"speech encoder": "mini", "recognizer": "whisper-base", "text encoder": "all-MiniLM-L6-v2"}


def drawn(count: int, slope: float, intercept: float):
    random = np.random.default_rng(1)
    scores = random.normal(2.0, 1.5, count)
    return scores, random.random(count) < 1 / (1 + np.exp(-slope * scores - intercept))


def test_the_curve_that_made_the_cases_is_found() -> None:
    scores, is_relevant = drawn(50_000, 1.5, -4.0)
    assert fit(scores, is_relevant) == pytest.approx((1.5, -4.0), rel=0.05)


def test_scores_that_separate_give_no_infinite_curve() -> None:
    slope, intercept = fit(np.array([0.0, 0.1, 5.0, 5.1]), np.array([False, False, True, True]))
    assert 0 < slope < 20
    assert 0.6 < likelihood(5.0, slope, intercept) < 1


def test_scores_that_say_nothing_give_the_share() -> None:
    slope, intercept = fit(np.ones(100), np.arange(100) < 20)
    assert likelihood(1.0, slope, intercept) == pytest.approx(0.2, abs=0.02)


def test_chances_hold_on_questions_that_were_left_out() -> None:
    scores, is_relevant = drawn(20_000, 1.5, -4.0)
    chances = cross_validated(scores, is_relevant, np.arange(20_000) // 10)
    assert calibration_error(chances, is_relevant) < 0.02
    share = is_relevant.mean()
    assert brier(chances, is_relevant) < share * (1 - share)


def test_a_question_is_in_one_fold_only() -> None:
    scores, is_relevant = drawn(1_000, 1.5, -4.0)
    groups = np.arange(1_000) % 2
    chances = cross_validated(scores, is_relevant, groups, folds=2)
    curves = {
        group: np.polyfit(scores[groups == group], np.log(chances / (1 - chances))[groups == group], 1)
        for group in (0, 1)
    }
    assert not np.allclose(curves[0], curves[1])
    assert curves[0] == pytest.approx(fit(scores[groups == 1], is_relevant[groups == 1]), rel=1e-3)


@pytest.mark.parametrize("engine", ["all", "hybrid", "adapter", "phonetic", "asr"])
def test_what_ships_rises_with_the_score(engine: str) -> None:
    models = {task: catalog().get(task, name).fingerprint for task, name in MODELS.items()}
    learnt = read_calibrations().likelihood(engine, models)
    assert learnt is not None, "what ships is for the models that ship"
    (slope, intercept), threshold = learnt.curve, learnt.threshold
    assert slope > 0
    assert likelihood(0.0, slope, intercept) < 0.02
    assert 0.01 < likelihood(threshold, slope, intercept) < 0.5
    assert likelihood(1e9, slope, intercept) == 1.0


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
