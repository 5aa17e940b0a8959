"""How likely what is alike is right: curves by sense and maker, and the recipe that learns them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from speechsearch.audio.constellation import VERSION
from speechsearch.domain.alike import Sense
from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.retrieval.likeness import beyond_chance, copy_likelihood
from speechsearch.retrieval.likeness_curves import MOST_LIKELY, Curve, Curves, read_curves
from speechsearch.service.open import new_loader
from speechsearch.service.settings import Settings
from speechsearch.training.fit_likeness import row_of
from speechsearch.training.likeness_cases import DEEPEST, Answers


def test_copies_and_the_words_of_the_shipped_encoder_have_a_curve() -> None:
    encoder = new_loader(Settings()).speech_encoder("mini")
    made_by: dict[Sense, str] = {"recording": f"peaks-{VERSION}", "words": encoder.fingerprint}
    for sense, maker in made_by.items():
        found = read_curves().of(sense, maker)
        assert found is not None, f"learn it: python -m speechsearch.training.fit_likeness DATA MUSIC --sense {sense}"
        assert found.coefficients[1] > 0, "a better score is likelier"


def test_copies_are_likelier_the_more_agrees_and_the_shorter_the_question() -> None:
    curve = read_curves().needed("recording", f"peaks-{VERSION}")
    found = [copy_likelihood(moments, 10.0, curve) for moments in (1, 3, 6, 12, 1000)]
    assert found == sorted(found) and found[0] < 0.1 and found[-1] == MOST_LIKELY
    assert copy_likelihood(12, 5.0, curve) > copy_likelihood(12, 300.0, curve)


def test_what_was_not_learnt_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match="'recording' is was not learnt for peaks-0"):
        Curves().needed("recording", "peaks-0")
    for content in ("", "[{}]", '[{"sense": "sound", "made_by": "a", "chance": {"always": 1}}]'):
        file = tmp_path / f"{len(content)}.json"
        file.write_text(content)
        with pytest.raises(ModelUnavailableError, match="cannot be read"):
            read_curves(file)


def test_what_is_learnt_are_the_shares_that_were_right(tmp_path: Path) -> None:
    draw, answers, curve = random.Random(1), Answers(), Curve((-4.0, 8.0, -2.0))
    for group in range(400):
        scores = sorted((draw.random() for _ in range(DEEPEST + 3)), reverse=True)
        answers.add(scores, [draw.random() < chance for chance in curve.chances(scores)], group)
    answers.add([], [], 400)
    cases = answers.cases()
    assert cases.signals.shape == (400 * DEEPEST, 3)
    row = row_of("sound", "a-1", cases)
    assert row is not None
    file = tmp_path / "likeness.json"
    file.write_text(json.dumps([row]))
    learnt = read_curves(file).needed("sound", "a-1")
    np.testing.assert_allclose(learnt.chances([0.9, 0.5, 0.2]), curve.chances([0.9, 0.5, 0.2]), atol=0.05)


def test_chance_grows_with_the_length_of_what_is_asked() -> None:
    assert beyond_chance(34, 512.0) == 0.0 and beyond_chance(8, 32.0) == pytest.approx(np.log(2))


def test_what_is_never_likely_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    draw, answers = random.Random(2), Answers()
    for group in range(200):
        scores = sorted((draw.random() for _ in range(DEEPEST)), reverse=True)
        answers.add(scores, [draw.random() < 0.1 for _ in scores], group)
    assert row_of("sound", "a-1", answers.cases()) is None
    assert "Not written: no answer is likelier than 0." in capsys.readouterr().out
