"""Spoken-SQuAD in its layouts: each becomes the same collection, and is measured by one command."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
import soundfile
from pyarrow import parquet
from typer.testing import CliRunner

from speechsearch import audio
from speechsearch.cli import app
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import InputError, NotFoundError
from speechsearch.domain.limits import Limits
from speechsearch.evaluation.spoken_squad import TEXTS, read_spoken_squad

RATE_HZ = 16_000
SOUND = {"type": "audio"}


def wave(seconds: float, pitch: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.sin(np.arange(int(seconds * RATE_HZ)) * pitch) / 3


def file_of(seconds: float, pitch: float) -> dict[str, Any]:
    file = io.BytesIO()
    soundfile.write(file, wave(seconds, pitch), RATE_HZ, format="WAV")
    return {"bytes": file.getvalue(), "path": "a.wav"}


def table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)


def original(folder: Path) -> None:
    (folder / "dev_wav").mkdir(parents=True)
    (folder / "train_wav").mkdir()
    for name, pitch in (("0_0_0", 0.1), ("0_0_1", 0.2), ("0_1_0", 0.3)):
        soundfile.write(folder / "dev_wav" / f"{name}.wav", wave(1.0, pitch), RATE_HZ)
    soundfile.write(folder / "train_wav" / "0_0_2.wav", wave(1.0, 0.5), RATE_HZ)
    paragraphs = [
        {"context": "one two", "qas": [{"id": "a", "question": "which?"}, {"id": "b", "question": "who?"}]},
        {"context": "three", "qas": [{"id": "c", "question": "when?"}]},
        {"context": "not spoken", "qas": [{"id": "d", "question": "where?"}]},
    ]
    (folder / TEXTS).write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), encoding="utf-8")


def test_the_original_release(tmp_path: Path) -> None:
    original(tmp_path / "squad")
    found = read_spoken_squad(str(tmp_path / "squad"), tmp_path / "work")
    assert [(one.passage_id, one.text) for one in found.passages] == [("0-0", "one two"), ("0-1", "three")]
    assert {one.query_id for one in found.queries} == {"a", "b", "c"}
    assert found.relevance == {"a": {"0-0": 1}, "b": {"0-0": 1}, "c": {"0-1": 1}}
    assert audio.load(found.passages[0].audio, Limits(), 10).duration_s == pytest.approx(2.0)  # of train_wav, nothing


def write_maeb(folder: Path, first_sound: dict[str, Any] | None = None) -> None:
    sounds = [first_sound or file_of(1.0, 0.1), file_of(1.5, 0.2)]
    table(
        folder / "corpus/test-00000-of-00001.parquet", [{"id": f"d{n}", "audio": one} for n, one in enumerate(sounds)]
    )
    table(
        folder / "queries/test-00000-of-00001.parquet", [{"id": "q0", "text": "which?"}, {"id": "q1", "text": "who?"}]
    )
    judged = [{"query-id": "q0", "corpus-id": "d0", "score": 1}, {"query-id": "q1", "corpus-id": "d1", "score": 1},
              {"query-id": "q1", "corpus-id": "d0", "score": 0}]  # fmt: skip
    table(folder / "qrels/test-00000-of-00001.parquet", judged)


def test_the_tables_of_maeb(tmp_path: Path) -> None:
    write_maeb(tmp_path / "maeb")
    found = read_spoken_squad(str(tmp_path / "maeb"), tmp_path / "work")
    assert found.relevance == {"q0": {"d0": 1}, "q1": {"d1": 1}}
    assert audio.load(found.passages[1].audio, Limits(), 10).duration_s == pytest.approx(1.5)
    assert all(one.audio.parent == tmp_path / "work" for one in found.passages)


def test_a_row_a_question(tmp_path: Path) -> None:
    one, other = file_of(1.0, 0.1), file_of(1.0, 0.2)
    rows = [
        {"context": one, "instruction": "which?", "answer": "a"},
        {"context": one, "instruction": "who?", "answer": "b"},
        {"context": other, "instruction": "when?", "answer": "c"},
    ]
    table(tmp_path / "rows" / "data" / "test-0.parquet", rows)
    table(tmp_path / "rows" / "data" / "train-0.parquet", [{"context": one, "instruction": "no", "answer": "d"}])
    found = read_spoken_squad(str(tmp_path / "rows"), tmp_path / "work")
    assert (len(found.passages), len(found.queries)) == (2, 3)
    assert found.relevance["q00000"] == found.relevance["q00001"] != found.relevance["q00002"]
    nested = [{"context": {"text": "said", "audio": one}, "instruction": {"text": "which?", "audio": None}}]
    table(tmp_path / "nested" / "test.parquet", nested)
    assert read_spoken_squad(str(tmp_path / "nested"), tmp_path / "work").queries[0].text == "which?"


def test_what_is_no_layout_is_told(tmp_path: Path) -> None:
    work = tmp_path / "work"
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no parquet files"):
        read_spoken_squad(str(tmp_path / "empty"), work)
    table(tmp_path / "other" / "test.parquet", [{"colour": "red"}])
    with pytest.raises(InputError, match="no sound and question; its columns are colour"):
        read_spoken_squad(str(tmp_path / "other"), work)
    write_maeb(tmp_path / "paths", {"bytes": None, "path": "../../secret.wav"})
    with pytest.raises(InputError, match="no sound of its own"):
        read_spoken_squad(str(tmp_path / "paths"), work)
    write_maeb(tmp_path / "judged")
    table(tmp_path / "judged/qrels/test.parquet", [{"query-id": "q9", "corpus-id": "d0", "score": 1}])
    with pytest.raises(InputError, match="names a question or passage that there is not"):
        read_spoken_squad(str(tmp_path / "judged"), work)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / TEXTS).write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        read_spoken_squad(str(tmp_path / "broken"), work)


def test_a_set_of_the_hub_that_cannot_be_reached_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises((InputError, NotFoundError), match="nobody/nothing"):
        read_spoken_squad("nobody/nothing", tmp_path)


def test_one_command_measures_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECHSEARCH_ENGINES__RECOGNIZER", "none")
    monkeypatch.setenv("SPEECHSEARCH_DATA_DIR", str(tmp_path / "data"))
    rows = [
        {"context": {"bytes": (SAMPLES / "audio" / name).read_bytes(), "path": None}, "question": question}
        for name, question in (("s015.opus", "Why is octopus blood blue?"), ("s001.opus", "Who?"))
    ]
    table(tmp_path / "rows" / "test.parquet", rows)
    told = ["evaluate", "spoken-squad", "--source", str(tmp_path / "rows"), "--engines", "adapter"]
    report = tmp_path / "report.json"
    done = CliRunner().invoke(app, [*told, "--json", str(report)])
    assert done.exit_code == 0, done.output
    figures = json.loads(report.read_text(encoding="utf-8"))["engines"][0]["figures"]
    assert figures["recall@5"]["mean"] == 1.0 and "recall@100" in figures
    missing = CliRunner().invoke(app, told[:2])
    assert isinstance(missing.exception, InputError)
