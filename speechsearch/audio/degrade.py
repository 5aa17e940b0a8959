"""Make sound worse by a stated amount: speed, a room, noise, a telephone's band, MP3, Opus.

Pure; the same call gives the same sound.

The training's own distortions (``training/augment.py``) are drawn at random and change frames too; these are the ones
that a person sets with a slider and a benchmark steps through.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import soundfile
from numpy.typing import NDArray

from speechsearch.audio.resample import resample
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio

Samples = NDArray[np.float32]
NoiseKind = Literal["none", "white", "pink", "babble"]

TELEPHONE_HZ = (300.0, 3400.0)
MP3_DELAY_SAMPLES = 1105
"""What LAME puts before the sound; below 64 kbit/s the file has no room to say so, and the decoder keeps it."""
MP3_KBPS = (8.0, 160.0)
"""The bit rates that MP3 has at 16 kHz."""
DIRECT_TO_ROOM_DB = 0.0
"""How far the direct sound lies above all that the room sends back, at 1 to 2 m from the speaker in a usual room."""


@dataclass(frozen=True, slots=True)
class Degradation:
    """How sound is made worse; the defaults leave it as it is.

    ``mp3_kbps`` and ``opus_kbps`` 0: no such codec; ``speed`` 1.25: 5 s become 4; ``reverberation_s``: the time in
    which the room's sound falls by 60 dB, 0 for no room.
    """

    noise: NoiseKind = "none"
    noise_ratio_db: float = 20.0
    is_telephone: bool = False
    mp3_kbps: int = 0
    speed: float = 1.0
    reverberation_s: float = 0.0
    opus_kbps: int = 0


def degrade(sound: Audio, how: Degradation, voices: Sequence[Audio] = (), seed: int = 1) -> Audio:
    """Return the sound as it would arrive: said faster, in a room, in noise, by telephone, through MP3 and Opus.

    ``voices``: other speech, which babble is made of.
    """
    if not len(sound.samples):
        return sound
    samples = reverberate(change_speed(sound.samples, how.speed), how.reverberation_s, seed)
    if how.noise == "babble":
        samples = add_noise(samples, babble([voice.samples for voice in voices], len(samples)), how.noise_ratio_db)
    elif how.noise != "none":
        exponent = 1.0 if how.noise == "pink" else 0.0
        samples = add_noise(samples, coloured_noise(len(samples), exponent, seed), how.noise_ratio_db)
    if how.is_telephone:
        samples = telephone_band(samples)
    if how.mp3_kbps:
        samples = through_mp3(samples, how.mp3_kbps)
    if how.opus_kbps:
        samples = through_opus(samples, how.opus_kbps)
    return Audio(samples)


def change_speed(samples: Samples, factor: float) -> Samples:
    """Return the samples played ``factor`` times as fast; the pitch moves along, as on a tape.

    >>> len(change_speed(np.zeros(16_000, np.float32), 1.25))
    12800
    """
    if factor == 1.0:
        return samples
    return np.concatenate(list(resample([samples[:, None]], round(SAMPLE_RATE_HZ * factor))))


def room_response(reverberation_s: float, seed: int) -> Samples:
    """Return a room's answer to a click: the click, then noise that falls by 60 dB in ``reverberation_s``.

    A synthetic room (Polack's model) without single early echoes; (samples,) float32 that starts with the click.

    >>> response = room_response(0.5, seed=1)
    >>> len(response), float(response[0])
    (8000, 1.0)
    """
    times_s = np.arange(1, max(2, round(reverberation_s * SAMPLE_RATE_HZ))) / SAMPLE_RATE_HZ
    noise = np.random.default_rng(seed).standard_normal(len(times_s))
    tail = noise * 10 ** (-3 * times_s / reverberation_s)
    tail *= 10 ** (-DIRECT_TO_ROOM_DB / 20) / np.sum(np.square(tail)) ** 0.5
    return np.concatenate([[1.0], tail]).astype(np.float32)


def reverberate(samples: Samples, reverberation_s: float, seed: int = 1) -> Samples:
    """Return the samples as heard in a room: as long, as loud, and where the direct sound was."""
    if reverberation_s <= 0.0 or not power(samples):
        return samples
    from scipy.signal import oaconvolve

    heard = oaconvolve(samples, room_response(reverberation_s, seed))[: len(samples)]
    heard *= (power(samples) / power(heard)) ** 0.5
    result: Samples = np.clip(heard, -1.0, 1.0).astype(np.float32)
    return result


def power(samples: Samples) -> float:
    """Return the mean square.

    >>> power(np.array([1.0, -1.0], np.float32))
    1.0
    """
    return float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0


def add_noise(samples: Samples, noise: Samples, ratio_db: float) -> Samples:
    """Return the samples with noise that lies ``ratio_db`` below them; all of it quieter where it would clip."""
    noise_power = power(noise)
    if not noise_power:
        return samples
    gain = (power(samples) / noise_power) ** 0.5 * 10 ** (-ratio_db / 20)
    mixed = samples + np.float32(gain) * noise
    return (mixed / max(1.0, float(np.abs(mixed).max(initial=0.0)))).astype(np.float32)


def coloured_noise(count: int, exponent: float, seed: int) -> Samples:
    """Return ``count`` samples of noise whose power falls with frequency**-exponent: 0 white, 1 pink."""
    from scipy.fft import irfft, next_fast_len, rfft

    size = next_fast_len(max(2, count), real=True)
    spectrum = rfft(np.random.default_rng(seed).standard_normal(size))
    spectrum *= np.maximum(np.arange(len(spectrum)), 1.0) ** (-exponent / 2)
    result: Samples = irfft(spectrum, size)[:count].astype(np.float32)
    return result


def babble(voices: Sequence[Samples], count: int) -> Samples:
    """Return ``count`` samples of people talking at once, each as loud as the others; silence without any.

    >>> babble([np.array([0.5, -0.5], np.float32)], 3).tolist()
    [1.0, -1.0, 1.0]
    """
    heard = [np.resize(voice, count) / power(voice) ** 0.5 for voice in voices if power(voice)]
    return np.sum(heard, axis=0).astype(np.float32) if heard else np.zeros(count, np.float32)


def telephone_band(samples: Samples) -> Samples:
    """Return the samples with only what an old telephone line lets through, 300 to 3400 Hz."""
    from scipy.signal import butter, sosfiltfilt

    band = butter(6, TELEPHONE_HZ, "bandpass", fs=SAMPLE_RATE_HZ, output="sos")
    padding = min(len(samples) - 1, 1_000)
    return np.clip(sosfiltfilt(band, samples, padlen=padding), -1.0, 1.0).astype(np.float32) if padding > 0 else samples


def through_mp3(samples: Samples, kbps: int) -> Samples:
    """Return the samples after MP3 at a constant bit rate of 8 to 160 kbit/s, as long as before."""
    low, high = MP3_KBPS
    file = io.BytesIO()
    soundfile.write(
        file,
        np.clip(samples, -1.0, 1.0),
        SAMPLE_RATE_HZ,
        format="MP3",
        subtype="MPEG_LAYER_III",
        compression_level=(high - kbps) / (high - low),
        bitrate_mode="CONSTANT",
    )
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    delay = MP3_DELAY_SAMPLES if len(decoded) >= len(samples) + MP3_DELAY_SAMPLES else 0
    whole = decoded[delay : delay + len(samples)]
    result: Samples = np.clip(np.pad(whole, (0, len(samples) - len(whole))), -1.0, 1.0).astype(np.float32)
    return result


def through_opus(samples: Samples, kbps: int) -> Samples:
    """Return the samples after Opus for speech at a constant bit rate of 6 to 256 kbit/s, as long as before."""
    import av

    file = io.BytesIO(opus_file(samples, kbps))
    with av.open(file, "r") as container:
        frames = list(container.decode(audio=0))
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
    parts = [part.to_ndarray()[0] for frame in [*frames, None] for part in resampler.resample(frame)]
    whole = np.concatenate(parts)[: len(samples)]
    result: Samples = np.clip(np.pad(whole, (0, len(samples) - len(whole))), -1.0, 1.0).astype(np.float32)
    return result


def opus_file(samples: Samples, kbps: int) -> bytes:
    """Return the samples as an Ogg Opus file at a constant bit rate."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=SAMPLE_RATE_HZ, layout="mono")
        stream.bit_rate = 1000 * kbps
        stream.codec_context.options = {"vbr": "off", "application": "voip"}
        whole = (np.clip(samples, -1.0, 1.0) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(whole[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return file.getvalue()
