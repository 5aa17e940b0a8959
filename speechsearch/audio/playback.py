"""Make sound ready for a browser's player: equally loud clips, formats that it knows."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from speechsearch.audio.readers import open_sound
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio

SPEECH_DBFS = -20.0
PEAK_DBFS = -1.0
MOST_GAIN_DB = 20.0
FRAME_SAMPLES = 800  # 50 ms
GATE_DB = 10.0

_PLAYED = {
    "wav": ("audio/wav", ("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le")),
    "flac": ("audio/flac", ("flac",)),
    "mp3": ("audio/mpeg", ("mp3", "mp3float")),
    "ogg": ("audio/ogg", ("opus", "vorbis")),
    "mov": ("audio/mp4", ("aac", "mp3", "mp3float", "opus", "flac")),
    "matroska": ("audio/webm", ("opus", "vorbis")),
}
"""What browsers play: by container, the media type and the codecs."""


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


def write_flac(target: Path, blocks: Iterable[Audio]) -> None:
    """Write the sound to a FLAC file, block by block: 16 bit, mono, 16 kHz."""
    with soundfile.SoundFile(target, "w", SAMPLE_RATE_HZ, 1, "PCM_16", format="FLAC") as file:
        for block in blocks:
            file.write(block.samples)


def speech_dbfs(samples: NDArray[np.float32]) -> float:
    """Return how loud the speech in (n,) float32 samples is: RMS in dB below full swing, pauses left out.

    Source: EBU R 128 (2020), the relative gate. Differs: no weighting of frequencies, frames of 50 ms without overlap.

    >>> tone = np.sin(np.arange(16_000) * 0.3).astype(np.float32)
    >>> round(speech_dbfs(tone), 1), round(speech_dbfs(np.concatenate([tone, 0 * tone])), 1)
    (-3.0, -3.0)
    >>> speech_dbfs(np.zeros(16_000, np.float32))
    -inf
    """
    if not samples.any():
        return float("-inf")
    frames = samples[: len(samples) - len(samples) % FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    power = np.square(frames if len(frames) else samples[None, :], dtype=np.float64).mean(axis=1)
    return float(10 * np.log10(power[power >= power.mean() * 10 ** (-GATE_DB / 10)].mean()))


def levelled(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the samples with their speech at -20 dBFS, so that clips of all voices are equally loud.

    No peak comes above -1 dBFS, and nothing is raised by more than 20 dB.

    >>> tone = 0.01 * np.sin(np.arange(16_000) * 0.3).astype(np.float32)
    >>> round(speech_dbfs(tone), 1), round(speech_dbfs(levelled(tone)), 1), round(speech_dbfs(levelled(tone / 100)), 1)
    (-43.0, -23.0, -63.0)
    >>> round(speech_dbfs(levelled(tone * 90)), 1), levelled(0 * tone).any()
    (-20.0, np.False_)
    """
    loudness_dbfs = speech_dbfs(samples)
    if loudness_dbfs == float("-inf"):
        return samples
    room_db = PEAK_DBFS - 20 * float(np.log10(np.abs(samples).max()))
    gain_db = min(SPEECH_DBFS - loudness_dbfs, MOST_GAIN_DB, room_db)
    return samples * np.float32(10 ** (gain_db / 20))


def media_type(path: Path, duration_s: float) -> str:
    """Return the media type under which browsers play a file as we do, to the same second; empty if they may not.

    ``duration_s``: how much of it we have decoded. By content, never by name. A player believes the header and jumps by
    it, so all that it says must be true; and it plays one track. Raises DecodeError.
    """
    with open_sound(path) as sound:
        container, track = sound.container, sound.tracks[0]
        kind, codecs = _PLAYED.get(container.format, ("", ()))
        is_plain = container.can_jump and container.is_clean and len(sound.tracks) == 1 and not sound.notes
        is_at_once = not track.base_s and abs(track.start_s) < 0.1  # else players differ in what is second 0
        is_true = abs(sound.stated_s - duration_s) <= max(0.25, 0.005 * duration_s)
        return kind if is_plain and is_at_once and is_true and track.info.format in codecs else ""
