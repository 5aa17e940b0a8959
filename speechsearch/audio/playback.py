"""Encode sound for a browser's player."""

from __future__ import annotations

import io
import wave

import numpy as np

from speechsearch.datatypes import SAMPLE_RATE_HZ, Audio


def to_wav(audio: Audio) -> bytes:
    """Return the sound as a WAV file: 16 bit, mono, 16 kHz.

    >>> len(to_wav(Audio(np.zeros(16_000, np.float32))))
    32044
    """
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(SAMPLE_RATE_HZ)
        sound.writeframes((np.clip(audio.samples, -1.0, 1.0) * 32767).round().astype("<i2").tobytes())
    return file.getvalue()
