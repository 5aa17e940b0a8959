"""``check``: every part of the machine, models and data folder said to be well or not, without changing or sending."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from speechsearch.cli import app
from speechsearch.domain.errors import NotFoundError
from speechsearch.domain.folder_lock import DataFolderLock
from speechsearch.service import checks
from speechsearch.service.open import Service
from speechsearch.service.settings import read_settings


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPEECHSEARCH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(httpx, "head", lambda *words, **named: pytest.fail("something was sent"))
    return tmp_path / "data"


def check(*words: str) -> tuple[Result, dict[str, dict[str, str]]]:
    done = CliRunner().invoke(app, ["check", "--json", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done, {one["name"]: one for one in json.loads(done.stdout)}


def test_all_is_well_before_there_is_anything(data: Path) -> None:
    done, found = check()
    assert done.exit_code == 0
    assert set(found) == {
        "safety", "device", "memory", "decoding", "recognizer mini", "speech encoder mini",
        "text encoder all-MiniLM-L6-v2", "speaker encoder ge2e", "reader mini-reader", "sound embedder similar-mini",
        "audio tokenizer rvq-mini",
        "disk", "data folder", "network",
    }  # fmt: skip
    assert {one["state"] for name, one in found.items() if name not in ("safety", "memory")} == {"ok"}
    assert not data.exists() and "By itself the program asks nobody." in found["network"]["found"]
    text = CliRunner().invoke(app, ["check"]).stdout
    assert any(line.split()[:2] == ["ok", "decoding"] for line in text.splitlines())


def test_a_library_is_compared_and_one_in_use_is_said(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Service.open(read_settings()).close()
    assert check()[1]["data folder"]["found"].startswith("Database, index and audio files agree: ")
    with DataFolderLock(data):
        done, found = check()
        assert done.exit_code == 0 and found["data folder"]["state"] == "warning"
        assert "is in use by" in found["data folder"]["found"]
    monkeypatch.setattr("speechsearch.service.browse.differences", lambda library: ["talk.mp3 is gone."])
    done, found = check()
    assert done.exit_code == 1 and found["data folder"]["state"] == "failure"
    assert (found["data folder"]["found"], "rebuild" in found["data folder"]["advice"]) == ("talk.mp3 is gone.", True)


def test_what_is_not_as_it_must_be_fails_with_what_to_do(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEECHSEARCH_ENGINES__RECOGNIZER", "whisper-small")
    monkeypatch.setenv("SPEECHSEARCH_MODELS__FOLDER", str(tmp_path / "models"))
    monkeypatch.setenv("SPEECHSEARCH_MODELS__DEVICE", "mps")
    monkeypatch.setenv("SPEECHSEARCH_LIMITS__FREE_DISK_BYTES", str(1 << 60))
    other = tmp_path / "models" / "mini" / "config.json"
    other.parent.mkdir(parents=True)
    other.write_text("{}")
    monkeypatch.setattr(checks, "CODECS", ("aac", "no such codec"))
    monkeypatch.setattr(checks, "BESIDES_MODELS_MB", 1e12)
    done, found = check()
    assert done.exit_code == 1
    assert found["recognizer whisper-small"]["advice"] == "python -m speechsearch models download whisper-small"
    assert "is not the file of the speech encoder 'mini'" in found["speech encoder mini"]["found"]
    assert found["device"]["state"] == "failure" and "no device 'mps'" in found["device"]["found"]
    assert found["disk"]["state"] == "failure" and "Make room" in found["disk"]["advice"]
    assert found["decoding"]["state"] == "warning" and "no such codec" in found["decoding"]["found"]
    assert found["memory"]["state"] == "warning"


def test_who_would_be_asked_is_said_and_nobody_is_asked_unless_that_is_wanted(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEECHSEARCH_WEBHOOKS__URL", "https://user:secret@hooks.example.org/x")
    monkeypatch.setenv("SPEECHSEARCH_MODELS__MAY_DOWNLOAD", "true")
    monkeypatch.setenv("SPEECHSEARCH_LANGUAGE_MODEL__URL", "https://words.example.org/v1")
    monkeypatch.setenv("SPEECHSEARCH_LANGUAGE_MODEL__MODEL", "small")
    assert "words.example.org" not in check()[1]["network"]["found"], "it is set, and not used"
    monkeypatch.setenv("SPEECHSEARCH_ENGINES__LANGUAGE_MODEL", "endpoint")
    network = check()[1]["network"]["found"]
    assert "huggingface.co (models that are missing), hooks.example.org (webhooks)" in network
    assert "words.example.org (answers)" in network
    assert "secret" not in network

    def refuse(address: str, **named: object) -> httpx.Response:
        raise httpx.ConnectError("no route")

    monkeypatch.setattr(httpx, "head", refuse)
    done, found = check("--network")
    assert done.exit_code == 0 and "cannot be reached: no route" in found["model hub"]["found"]
    monkeypatch.setattr(httpx, "head", lambda address, **named: httpx.Response(200))
    assert check("--network")[1]["model hub"]["state"] == "ok"


def test_a_model_that_there_is_not_is_said(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECHSEARCH_ENGINES__RECOGNIZER", "none such")
    assert isinstance(CliRunner().invoke(app, ["check"]).exception, NotFoundError)
