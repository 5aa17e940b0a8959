"""Clips are equally loud, and browsers get only what they play."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from speechsearch import audio
from speechsearch.audio.playback import PEAK_DBFS, SPEECH_DBFS, levelled, media_type, speech_dbfs
from speechsearch.domain.assets import ASSETS
from speechsearch.domain.errors import DecodeError
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import Audio

SAMPLES = ASSETS / "samples" / "audio"
VOICES = ("s004", "s015", "s027", "s031", "s051", "s060")
GAINS_DB = (0.0, -6.0, -12.0, -18.0, 3.0, -9.0)


def dbfs(value: float) -> float:
    return 20 * np.log10(value)


def test_clips_of_several_voices_come_out_equally_loud() -> None:
    loud = [audio.load(SAMPLES / f"{name}.opus", Limits(), 120.0).samples for name in VOICES]
    before = [
        np.clip(samples * np.float32(10 ** (gain_db / 20)), -1, 1)
        for samples, gain_db in zip(loud, GAINS_DB, strict=True)
    ]
    after = [levelled(samples) for samples in before]
    spread_db = [np.ptp([speech_dbfs(samples) for samples in clips]) for clips in (before, after)]
    assert spread_db[0] > 18.0
    assert spread_db[1] < 0.1
    assert max(np.abs(samples).max() for samples in after) <= 10 ** (PEAK_DBFS / 20) + 1e-6
    assert speech_dbfs(after[0]) == pytest.approx(SPEECH_DBFS, abs=0.05)


def test_pauses_do_not_make_a_clip_louder() -> None:
    speech = audio.load(SAMPLES / "s015.opus", Limits(), 120.0).samples
    paused = np.concatenate([speech, np.zeros(3 * len(speech), np.float32)])
    assert speech_dbfs(paused) == pytest.approx(speech_dbfs(speech), abs=0.5)


def test_gain_is_limited() -> None:
    tone = np.sin(np.arange(16_000) * 0.3).astype(np.float32)
    assert speech_dbfs(levelled(tone * 1e-3)) == pytest.approx(speech_dbfs(tone * 1e-3) + 20.0, abs=0.01)
    click = (0.001 * tone).copy()
    click[8_000] = 0.9
    assert dbfs(float(np.abs(levelled(click)).max())) <= PEAK_DBFS + 1e-4


@pytest.mark.parametrize("samples", [[], [0.0] * 100, [0.5], [0.1] * 801])
def test_odd_lengths(samples: list[float]) -> None:
    found = levelled(np.float32(samples))
    assert found.shape == (len(samples),)
    assert np.isfinite(found).all()


def coded(path: Path, container: str, codec: str, rate_hz: int = 48_000) -> Path:
    """Write a second of a tone with ffmpeg."""
    tone = (0.3 * np.sin(np.arange(rate_hz) * 0.05)).astype(np.float32)[None, :]
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate_hz, layout="mono")
        resampler = av.AudioResampler(format=stream.codec_context.format or "fltp", layout="mono", rate=rate_hz)
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        frame.sample_rate = rate_hz
        parts = [*resampler.resample(frame), *resampler.resample(None)]
        for packet in [packet for part in [*parts, None] for packet in stream.encode(part)]:
            file.mux(packet)
    return path


@pytest.mark.parametrize(
    ("format", "subtype", "expected"),
    [
        ("WAV", "PCM_16", "audio/wav"),
        ("WAV", "PCM_24", "audio/wav"),
        ("WAV", "FLOAT", "audio/wav"),
        ("WAV", "MS_ADPCM", ""),
        ("RF64", "PCM_16", ""),
        ("FLAC", "PCM_16", "audio/flac"),
        ("MP3", "MPEG_LAYER_III", ""),  # of varying bit rate: a browser jumps to a guess
        ("OGG", "VORBIS", "audio/ogg"),
        ("AIFF", "PCM_16", ""),
        ("CAF", "PCM_16", ""),
    ],
)
def test_media_type_by_content(tmp_path: Path, format: str, subtype: str, expected: str) -> None:
    path = tmp_path / "sound.html"  # the name says nothing
    soundfile.write(path, 0.3 * np.sin(np.arange(16_000) * 0.1), 16_000, format=format, subtype=subtype)
    assert media_type(path, 1.0) == expected


@pytest.mark.parametrize(
    ("container", "codec", "expected"),
    [
        ("mp4", "aac", "audio/mp4"),
        ("mp4", "alac", ""),
        ("webm", "libopus", "audio/webm"),
        ("ogg", "libopus", "audio/ogg"),
        ("adts", "aac", ""),
    ],
)
def test_media_type_of_what_ffmpeg_reads(tmp_path: Path, container: str, codec: str, expected: str) -> None:
    assert media_type(coded(tmp_path / "sound", container, codec), 1.0) == expected


def test_what_is_not_sound_has_no_media_type(tmp_path: Path) -> None:
    page = tmp_path / "page.wav"
    page.write_text("<html><script>alert(1)</script></html>")
    with pytest.raises(DecodeError, match="not sound"):
        media_type(page, 1.0)


def test_flac_copy_is_the_same_sound(tmp_path: Path) -> None:
    blocks = [Audio(np.random.default_rng(seed).uniform(-0.9, 0.9, 5_000).astype(np.float32)) for seed in (1, 2)]
    audio.write_flac(tmp_path / "copy.flac.unfinished", iter(blocks))
    samples, rate_hz = soundfile.read(tmp_path / "copy.flac.unfinished", dtype="float32")
    assert rate_hz == 16_000
    np.testing.assert_allclose(samples, np.concatenate([block.samples for block in blocks]), atol=1 / 32_000)
