"""What passes the resampler, and what must not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechsearch.audio.resample import resample, to_mono


def tone(frequency_hz: float, rate_hz: int, samples: int) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(samples) / rate_hz)).astype(np.float32)[:, None]


def joined(parts: list[np.ndarray], rate_hz: int) -> np.ndarray:
    return np.concatenate(list(resample(parts, rate_hz)))


@pytest.mark.parametrize("rate_hz", [22_050, 44_100, 48_000, 192_000])
def test_a_tone_above_nyquist_vanishes_and_one_below_stays(rate_hz: int) -> None:
    above, below = (joined([tone(hz, rate_hz, rate_hz)], rate_hz)[800:-800] for hz in (9500.0, 1000.0))
    assert np.abs(above).max() < 1e-3
    assert np.abs(below).max() == pytest.approx(0.5, abs=0.01)


@settings(max_examples=40, deadline=None)
@given(
    rate_hz=st.sampled_from([8000, 11_025, 16_000, 44_100, 48_000]),
    lengths=st.lists(st.integers(0, 3001), min_size=1, max_size=8),
)
def test_any_division_into_odd_blocks_gives_the_same_sound(rate_hz: int, lengths: list[int]) -> None:
    sound = tone(440.0, rate_hz, sum(lengths))
    divided = joined(np.split(sound, np.cumsum(lengths)[:-1]), rate_hz)
    assert abs(len(divided) - sum(lengths) * 16_000 / rate_hz) <= 1
    assert np.allclose(divided, joined([sound], rate_hz), atol=1e-6)


@pytest.mark.parametrize("gains", [(1, -1), (1, -0.7), (-1, 0.5, -1, 0.5), (0, 0, 1, -1), (1, 1, -1)])
def test_opposite_channels_do_not_cancel(gains: tuple[float, ...]) -> None:
    sound = tone(440.0, 16_000, 101)
    mono = to_mono(np.hstack([gain * sound for gain in gains]))
    expected = np.abs(gains).mean() * sound[:, 0]
    assert min(np.abs(mono - expected).max(), np.abs(mono + expected).max()) < 1e-6


def test_channels_that_do_not_cancel_are_averaged_as_they_are() -> None:
    random = np.random.default_rng(0)
    speech, other = random.normal(0, 0.1, (2, 16_000, 1)).astype(np.float32)
    for block in (np.hstack([speech, other]), np.hstack([speech, -0.2 * speech]), np.hstack([speech, 0 * speech])):
        assert np.allclose(to_mono(block), block.mean(axis=1), atol=1e-6)


def test_opposite_phase_is_undone_under_noise_too() -> None:
    random = np.random.default_rng(0)
    speech = tone(440.0, 16_000, 16_000)[:, 0]
    noise = random.normal(0, 0.1, (16_000, 2)).astype(np.float32)
    mono = to_mono(np.stack([speech, -speech], axis=1) + noise)
    assert abs(np.corrcoef(mono, speech)[0, 1]) > 0.95
