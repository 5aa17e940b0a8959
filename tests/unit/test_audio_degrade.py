"""Every degradation, measured: level of the noise, decay of the room, band, bit rate, length."""

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
    opus_file,
    power,
    reverberate,
    room_response,
    telephone_band,
    through_mp3,
    through_opus,
)
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio


def tone(frequency_hz: float, duration_s: float = 1.0, level: float = 0.2) -> np.ndarray:
    times_s = np.arange(int(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (level * np.sin(2 * np.pi * frequency_hz * times_s)).astype(np.float32)


def loudest_hz(samples: np.ndarray) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * SAMPLE_RATE_HZ / len(samples))


def delay_samples(clean: np.ndarray, late: np.ndarray, most: int = 400) -> int:
    middle = slice(2000, len(clean) - 2000)
    shifts = range(-most, most + 1)
    overlap = [float(np.dot(clean[middle], late[2000 + shift : len(clean) - 2000 + shift])) for shift in shifts]
    return shifts[int(np.argmax(overlap))]


def vowels(duration_s: float) -> np.ndarray:
    """Return something voiced: harmonics of 120 Hz that fall off, the pitch gliding."""
    times_s = np.arange(int(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    phase = 2 * np.pi * (120 * times_s + 2 * np.sin(2 * np.pi * times_s))
    return (0.1 * sum(np.sin(number * phase) / number for number in range(1, 25))).astype(np.float32)


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


def decay_s(response: np.ndarray) -> float:
    """Return the time in which a response falls by 60 dB, from its fall by 5 to 25 dB (Schroeder's integral)."""
    left_db = 10 * np.log10(np.cumsum(np.square(response[::-1], dtype=np.float64))[::-1] / np.sum(response**2.0))
    places = np.flatnonzero((left_db < -5) & (left_db > -25))
    return -60 / float(np.polyfit(places / SAMPLE_RATE_HZ, left_db[places], 1)[0])


@pytest.mark.parametrize("reverberation_s", [0.2, 0.5, 1.0])
def test_a_room_decays_as_slowly_as_asked_and_starts_with_the_direct_sound(reverberation_s: float) -> None:
    click = np.zeros(2 * SAMPLE_RATE_HZ, np.float32)
    click[0] = 0.5
    heard = reverberate(click, reverberation_s, seed=5)
    assert heard.shape == click.shape and heard.dtype == np.float32
    assert np.argmax(np.abs(heard)) == 0
    assert decay_s(heard[1:]) == pytest.approx(reverberation_s, rel=0.05)
    assert power(heard) == pytest.approx(power(click), rel=1e-4)
    assert power(room_response(reverberation_s, 5)[:1]) == pytest.approx(
        float(np.sum(room_response(reverberation_s, 5)[1:] ** 2.0)), rel=1e-3
    )


def test_a_room_keeps_level_and_place_and_differs_by_seed() -> None:
    words = coloured_noise(2 * SAMPLE_RATE_HZ, 1.0, seed=4)
    words *= 0.1 / np.abs(words).max() * (np.arange(len(words)) % 8000 < 4000)
    heard = reverberate(words, 0.6, seed=1)
    assert power(heard) == pytest.approx(power(words), rel=1e-3)
    assert abs(delay_samples(words, heard)) <= 1
    assert power(heard[4000:6000]) > 100 * power(words[4000:6000])  # a pause is filled
    assert np.array_equal(heard, reverberate(words, 0.6, seed=1))
    assert not np.array_equal(heard, reverberate(words, 0.6, seed=2))
    assert reverberate(words, 0.0) is words


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


@pytest.mark.parametrize("kbps", [24, 12, 8])
@pytest.mark.parametrize("count", [32_000, 32_123])
def test_opus_keeps_length_and_place_and_has_the_bit_rate(kbps: int, count: int) -> None:
    clean = (vowels(3.0) * (np.arange(3 * SAMPLE_RATE_HZ) % 5000 < 3000))[:count].astype(np.float32)
    decoded = through_opus(clean, kbps)
    assert decoded.shape == clean.shape and decoded.dtype == np.float32
    assert abs(delay_samples(clean, decoded)) <= 16  # a millisecond
    headers_kbps = 1.5
    rate_kbps = len(opus_file(clean, kbps)) * 8 / 1000 / (count / SAMPLE_RATE_HZ)
    assert kbps <= rate_kbps <= kbps + headers_kbps
    assert np.array_equal(decoded, through_opus(clean, kbps))


def test_opus_at_eight_kbps_keeps_only_a_narrow_band_and_loses_more_than_at_24() -> None:
    noisy = 0.1 * coloured_noise(2 * SAMPLE_RATE_HZ, 0.0, seed=2)

    def above_4_khz(samples: np.ndarray) -> float:
        spectrum = np.abs(np.fft.rfft(samples)) ** 2
        return float(spectrum[len(spectrum) * 9 // 16 :].sum() / spectrum.sum())

    assert above_4_khz(noisy) > 0.4 and above_4_khz(through_opus(noisy, 24)) > 0.1
    assert above_4_khz(through_opus(noisy, 8)) < 1e-3
    voice = vowels(2.0)
    errors = [power(through_opus(voice, kbps) - voice) for kbps in (24, 12, 8)]
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
    how = Degradation("babble", 3.0, True, 16, 1.1, 0.5, 8)
    sound, voices = Audio(tone(440, 2.0)), [Audio(tone(900)), Audio(tone(1500, 0.5))]
    first, second = degrade(sound, how, voices), degrade(sound, how, voices)
    assert np.array_equal(first.samples, second.samples)
    assert np.abs(first.samples).max() <= 1.0 and first.duration_s == pytest.approx(2.0 / 1.1, abs=0.001)
    pink = degrade(sound, Degradation("pink", 10.0))
    assert not np.array_equal(pink.samples, sound.samples)


def test_the_room_is_applied_before_the_noise() -> None:
    sound = Audio(tone(440, 2.0))
    both = degrade(sound, Degradation("white", 10.0, reverberation_s=0.5), seed=3).samples
    room = degrade(sound, Degradation(reverberation_s=0.5), seed=3).samples
    assert np.array_equal(both, degrade(Audio(room), Degradation("white", 10.0), seed=3).samples)


@pytest.mark.parametrize(
    "how",
    [
        Degradation("white", 0.0),
        Degradation(is_telephone=True),
        Degradation(mp3_kbps=16),
        Degradation(opus_kbps=8),
        Degradation(reverberation_s=0.5),
    ],
)
@pytest.mark.parametrize("count", [0, 1, 7])
def test_hardly_any_sound_is_no_error(how: Degradation, count: int) -> None:
    assert len(degrade(Audio(np.zeros(count, np.float32)), how).samples) == count
