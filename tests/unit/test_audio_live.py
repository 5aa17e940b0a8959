"""Sound that is decoded while it comes in, and where utterances begin and end in it."""

from __future__ import annotations

import threading
import time
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest

from speechsearch import audio
from speechsearch.audio.live import EncodedStream, PcmStream
from speechsearch.audio.utterances import PAUSE_S, Utterances
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import DecodeError, InputError
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio


@cache
def speech(name: str = "s004", most_s: float = 6.0) -> np.ndarray:
    """The beginning of a sample, (n,) float32."""
    sound = audio.load(SAMPLES / "audio" / f"{name}.opus", Limits(), 600.0)
    return sound.samples[: round(most_s * SAMPLE_RATE_HZ)]


def encoded(samples: np.ndarray, kind: str, path: Path) -> bytes:
    """The samples as Opus in a container."""
    file = path / f"sound.{kind}"
    with av.open(str(file), "w", format=kind) as written:
        stream = written.add_stream("libopus", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray((samples * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.rate = SAMPLE_RATE_HZ
        resampler = av.AudioResampler(format="s16", layout="mono", rate=48_000, frame_size=960)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            for packet in stream.encode(part):
                written.mux(packet)
        for packet in stream.encode(None):
            written.mux(packet)
    return file.read_bytes()


def poured(stream: EncodedStream, data: bytes, step: int = 700) -> threading.Thread:
    """A thread that writes all bytes and says that nothing more comes."""

    def write() -> None:
        left = data
        while left:
            left = left[stream.write(left[:step]) :]
            time.sleep(0.001)
        stream.finish()

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize(("rate_hz", "channels"), [(16_000, 1), (48_000, 2), (8_000, 1)])
def test_samples_are_the_same_however_they_are_cut(rate_hz: int, channels: int) -> None:
    tone = np.sin(np.arange(rate_hz) * 2 * np.pi * 440 / rate_hz) * 0.5
    data = np.repeat((tone * 32767).astype("<i2"), channels).tobytes()
    found = []
    for step in (len(data), 333):
        stream = PcmStream(rate_hz, channels)
        parts = [stream.decode(data[start : start + step]) for start in range(0, len(data), step)]
        found.append(np.concatenate([*parts, stream.rest()]))
    assert len(found[0]) == SAMPLE_RATE_HZ and found[0].dtype == np.float32
    assert np.allclose(found[0], found[1], atol=1e-3) and 0.3 < np.sqrt(np.mean(found[0] ** 2)) < 0.4


@pytest.mark.parametrize(("rate_hz", "channels"), [(100, 1), (1_000_000, 1), (16_000, 0), (16_000, 9)])
def test_rates_that_nobody_records_at_are_refused(rate_hz: int, channels: int) -> None:
    with pytest.raises(InputError, match="is not taken"):
        PcmStream(rate_hz, channels)


@pytest.mark.parametrize("kind", ["webm", "ogg"])
def test_opus_is_decoded_as_it_comes_in(kind: str, tmp_path: Path) -> None:
    stream = EncodedStream(kind, 60.0)
    try:
        thread = poured(stream, encoded(speech(), kind, tmp_path))
        parts = list(stream.samples())
        thread.join(10)
    finally:
        stream.close()
    heard = np.concatenate(parts)
    assert len(parts) > 5, "not all at once"
    assert abs(len(heard) - len(speech())) < 0.1 * SAMPLE_RATE_HZ
    spectra = [np.fft.rfft(one, 2 * len(heard)) for one in (heard, speech())]
    alike = np.fft.irfft(spectra[0] * spectra[1].conj()) / np.linalg.norm(heard) / np.linalg.norm(speech())
    assert alike.max() > 0.9, "the same sound, a little later"


@pytest.mark.parametrize("kind", ["webm", "ogg"])
@pytest.mark.parametrize("data", [b"RIFF" * 500, b"\x1a\x45\xdf\xa3" + bytes(5000), b"OggS" + bytes(5000), b"x"])
def test_what_is_no_such_stream_is_an_error(kind: str, data: bytes) -> None:
    stream = EncodedStream(kind, 60.0)
    try:
        poured(stream, data)
        with pytest.raises(DecodeError, match="The stream"):
            list(stream.samples())
    finally:
        stream.close()


def test_a_stream_that_is_closed_early_keeps_nobody_waiting(tmp_path: Path) -> None:
    stream = EncodedStream("webm", 60.0)
    stream.close()
    with pytest.raises((DecodeError, OSError), match=r"stream|No such file"):
        list(stream.samples())
    assert stream.write(b"x") == 0


def test_edges_are_those_of_the_speech_however_it_is_cut() -> None:
    quiet = np.zeros(SAMPLE_RATE_HZ * 2, np.float32)
    sound = np.concatenate([quiet, speech()[: 3 * SAMPLE_RATE_HZ], quiet])
    found = []
    for step in (len(sound), 1000):
        utterances = Utterances()
        found.append([edge for start in range(0, len(sound), step) for edge in utterances.hear(sound[start:][:step])])
    assert found[0] == found[1]
    assert found[0][0].kind == "began" and found[0][-1].kind == "ended"
    spans = list(audio.speech_spans([Audio(sound)]))
    assert found[0][0].at_s == spans[0].start_s and found[0][-1].at_s == spans[-1].end_s
    assert len(sound) / SAMPLE_RATE_HZ - found[0][-1].at_s > PAUSE_S


def test_a_click_is_no_utterance() -> None:
    assert Utterances().judge(np.repeat(np.float32([0, 1, 0]), (10, 4, 60))) == []
