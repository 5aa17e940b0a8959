"""What measures diarization: mixtures whose speakers are known, and errors worked out by hand."""

from __future__ import annotations

import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.mixtures import MOST_OVERLAP, mixed, mixtures, runs, speech_frames, utterances
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the package's own, of libraries that it imports
    pytest.importorskip("pyannote.metrics", reason="pyannote.metrics is not installed")
    from benchmarks.diarization import Errors, annotation, equal_error_rate
    from benchmarks.mixtures import Mixture


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Four "voices": noise of their own, in bursts of two seconds with pauses between."""
    folder = tmp_path_factory.mktemp("voices")
    rng = np.random.default_rng(1)
    found = {}
    for name in "abcd":
        burst = rng.normal(size=(5, 2 * SAMPLE_RATE_HZ)) * 0.1
        sound = np.concatenate([np.pad(one, (SAMPLE_RATE_HZ // 2, 0)) for one in burst])
        soundfile.write(folder / f"{name}.wav", sound, SAMPLE_RATE_HZ)
        found[name] = [folder / f"{name}.wav"]
    return found


def test_utterances_are_what_is_between_pauses(pool: dict[str, list[Path]]) -> None:
    found = utterances(pool["a"][0])
    assert len(found) == 5
    assert all(len(one) / SAMPLE_RATE_HZ == pytest.approx(2.1, abs=0.05) for one in found)


def test_pauses_up_to_a_length_are_speech_and_clicks_are_none() -> None:
    sound = np.zeros(4 * SAMPLE_RATE_HZ, np.float32)
    for start_s, end_s in ((0.5, 1.0), (1.2, 2.0), (2.6, 3.0), (3.5, 3.55)):
        sound[int(start_s * 16_000) : int(end_s * 16_000)] = 0.1
    found = [(first / 100, end / 100) for first, end in runs(speech_frames(sound))]
    assert np.array(found) == pytest.approx(np.array([(0.5, 2.0), (2.6, 3.0)]), abs=0.03)


def test_a_mixture_holds_every_voice_where_it_is_said_to(pool: dict[str, list[Path]]) -> None:
    mixture = mixed("m", {name: pool[name] for name in "abc"}, 99.0, np.random.default_rng(2))
    assert mixture.voices == 3
    levels = np.array([np.abs(mixture.sound.samples[at : at + 160]).mean() for at in range(0, 16_000 * 30, 160)])
    spoken = np.zeros(len(levels), bool)
    for _, start_s, end_s in mixture.spoken:
        spoken[round(100 * start_s) : round(100 * end_s)] = True
    assert levels[spoken].mean() > 20 * levels[~spoken].mean()
    by_start = sorted(mixture.spoken, key=lambda one: one[1])
    for one, other in pairwise(by_start):
        assert one[2] - other[1] <= MOST_OVERLAP * 2.2


def test_mixtures_are_the_same_every_time(pool: dict[str, list[Path]]) -> None:
    once, again = (list(mixtures(pool, [2, 3], 2, 99.0, 7, "m")) for _ in range(2))
    assert [one.name for one in once] == ["m-2-0", "m-2-1", "m-3-0", "m-3-1"]
    for one, other in zip(once, again, strict=True):
        assert one.spoken == other.spoken
        np.testing.assert_array_equal(one.sound.samples, other.sound.samples)


def test_errors_are_those_worked_out_by_hand() -> None:
    sound = Audio(np.zeros(12 * SAMPLE_RATE_HZ, np.float32))
    mixture = Mixture("m", sound, (("a", 0.0, 4.0), ("b", 3.0, 8.0)))  # 9 s spoken, 1 s of it by both
    errors = Errors()
    errors.add(mixture, annotation([("1", 0.0, 4.0), ("2", 4.0, 6.0), ("1", 6.0, 8.0), ("2", 9.0, 10.0)]), 2)
    n, overlap, whole, _, alone, missed, false, wrong, right = errors.cells()
    assert (n, overlap, right) == ("1", "12.5", "1 of 1")
    assert (missed, false, wrong) == ("11.1", "11.1", "22.2")  # the overlap, 9 to 10, and 6 to 8
    assert whole == "44.4" and float(alone) == pytest.approx(100 * 3 / 7, abs=0.1)


def test_the_equal_error_rate_of_scores_that_do_not_overlap_is_zero() -> None:
    assert equal_error_rate(np.array([0.8, 0.9]), np.array([0.1, 0.2]))[0] == 0
