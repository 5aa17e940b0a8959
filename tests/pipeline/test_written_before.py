"""Transcripts that ship with the samples take the recogniser's place where they fit, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speechsearch.domain.assets import SAMPLES
from speechsearch.library import second_pass
from speechsearch.library.written_before import FILE, written_before
from speechsearch.service.open import new_loader
from speechsearch.service.settings import EngineSettings, Settings
from tests.tiny.fakes import FakeLoader, FakeRecognizer, open_fakes, take_in

SAMPLE = SAMPLES / "audio" / "s004.opus"


def shipped(path: Path, *rows: tuple[str, str, str]) -> Path:
    """A file with one transcript a row: fingerprint, passage id, text."""
    lines = [
        {"fingerprint": fingerprint, "recognizer": "first", "passage_id": one, "text": text, "words": [["x", 0, 0.5]]}
        for fingerprint, one, text in rows
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_only_the_passages_that_do_not_ship_are_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = FakeLoader()
    fingerprint = models.recognizers[0].fingerprint
    with open_fakes(tmp_path / "data", models) as service:
        take_in(service, SAMPLE)
        (recording,) = service.browse.recordings()
        first, second, *others = service.store.passages.of(recording.recording_id)
        file = shipped(
            tmp_path / "transcripts.jsonl",
            (fingerprint, first.passage_id, "ships"),
            ("older-1", second.passage_id, "no"),
        )
        monkeypatch.setattr(second_pass, "written_before", lambda maker: written_before(maker, file))
        models.counted()
        assert list(service.manage.catch_up()) == []
        assert models.counted()["first"] == 1 + len(others)
        texts = service.store.transcripts.of(recording.recording_id, "first", fingerprint)
        assert texts[first.passage_id].text == "ships" and texts[second.passage_id].text.startswith("w")
        assert list(service.manage.catch_up()) == [] and "first" not in models.counted()


def test_another_recogniser_gets_nothing(tmp_path: Path) -> None:
    file = shipped(tmp_path / "transcripts.jsonl", (FakeRecognizer().fingerprint, "a", "x"))
    assert written_before("other-1", file) == {} and written_before("any", tmp_path / "absent.jsonl") == {}


def test_what_ships_is_of_the_default_recogniser_and_of_every_sample() -> None:
    usual = EngineSettings(recognizer=EngineSettings.model_fields["recognizer"].default)
    (name,) = usual.recognizers
    found = written_before(new_loader(Settings()).recognizer(name).fingerprint)
    assert len(found) >= len(list((SAMPLES / "audio").iterdir()))
    assert all(one.text and one.recognizer == name and one.words for one in found.values())
    assert FILE.stat().st_size < 2_000_000
