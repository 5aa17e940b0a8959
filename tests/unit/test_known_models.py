"""What the page and the command line say about models."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from speechsearch.cli import app
from speechsearch.domain.errors import NotFoundError
from speechsearch.models.catalog import catalog
from speechsearch.service.known_models import known_models, used_models
from speechsearch.service.settings import EngineSettings

ALWAYS = (
    ("text encoder", "all-MiniLM-L6-v2"), ("reader", "mini-reader"), ("sound embedder", "similar-mini"),
    ("audio tokenizer", "rvq-mini"),
)  # fmt: skip
"""The adapter needs the first, answers the first two, what sounds alike the others."""


@pytest.mark.parametrize(
    ("recognizer", "used"),
    [
        ("mini", {("speech encoder", "mini"), ("recognizer", "mini"), *ALWAYS}),
        ("none", {("speech encoder", "mini"), *ALWAYS}),
    ],
)
def test_what_is_used_are_the_named_models_and_what_they_need(recognizer: str, used: set[tuple[str, str]]) -> None:
    chosen = EngineSettings(recognizer=recognizer)
    assert used_models(catalog(), chosen) == used | {("speaker encoder", "ge2e")}
    chosen = EngineSettings(recognizer=recognizer, speaker_encoder="none")
    assert used_models(catalog(), chosen) == used
    known = known_models(catalog(), chosen)
    assert {(one.task, one.name) for one in known if one.is_used} == used
    assert len(known) == len(catalog().cards)


def test_a_model_that_is_not_there_is_said() -> None:
    with pytest.raises(NotFoundError, match="There is no speech encoder 'none such'"):
        used_models(catalog(), EngineSettings(encoder="none such"))


def test_the_command_line_lists_models_and_engines(monkeypatch) -> None:
    monkeypatch.setenv("SPEECHSEARCH_ENGINES__RECOGNIZER", "mini")
    listed = CliRunner().invoke(app, ["models"]).stdout.splitlines()
    (encoder,) = [line for line in listed if line.startswith("mini  (speech encoder")]
    assert "Apache-2.0, en, 24.8 M parameters, in use" in encoder
    (other,) = [line for line in listed if line.startswith("pocketsphinx  (")]
    assert "in use" not in other
    assert any(line.startswith("asr  (Transcript, searches transcript)") for line in listed)
    found = json.loads(CliRunner().invoke(app, ["models", "--json"]).stdout)
    assert ["recognizer", "mini"] in found["used"] and found["models"][0]["name"] == "mini"
