"""Files to segments: real recognition of a short clip, and the whole chain with a recogniser that counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import CapabilityError, DecodeError, ModelUnavailableError, NotFoundError, TooLongError
from speechsearch.domain.limits import Limits, Segmentation
from speechsearch.domain.progress import Progress
from speechsearch.domain.values import Audio, Transcript
from speechsearch.service.transcription import BATCH_S, Transcriber
from tests.tiny.fakes import SHORT, FakeLoader, FakeRecognizer

RATE_HZ = 16_000


class Asked(FakeRecognizer):
    """Keeps what it was asked, and translates."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[int, str | None, tuple[str, ...]]] = []

    def transcribe(
        self, sounds: Sequence[Audio], language: str | None = None, hotwords: Sequence[str] = ()
    ) -> list[Transcript]:
        """One transcript a sound."""
        self.asked.append((len(sounds), language, tuple(hotwords)))
        return super().transcribe(sounds, language, hotwords)

    def translate(self, sounds: Sequence[Audio], language: str | None = None) -> list[Transcript]:
        """Always the same."""
        return [Transcript("translated", self.name, (), language or "", 0.5) for _ in sounds]


@pytest.fixture(scope="module")
def spoken() -> np.ndarray:
    sound, rate_hz = soundfile.read(SAMPLES / "audio" / "s001.opus", frames=12 * RATE_HZ, dtype="float32")
    assert rate_hz == RATE_HZ
    return sound


def saved(folder: Path, sound: np.ndarray, name: str = "talk.wav") -> Path:
    soundfile.write(folder / name, sound, RATE_HZ)
    return folder / name


def transcriber(recognizer: FakeRecognizer | None = None, **limits: float) -> Transcriber:
    return Transcriber(FakeLoader(recognizers=(recognizer or Asked(),)), SHORT, Limits(**limits))


def test_windows_do_not_overlap_and_words_count_from_the_start(tmp_path: Path, spoken: np.ndarray) -> None:
    asked, told = Asked(), list[Progress]()
    path = saved(tmp_path, spoken)
    found = list(
        transcriber(asked).segments(path, model="first", language="en", hotwords=["Ann"], progress=told.append)
    )
    assert len(found) > 2 and sum(number for number, _, _ in asked.asked) == len(found)
    assert {(language, hotwords) for _, language, hotwords in asked.asked} == {("en", ("Ann",))}
    ends = [0.0, *(one.span.end_s for one in found)]
    assert all(one.span.start_s >= end_s for one, end_s in zip(found, ends, strict=False))
    assert all(one.words[0].start_s == one.span.start_s for one in found)
    assert transcriber().duration_s(path) == pytest.approx(12.0)
    assert [told[0].done, told[-1].done, told[-1].total] == [0.0, pytest.approx(12.0), pytest.approx(12.0)]
    assert told[-1].remaining_s == 0.0 and told[-1].name == "talk.wav"


def test_segments_come_while_the_rest_is_not_written_yet(tmp_path: Path, spoken: np.ndarray) -> None:
    long = saved(tmp_path, np.tile(spoken, 1 + int(2.5 * BATCH_S / 12)))
    asked = Asked()
    coming = transcriber(asked).segments(long, model="first")
    assert asked.passages == 0 and asked.asked == [(0, None, ())]
    next(coming)
    first = asked.passages
    rest = list(coming)
    assert 0 < first < 0.6 * asked.passages and asked.passages == 1 + len(rest)


def test_a_reader_that_goes_away_ends_the_work(tmp_path: Path, spoken: np.ndarray) -> None:
    asked = Asked()
    coming = transcriber(asked).segments(saved(tmp_path, np.tile(spoken, 20)), model="first")
    next(coming)
    before = asked.passages
    coming.close()
    assert asked.passages == before


@pytest.mark.parametrize("sound", [np.zeros(5 * RATE_HZ), np.zeros(80), 0.3 * np.ones(80), np.zeros((RATE_HZ, 2))])
def test_where_nobody_speaks_the_transcript_is_empty(tmp_path: Path, sound: np.ndarray) -> None:
    told = list[Progress]()
    path = saved(tmp_path, sound.astype(np.float32))
    assert list(transcriber().segments(path, model="first", progress=told.append)) == []
    assert told[-1].fraction == 1.0


def test_one_dead_channel_does_not_silence_the_other(tmp_path: Path, spoken: np.ndarray) -> None:
    path = saved(tmp_path, np.stack([np.zeros_like(spoken), spoken], 1))
    assert len(list(transcriber().segments(path, model="first"))) > 2


def test_what_cannot_be_done_is_said_before_anything_is_decoded(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere.wav"
    with pytest.raises(NotFoundError, match="no recognizer 'second'"):
        transcriber().segments(nowhere, model="second")
    with pytest.raises(CapabilityError, match="do not go together"):
        transcriber().segments(nowhere, model="first", hotwords=["Ann"], to_english=True)
    with pytest.raises(DecodeError, match="call it so"):
        list(transcriber().segments(nowhere, model="first", name="call it so"))


def test_what_is_no_sound_or_too_long_is_refused(tmp_path: Path, spoken: np.ndarray) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.mp3").write_text("no sound at all")
    for name in ("empty.wav", "text.mp3"):
        with pytest.raises(DecodeError, match=name):
            list(transcriber().segments(tmp_path / name, model="first"))
    with pytest.raises(TooLongError, match="longer than 10 seconds"):
        list(transcriber(duration_s=10).segments(saved(tmp_path, spoken), model="first"))


def test_translation_is_asked_of_a_translator(tmp_path: Path, spoken: np.ndarray) -> None:
    found = list(transcriber().segments(saved(tmp_path, spoken), model="first", language="de", to_english=True))
    assert {(one.text, one.language, one.confidence) for one in found} == {("translated", "de", 0.5)}


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA failed with error out of memory")])
def test_too_little_memory_is_said(tmp_path: Path, spoken: np.ndarray, error: Exception) -> None:
    class Large(FakeRecognizer):
        def transcribe(self, sounds: Sequence[Audio], *rest: object) -> list[Transcript]:
            if sounds:
                raise error
            return []

    with pytest.raises(ModelUnavailableError, match="too little memory for the recognizer 'first'"):
        list(transcriber(Large()).segments(saved(tmp_path, spoken), model="first"))


def test_whisper_writes_down_a_clip(loader, tmp_path: Path, spoken: np.ndarray) -> None:
    real = Transcriber(loader, Segmentation(method="none"), Limits())
    found = list(real.segments(saved(tmp_path, spoken[: 8 * RATE_HZ]), model="whisper-tiny.en"))
    text = " ".join(one.text for one in found)
    assert len(text.split()) > 10 and all(one.words for one in found)
    with pytest.raises(CapabilityError, match="does not know the language 'de'"):
        real.segments(tmp_path, model="whisper-tiny.en", language="de")
