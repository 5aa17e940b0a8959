"""What is said in a question counts, not how long one waits around it."""

import numpy as np
import pytest

from speechsearch.audio import load, question
from speechsearch.audio.playback import to_wav
from speechsearch.audio.question import said
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import SilentError, TooLongError
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio
from tests.tiny.sounds import content_of

LIMITS = Limits()


@pytest.fixture(scope="module")
def asked() -> np.ndarray:
    return load(SAMPLES / "audio" / "s015.opus", LIMITS, 120.0).samples[: 4 * SAMPLE_RATE_HZ]


def quiet(duration_s: float, level: float = 1e-4) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, level, round(duration_s * SAMPLE_RATE_HZ))
    return noise.astype(np.float32)


@pytest.mark.parametrize(("before_s", "after_s"), [(0, 3), (0, 30), (10, 0), (25, 25), (0.5, 0.5)])
def test_silence_around_a_question_changes_nothing(asked: np.ndarray, before_s: float, after_s: float) -> None:
    alone = said(Audio(asked)).samples
    found = said(Audio(np.concatenate([quiet(before_s), asked, quiet(after_s)]))).samples
    assert abs(len(found) - len(alone)) < 0.1 * SAMPLE_RATE_HZ
    size = 1 << 18
    products = np.fft.irfft(np.fft.rfft(found, size) * np.conj(np.fft.rfft(alone, size)))
    assert products.max() / (np.linalg.norm(found) * np.linalg.norm(alone)) > 0.99


def test_silence_within_a_question_becomes_a_short_pause(asked: np.ndarray) -> None:
    twice = said(Audio(np.concatenate([asked, quiet(12.0), asked]))).duration_s
    assert twice == pytest.approx(2 * said(Audio(asked)).duration_s, abs=0.3)


@pytest.mark.parametrize("level", [0.0, 1e-4, 0.02])
def test_silence_and_noise_are_no_question(level: float) -> None:
    with pytest.raises(SilentError, match="Nothing is said in the question"):
        question(to_wav(Audio(quiet(3.0, level))), LIMITS)


def test_a_question_over_a_balanced_line_is_heard(asked: np.ndarray) -> None:
    opposite = content_of("wav", np.stack([asked, -asked], axis=1))
    assert question(opposite, LIMITS).duration_s == pytest.approx(said(Audio(asked)).duration_s, abs=0.1)


def test_a_question_is_not_too_long_without_an_error_that_says_so(asked: np.ndarray) -> None:
    with pytest.raises(TooLongError, match="The question is longer than 2 seconds"):
        question(to_wav(Audio(asked)), Limits(query_audio_s=2.0))
