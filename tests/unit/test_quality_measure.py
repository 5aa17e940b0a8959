"""Cells with models that count: which recogniser hears what, under which keys, and what is kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.quality.measure import Measurer, Models
from benchmarks.quality.recognizers import HEARS
from benchmarks.quality.sets import CONDITIONS, QualitySet, read_set
from benchmarks.quality.speeds import speeds
from benchmarks.quality.transcripts import KeptTranscripts
from speechsearch.domain.values import Audio
from tests.tiny.fakes import FakeLoader, FakeRecognizer, FakeSpeechEncoder

CLEAN, NOISY, BABBLE = (
    next(condition for condition in CONDITIONS if condition.name == name) for name in ("clean", "white-0", "babble-10")
)
SOUND = ["adapter", "phonetic", "hybrid"]


@pytest.fixture
def one(tmp_path: Path) -> QualitySet:
    """A set of three passages of noise, a word each, one of which is asked for by voice too."""
    folder = tmp_path / "tiny"
    (folder / "qrels").mkdir(parents=True)
    random = np.random.default_rng(1)
    for name in ("a", "b", "c"):
        soundfile.write(folder / f"{name}.wav", random.uniform(-0.1, 0.1, 1600).astype(np.float32), 16_000)
    corpus = [{"_id": name, "audio": f"{name}.wav", "text": name} for name in "abc"]
    asked = [{"_id": f"q{name}", "text": name} for name in "abc"]
    spoken = [{"_id": "qa", "text": "a", "audio": "a.wav"}]
    for name, rows in (("corpus", corpus), ("queries", asked), ("queries-spoken", spoken)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    judged = "".join(f"q{name}\t{name}\t1\n" for name in "abc")
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}", encoding="utf-8")
    return read_set(folder, 9)


def loader(*without: str) -> FakeLoader:
    recognizers = (FakeRecognizer(name) for name in HEARS if name not in without)
    return FakeLoader(FakeSpeechEncoder(channels=("adapter", "phonetic")), recognizers=tuple(recognizers))


def measurer(folder: Path, fake: FakeLoader) -> Measurer:
    models = Models(fake.speech, fake.text, {one.name: one for one in fake.recognizers})
    return Measurer(folder / "kept", models, is_fresh=False)


def test_keys_are_the_same_whichever_recognisers_hear(one: QualitySet, tmp_path: Path) -> None:
    measuring = measurer(tmp_path, loader())
    clean, babble, noisy = (measuring.cell(one, condition) for condition in (CLEAN, BABBLE, NOISY))
    heard = ["asr", "asr-whisper-tiny.en", "asr-mini", "asr-pocketsphinx", *SOUND, "all"]
    assert list(clean.rankings) == ["text", "text-bm25", "text-hybrid", *heard]
    assert list(clean.spoken) == heard and clean.spoken["asr"] == {"qa": clean.spoken["asr"]["qa"]}
    assert list(babble.rankings) == ["asr", "asr-mini", *SOUND, "all"] and babble.spoken == {}
    assert list(noisy.rankings) == ["asr-mini", *SOUND]
    assert list(clean.word_error_rate) == heard[:4] and list(noisy.word_error_rate) == ["asr-mini"]
    left = measurer(tmp_path / "left", loader("whisper-base", "pocketsphinx")).cell(one, CLEAN)
    assert list(left.word_error_rate) == ["asr-whisper-tiny.en", "asr-mini"] and "all" not in left.rankings


def test_a_cell_is_kept_and_a_transcript_is_made_once(one: QualitySet, tmp_path: Path) -> None:
    fake = loader()
    first = measurer(tmp_path, fake)
    cell = first.cell(one, CLEAN)
    counted = fake.counted()
    assert counted["whisper-base"] == counted["pocketsphinx"] == 3  # the spoken question is a passage's sound
    assert [said.partition(" in ")[0] for said in first.news()] == [f"{name}: 3" for name in HEARS]
    assert first.news() == []
    assert measurer(tmp_path, fake).cell(one, CLEAN) == cell and fake.counted() == {}
    without = measurer(tmp_path, loader("pocketsphinx"))  # other recognisers, another cell, but the same transcripts
    assert "asr-pocketsphinx" not in without.cell(one, CLEAN).rankings and without.news() == []


def test_speed_is_that_of_recognisers_that_keep_nothing(one: QualitySet, tmp_path: Path) -> None:
    fake = loader()
    models = Models(fake.speech, fake.text, {one.name: one for one in fake.recognizers})
    found = speeds(tmp_path, models, one, is_fresh=False)
    assert list(found) == ["asr", "asr-mini", *SOUND, "all"]
    assert found["all"]["index_bytes"] == found["hybrid"]["index_bytes"] + found["asr"]["index_bytes"] > 0
    assert 0 < found["all"]["indexing_real_time_factor"] < found["asr"]["indexing_real_time_factor"]
    assert fake.counted()["whisper-base"] >= 4  # the passages, and one to warm up
    assert speeds(tmp_path, models, one, is_fresh=False) == found and fake.counted() == {}
    without = Models(fake.speech, fake.text, {"mini": fake.recognizer("mini")})
    assert list(speeds(tmp_path, without, one, is_fresh=False)) == ["asr-mini", *SOUND]


def test_a_kept_transcript_is_found_by_sound_recogniser_and_language(tmp_path: Path) -> None:
    sounds = [Audio(np.full(8, level, np.float32)) for level in (0.1, 0.2, 0.1)]
    inner = FakeRecognizer("first")
    kept = KeptTranscripts(inner, tmp_path)
    assert (kept.name, kept.fingerprint) == (inner.name, inner.fingerprint)
    said = kept.transcribe(sounds)
    assert [one.text for one in said] == [one.text for one in inner.transcribe(sounds)] and inner.passages == 2 + 3
    kept.file(sounds[1]).write_text("other words", encoding="utf-8")
    again = KeptTranscripts(FakeRecognizer("first"), tmp_path).transcribe(sounds)
    assert [one.text for one in again] == [said[0].text, "other words", said[2].text]
    newer = KeptTranscripts(FakeRecognizer("first", "2"), tmp_path)
    assert len({kept.file(sounds[0]), kept.file(sounds[0], "en"), newer.file(sounds[0])}) == 3
