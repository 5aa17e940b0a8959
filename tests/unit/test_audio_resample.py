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


def test_mono_of_opposite_channels_is_silence() -> None:
    sound = tone(440.0, 16_000, 101)
    assert np.abs(to_mono(np.hstack([sound, -sound]))).max() < 1e-7
