"""Make one recording sound like many: speed, rooms, channels, noise, codecs (waveform) and masks (log-mel).

Source: Ko et al., 2015 (speed perturbation); Park et al., 2019, SpecAugment (arXiv 1904.08779).
"""

from __future__ import annotations

import io

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from torch import Tensor

SAMPLE_RATE_HZ = 16_000
Samples = NDArray[np.float32]


def change_speed(samples: Samples, factor: float) -> Samples:
    """Return the samples played ``factor`` times faster (pitch and formants move along)."""
    positions = np.arange(0, len(samples) - 1, factor)
    result: Samples = np.interp(positions, np.arange(len(samples)), samples).astype(np.float32)
    return result


def coloured_noise(samples: int, exponent: float, rng: np.random.Generator) -> Samples:
    """Return noise of unit level whose power falls with frequency**-exponent (0 white, 1 pink, 2 brown)."""
    size = next_fast_len(samples, real=True)
    spectrum = rfft(rng.standard_normal(size, dtype=np.float32))
    spectrum *= np.maximum(np.arange(len(spectrum), dtype=np.float32), 1.0) ** np.float32(-exponent / 2)
    noise = irfft(spectrum, size)[:samples]
    result: Samples = noise / (noise.std() + 1e-9)
    return result


def room(rng: np.random.Generator) -> Samples:
    """Return a synthetic impulse response: the direct sound and an exponentially decaying tail (0.1-0.7 s)."""
    decay_s = rng.uniform(0.1, 0.7)
    times = np.arange(int(decay_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    tail = rng.standard_normal(len(times)) * np.exp(-6.9 * times / decay_s)
    tail[: int(rng.uniform(0.001, 0.02) * SAMPLE_RATE_HZ)] = 0
    tail *= rng.uniform(0.1, 0.9) / (np.sqrt(np.square(tail).sum()) + 1e-9)
    tail[0] = 1.0
    return tail.astype(np.float32)


def convolve(samples: Samples, response: Samples) -> Samples:
    """Return the samples heard through an impulse response, cut to the same length."""
    size = next_fast_len(len(samples) + len(response) - 1, real=True)
    heard = irfft(rfft(samples, size) * rfft(response, size), size)
    result: Samples = heard[: len(samples)].astype(np.float32)
    return result


def channel(samples: Samples, rng: np.random.Generator) -> Samples:
    """Return the samples through a random smooth equaliser, one time in four also through a telephone band."""
    size = next_fast_len(len(samples), real=True)
    spectrum = rfft(samples, size)
    frequencies_hz = np.linspace(0, SAMPLE_RATE_HZ / 2, len(spectrum))
    gains_db = np.interp(frequencies_hz, np.linspace(0, 8000, 9), rng.uniform(-9, 9, 9))
    if rng.random() < 0.25:
        gains_db = gains_db - 40.0 * ((frequencies_hz < 300) | (frequencies_hz > rng.uniform(3200, 4000)))
    result: Samples = irfft(spectrum * (10 ** (gains_db / 20)).astype(np.float32), size)[: len(samples)]
    return result


def through_codec(samples: Samples, rng: np.random.Generator) -> Samples:
    """Return the samples after MP3 at a random low bit rate."""
    buffer = io.BytesIO()
    soundfile.write(
        buffer,
        samples.clip(-1, 1),
        SAMPLE_RATE_HZ,
        format="MP3",
        subtype="MPEG_LAYER_III",
        compression_level=float(rng.uniform(0.6, 0.99)),
        bitrate_mode="CONSTANT",
    )
    buffer.seek(0)
    decoded, _ = soundfile.read(buffer, dtype="float32")
    result: Samples = decoded[: len(samples)]
    return result


class Augmenter:
    """Draws a random distortion for every utterance; noise comes from recordings given, other speech and colours."""

    def __init__(self, noises: list[Samples], rooms: list[Samples], rng: np.random.Generator) -> None:
        self.noises, self.rooms, self.rng = noises, rooms, rng

    def noise(self, length: int, babble: list[Samples]) -> Samples:
        """Return noise of unit level, (length,) float32."""
        rng, kind = self.rng, self.rng.random()
        if kind < 0.4:
            return coloured_noise(length, rng.uniform(0, 2), rng)
        if kind < 0.7 and babble:
            voices = [np.resize(babble[index], length) for index in rng.integers(len(babble), size=rng.integers(1, 6))]
            noise = np.sum(voices, axis=0)
        elif self.noises:
            piece = self.noises[rng.integers(len(self.noises))]
            noise = np.resize(np.roll(piece, rng.integers(len(piece))), length)
        else:
            return coloured_noise(length, 1.0, rng)
        result: Samples = (noise / (noise.std() + 1e-9)).astype(np.float32)
        return result

    def __call__(self, samples: Samples, babble: list[Samples]) -> Samples:
        """Return a distorted copy, about as long; ``babble`` is other speech of the batch."""
        rng = self.rng
        if rng.random() < 0.6:
            samples = change_speed(samples, rng.uniform(0.8, 1.25))
        if rng.random() < 0.06:
            samples = through_codec(samples, rng)
        if rng.random() < 0.3:
            samples = channel(samples, rng)
        if rng.random() < 0.3:
            is_real = bool(self.rooms) and rng.random() < 0.3
            samples = convolve(samples, self.rooms[rng.integers(len(self.rooms))] if is_real else room(rng))
        if rng.random() < 0.5:
            level = samples.std() + 1e-6
            ratio_db = rng.uniform(0, 35)
            samples = samples + level * 10 ** (-ratio_db / 20) * self.noise(len(samples), babble)
        return samples.astype(np.float32)


def mask_spectrum(frames: Tensor, generator: torch.Generator) -> Tensor:
    """Return frames (batch, time, mel) with two bands of up to 12 bins and some stretches of up to 0.25 s at zero."""
    batch, time, bins = frames.shape

    def spans(length: int, widest: int, count: int) -> Tensor:
        start = torch.randint(0, max(1, length - widest), (batch, count, 1), generator=generator)
        width = torch.randint(0, widest, (batch, count, 1), generator=generator)
        axis = torch.arange(length)[None, None]
        return ((axis >= start) & (axis < start + width)).any(1)

    is_masked = spans(time, 25, max(1, time // 250))[:, :, None] | spans(bins, 12, 2)[:, None, :]
    return frames.masked_fill(is_masked, 0.0)
