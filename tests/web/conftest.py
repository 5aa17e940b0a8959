"""Sounds that are sent to the doors."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import pytest

from speechsearch.domain.values import SAMPLE_RATE_HZ


def wav(frequency_hz: float, duration_s: float) -> bytes:
    """Return a sine tone as a 16-bit mono WAV file."""
    times_s = np.arange(int(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    samples = (0.3 * np.sin(2 * np.pi * frequency_hz * times_s) * 32767).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(samples.tobytes())
    return buffer.getvalue()


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    """A second of a tone: sound, but no speech."""
    path = tmp_path / "whales_sing_at_night.wav"
    path.write_bytes(wav(440.0, 1.0))
    return path


@pytest.fixture
def long_tone(tmp_path: Path) -> Path:
    """More than a spoken question may last."""
    path = tmp_path / "long.wav"
    path.write_bytes(wav(440.0, 61.0))
    return path
