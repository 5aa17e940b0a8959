"""Silero without torch gives what Silero with torch gives, and passages stream."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechsearch.audio import load, passages, read_span, speech_spans, stream
from speechsearch.audio.voice_activity import spans_of, speech_probabilities
from speechsearch.domain.assets import ASSETS
from speechsearch.domain.errors import SilentError, TooLongError
from speechsearch.domain.limits import Limits, Segmentation
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, Span

LIMITS = Limits()
PAUSES = Segmentation()
WHOLE = Segmentation(method="none")
SAMPLES = sorted((ASSETS / "samples" / "audio").glob("*.opus"))
needs_samples = pytest.mark.skipif(not SAMPLES, reason="the sample collection is not here")


def blocks_of(sound: np.ndarray, size: int) -> list[Audio]:
    return [Audio(sound[start : start + size]) for start in range(0, len(sound), size)]


@pytest.fixture(scope="module")
def talk() -> np.ndarray:
    """Return about a minute of speech with four seconds of silence in the middle."""
    first, second = (load(path, LIMITS, 120.0).samples for path in SAMPLES[:2])
    return np.concatenate([first, np.zeros(4 * SAMPLE_RATE_HZ, np.float32), second])


@needs_samples
def test_spans_are_those_of_the_original_package(talk: np.ndarray, one_thread: None) -> None:
    import torch
    from silero_vad import get_speech_timestamps, load_silero_vad

    theirs = get_speech_timestamps(torch.from_numpy(talk), load_silero_vad(onnx=True), speech_pad_ms=0)
    ours = list(speech_spans(blocks_of(talk, 30 * SAMPLE_RATE_HZ)))
    assert len(ours) > 5
    assert [round(span.start_s * SAMPLE_RATE_HZ) for span in ours] == [span["start"] for span in theirs]
    ends = [min(round(span.end_s * SAMPLE_RATE_HZ), len(talk)) for span in ours]
    assert ends == [span["end"] for span in theirs]


@needs_samples
@pytest.mark.parametrize("size", [1000, 16_000, 10**7])
def test_blocks_do_not_change_the_probabilities(talk: np.ndarray, size: int) -> None:
    talk = talk[: 20 * SAMPLE_RATE_HZ + 17]
    parts = list(speech_probabilities(blocks_of(talk, size)))
    assert np.concatenate(parts) == pytest.approx(np.concatenate(list(speech_probabilities([Audio(talk)]))), abs=1e-5)
    assert sum(map(len, parts)) == -(-len(talk) // 512)


def test_endless_speech_is_cut_at_its_weakest_moment() -> None:
    values = np.full(3000, 0.9, np.float32)
    values[250] = 0.6
    spans = list(spans_of([values], longest_s=10.0))
    assert spans[0] == Span(0.0, 250 * 0.032)
    assert all(span.duration_s <= 10.0 for span in spans)
    assert [left.end_s for left in spans[:-1]] == [right.start_s for right in spans[1:]]
    assert spans[-1].end_s == pytest.approx(3000 * 0.032)


def test_noise_and_silence_are_no_speech() -> None:
    noise = np.random.default_rng(3).normal(0, 0.02, 10 * SAMPLE_RATE_HZ).astype(np.float32)
    assert list(speech_spans([Audio(noise)])) == []
    assert list(speech_spans([Audio(np.zeros(10 * SAMPLE_RATE_HZ, np.float32))])) == []
    assert list(speech_spans([])) == []


@pytest.mark.parametrize("segmentation", [PAUSES, WHOLE], ids=["pauses", "none"])
def test_a_silent_file_is_refused(tmp_path: Path, segmentation: Segmentation) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(5 * 44_100, np.float32), 44_100)
    with pytest.raises(SilentError, match=r"silent\.wav"):
        list(passages(tmp_path / "silent.wav", segmentation, LIMITS))


@needs_samples
def test_a_file_uncut_is_one_passage(tmp_path: Path) -> None:
    ((span, audio),) = passages(SAMPLES[0], WHOLE, LIMITS)
    assert span == Span(0.0, audio.duration_s)
    with pytest.raises(TooLongError, match="longer than 5 seconds"):
        list(passages(SAMPLES[0], Segmentation(method="none", longest_whole_s=5.0), LIMITS))


@needs_samples
def test_passages_hold_the_sound_of_their_span(tmp_path: Path, talk: np.ndarray) -> None:
    path = tmp_path / "talk.flac"
    soundfile.write(path, np.tile(talk, 3), SAMPLE_RATE_HZ)
    found = list(passages(path, PAUSES, LIMITS))
    samples = load(path, LIMITS, 1000.0).samples
    assert len(found) > 5
    for span, audio in found:
        expected = samples[round(span.start_s * SAMPLE_RATE_HZ) : round(span.end_s * SAMPLE_RATE_HZ)]
        assert np.array_equal(audio.samples, expected)
        assert len(read_span(path, span).samples) == len(expected)
        assert audio.duration_s <= PAUSES.longest_s
    speech = list(speech_spans(stream(path, LIMITS), PAUSES.longest_s))
    assert all(any(p.start_s <= s.start_s and s.end_s <= p.end_s + 0.04 for p, _ in found) for s in speech)


@needs_samples
def test_a_passage_before_a_long_silence_is_read_again(tmp_path: Path, talk: np.ndarray) -> None:
    path = tmp_path / "gap.flac"
    talk = talk[: 12 * SAMPLE_RATE_HZ]
    soundfile.write(path, np.concatenate([talk, np.zeros(400 * SAMPLE_RATE_HZ, np.float32), talk]), SAMPLE_RATE_HZ)
    samples = load(path, LIMITS, 1000.0).samples
    found = list(passages(path, PAUSES, LIMITS))
    assert found[0][0].end_s < 13 < 400 < found[-1][0].start_s
    for span, audio in found:
        expected = samples[round(span.start_s * SAMPLE_RATE_HZ) : round(span.end_s * SAMPLE_RATE_HZ)]
        assert np.array_equal(audio.samples, expected)


def test_finding_speech_loads_no_torch() -> None:
    code = (
        "import sys, numpy as np; from speechsearch.audio import speech_spans;"
        "from speechsearch.domain.values import Audio;"
        "assert list(speech_spans([Audio(np.zeros(16000, np.float32))])) == []; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@needs_samples
@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_three_hours_stay_under_500_megabytes(tmp_path: Path, talk: np.ndarray, kind: str) -> None:
    path = tmp_path / f"long.{kind}"
    container, subtype = {"wav": ("WAV", "PCM_16"), "flac": ("FLAC", "PCM_16")}[kind]
    with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, 1, subtype, format=container) as file:
        for _ in range(round(3 * 3600 * SAMPLE_RATE_HZ / len(talk))):
            file.write(talk)
    code = (
        "import resource, sys; from pathlib import Path; from speechsearch.audio import passages;"
        "from speechsearch.domain.limits import Limits, Segmentation;"
        "count = sum(1 for _ in passages(Path(sys.argv[1]), Segmentation(), Limits()));"
        "print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True, text=True, timeout=1000)
    count, peak_kilobytes = map(int, done.stdout.split())
    assert count > 300
    assert peak_kilobytes < 500_000
