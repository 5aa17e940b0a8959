"""Every degradation, measured: level of the noise, band, bit rate, length."""

from __future__ import annotations

import numpy as np
import pytest

from speechsearch.audio.degrade import (
    Degradation,
    add_noise,
    babble,
    change_speed,
    coloured_noise,
    degrade,
    power,
    telephone_band,
    through_mp3,
)
from speechsearch.datatypes import SAMPLE_RATE_HZ, Audio


def tone(frequency_hz: float, duration_s: float = 1.0, level: float = 0.2) -> np.ndarray:
    times_s = np.arange(int(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (level * np.sin(2 * np.pi * frequency_hz * times_s)).astype(np.float32)


def loudest_hz(samples: np.ndarray) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * SAMPLE_RATE_HZ / len(samples))


@pytest.mark.parametrize("ratio_db", [40.0, 20.0, 6.0])
def test_noise_lies_as_far_below_as_asked(ratio_db: float) -> None:
    clean = tone(440)
    noise = add_noise(clean, coloured_noise(len(clean), 0.0, seed=3), ratio_db) - clean
    assert 10 * np.log10(power(clean) / power(noise)) == pytest.approx(ratio_db, abs=0.01)


def test_loud_noise_makes_all_quieter_instead_of_clipping() -> None:
    clean = tone(440, level=0.9)
    mixed = add_noise(clean, coloured_noise(len(clean), 0.0, seed=3), 0.0)
    assert np.abs(mixed).max() == pytest.approx(1.0)
    noise = coloured_noise(len(clean), 0.0, seed=3)
    parts, *_ = np.linalg.lstsq(np.stack([clean, noise], 1).astype(np.float64), mixed.astype(np.float64), rcond=None)
    assert power(parts[0] * clean) == pytest.approx(power(parts[1] * noise), rel=1e-3)


@pytest.mark.parametrize(("exponent", "fall_db"), [(0.0, 0.0), (1.0, 10.0)])
def test_pink_noise_falls_ten_decibels_a_decade(exponent: float, fall_db: float) -> None:
    spectrum = np.abs(np.fft.rfft(coloured_noise(16 * SAMPLE_RATE_HZ, exponent, seed=1))) ** 2
    hertz = 16  # bins a Hz
    low, high = spectrum[90 * hertz : 110 * hertz].mean(), spectrum[900 * hertz : 1100 * hertz].mean()
    assert 10 * np.log10(low / high) == pytest.approx(fall_db, abs=1.0)


def test_babble_is_as_long_as_asked_and_every_voice_as_loud() -> None:
    quiet, loud = tone(300, 0.3, 0.01), tone(1200, 0.7, 0.5)
    mixed = babble([quiet, loud, np.zeros(100, np.float32)], 3 * SAMPLE_RATE_HZ)
    spectrum = np.abs(np.fft.rfft(mixed))
    assert len(mixed) == 3 * SAMPLE_RATE_HZ
    assert spectrum[3 * 300] == pytest.approx(spectrum[3 * 1200], rel=0.05)
    assert not babble([], 5).any()


@pytest.mark.parametrize(("frequency_hz", "loss_db"), [(100, 40.0), (1000, 0.0), (2000, 0.0), (6000, 40.0)])
def test_telephone_band(frequency_hz: float, loss_db: float) -> None:
    clean = tone(frequency_hz)
    middle = slice(4000, -4000)
    lost = 10 * np.log10(power(clean[middle]) / max(power(telephone_band(clean)[middle]), 1e-12))
    assert lost >= loss_db if loss_db else abs(lost) < 0.1


@pytest.mark.parametrize("kbps", [64, 32, 16])
def test_mp3_keeps_length_and_place_and_loses_more_at_low_rates(kbps: int) -> None:
    clean = tone(700) * (np.arange(SAMPLE_RATE_HZ) % 5000 < 2500).astype(np.float32)
    decoded = through_mp3(clean, kbps)
    assert decoded.shape == clean.shape and decoded.dtype == np.float32
    shifts = range(-40, 41)
    overlap = [float(np.dot(clean[2000:12000], decoded[2000 + shift : 12000 + shift])) for shift in shifts]
    assert abs(shifts[int(np.argmax(overlap))]) <= 1
    assert np.corrcoef(clean, decoded)[0, 1] > 0.9


def test_mp3_error_grows_as_the_rate_falls() -> None:
    noisy = tone(700) + coloured_noise(SAMPLE_RATE_HZ, 1.0, seed=2) * 20
    errors = [power(through_mp3(noisy.astype(np.float32), kbps) - noisy) for kbps in (64, 32, 16)]
    assert errors == sorted(errors) and errors[0] < errors[-1]


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.25])
def test_speed_changes_length_and_pitch(factor: float) -> None:
    played = change_speed(tone(440), factor)
    assert len(played) == pytest.approx(SAMPLE_RATE_HZ / factor, abs=2)
    assert loudest_hz(played) == pytest.approx(440 * factor, abs=2)


def test_the_defaults_change_nothing() -> None:
    sound = Audio(tone(440))
    assert np.array_equal(degrade(sound, Degradation()).samples, sound.samples)


def test_all_at_once_is_in_range_and_the_same_every_time() -> None:
    how = Degradation("babble", 3.0, True, 16, 1.1)
    sound, voices = Audio(tone(440, 2.0)), [Audio(tone(900)), Audio(tone(1500, 0.5))]
    first, second = degrade(sound, how, voices), degrade(sound, how, voices)
    assert np.array_equal(first.samples, second.samples)
    assert np.abs(first.samples).max() <= 1.0 and first.duration_s == pytest.approx(2.0 / 1.1, abs=0.001)
    pink = degrade(sound, Degradation("pink", 10.0))
    assert not np.array_equal(pink.samples, sound.samples)


@pytest.mark.parametrize("how", [Degradation("white", 0.0), Degradation(is_telephone=True), Degradation(mp3_kbps=16)])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_hardly_any_sound_is_no_error(how: Degradation, count: int) -> None:
    assert len(degrade(Audio(np.zeros(count, np.float32)), how).samples) == count
