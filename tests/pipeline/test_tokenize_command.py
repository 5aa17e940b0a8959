"""``tokenize``: codes of files, kept by what a file holds and what made them; silence, and what is no sound."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner, Result

from speechsearch.cli import app
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import DecodeError, NotFoundError
from speechsearch.domain.limits import Limits
from speechsearch.domain.progress import Progress
from speechsearch.domain.values import SAMPLE_RATE_HZ
from speechsearch.models.catalog import Catalog
from speechsearch.models.load import ModelLoader
from speechsearch.service import tokens as tokens_module
from speechsearch.service.tokens import Tokens
from tests.tiny import rvq
from tests.tiny.fakes import FakeLoader, open_fakes, take_in

NOISE = np.random.default_rng(8).normal(0, 0.1, 3 * SAMPLE_RATE_HZ).astype(np.float32)


@pytest.fixture
def models(tmp_path: Path) -> ModelLoader:
    card = rvq.save(tmp_path / "models" / rvq.CARD.name)
    return ModelLoader(Catalog([card]), tmp_path / "models", device="cpu", dtype="float32")


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, models: ModelLoader) -> None:
    monkeypatch.setattr("speechsearch.service.open.new_loader", lambda settings: models)
    monkeypatch.setenv("SPEECHSEARCH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SPEECHSEARCH_ENGINES__AUDIO_TOKENIZER", rvq.CARD.name)


def written(path: Path, samples: np.ndarray) -> Path:
    soundfile.write(path, samples, SAMPLE_RATE_HZ)
    return path


def command(*words: object) -> Result:
    return CliRunner().invoke(app, ["tokenize", *map(str, words)])


def test_codes_are_printed_once_computed_and_kept(tmp_path: Path) -> None:
    file = written(tmp_path / "noise.flac", NOISE)
    first, second = (json.loads(command(file).stdout) for _ in range(2))
    assert first["model"] == "tiny-rvq" and first["fingerprint"].startswith("tiny-rvq-")
    assert np.array(first["codes"]).shape == (8, 38) and first["frame_hz"] == 12.5 and first["codebook_size"] == 256
    assert first == second, "the time that it took is kept too"
    (kept,) = (tmp_path / "data" / "tokens").iterdir()
    copy = written(tmp_path / "copy.flac", NOISE)
    assert {**json.loads(command(copy).stdout), "file": "noise.flac"} == first
    assert list((tmp_path / "data" / "tokens").iterdir()) == [kept]


def test_several_files_go_into_a_folder_and_a_bad_one_stops_no_other(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    written(given / "noise.wav", NOISE)
    written(given / "silence.wav", np.zeros(SAMPLE_RATE_HZ, np.float32))
    written(given / "short.wav", NOISE[:3200])
    (given / "broken.wav").write_bytes(b"RIFF not a sound")
    done = command(given, "--output", tmp_path / "out")
    assert done.exit_code == 1 and "broken.wav" in done.output
    frames = {path.stem: len(json.loads(path.read_text())["codes"][0]) for path in (tmp_path / "out").rglob("*.json")
              if not path.name.startswith(".")}  # fmt: skip
    assert frames == {"noise": 38, "silence": 13, "short": 3}


def test_a_tokenizer_that_there_is_not_is_named(tmp_path: Path) -> None:
    done = command(written(tmp_path / "noise.wav", NOISE), "--model", "other")
    assert isinstance(done.exception, NotFoundError) and "tiny-rvq" in done.exception.hint


def test_what_is_kept_and_damaged_is_computed_anew(tmp_path: Path, models: ModelLoader) -> None:
    service = Tokens(models, Limits(), tmp_path / "kept")
    file = written(tmp_path / "noise.wav", NOISE)
    first = service.of(file, "a" * 64, rvq.CARD.name)
    again = service.of(file, "a" * 64, rvq.CARD.name)
    assert not first.was_kept and again.was_kept and again.spent_s == first.spent_s > 0
    np.testing.assert_array_equal(first.tokens.codes, again.tokens.codes)
    (kept,) = (tmp_path / "kept").iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    anew = service.of(file, "a" * 64, rvq.CARD.name)
    assert not anew.was_kept
    np.testing.assert_array_equal(anew.tokens.codes, first.tokens.codes)


def test_a_long_file_is_read_stretch_by_stretch(
    tmp_path: Path, models: ModelLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path / "noise.wav", NOISE)
    (whole,) = models.audio_tokenizer(rvq.CARD.name).tokenize([tokens_module.audio.load(file, Limits(), 60.0)])
    monkeypatch.setattr(tokens_module, "AT_ONCE_S", 0.8)
    told = list[Progress]()
    made = Tokens(models, Limits(), tmp_path / "kept").of(file, "b" * 64, rvq.CARD.name, progress=told.append)
    np.testing.assert_array_equal(made.tokens.codes, whole.codes)
    assert [one.done for one in told] == pytest.approx([0.8, 1.6, 2.4, 3.0])


def test_what_is_no_sound_leaves_nothing(tmp_path: Path, models: ModelLoader) -> None:
    (tmp_path / "broken.mp3").write_bytes(b"\x00" * 2000)
    with pytest.raises(DecodeError, match=r"broken\.mp3"):
        Tokens(models, Limits(), tmp_path / "kept").of(tmp_path / "broken.mp3", "c" * 64, rvq.CARD.name)
    assert not (tmp_path / "kept").exists()


def test_the_codes_of_a_recording_go_with_it(tmp_path: Path) -> None:
    own, other = SAMPLES / "audio" / "s005.opus", written(tmp_path / "noise.flac", NOISE)
    for file in (own, other):
        assert command(file).exit_code == 0
    with open_fakes(tmp_path / "data", FakeLoader()) as service:
        assert take_in(service, own) == ["indexed"]
        recording_id = service.browse.recording_named("s005").recording_id
        kept = {path.name.split("-")[0]: path for path in (tmp_path / "data" / "tokens").iterdir()}
        assert len(kept) == 2 and recording_id in kept
        service.manage.delete_recording(recording_id)
    del kept[recording_id]
    assert [*(tmp_path / "data" / "tokens").iterdir()] == [*kept.values()]
