"""The recipe of a language model that hears, over a tiny one: its lessons, its loss, and the folder that it writes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from speechsearch.domain.assets import SAMPLES
from speechsearch.models.catalog import catalog
from speechsearch.models.causal_lm import open_network
from speechsearch.models.folders import with_folder
from speechsearch.models.load import ModelLoader
from speechsearch.models.speech_language_model import Projector
from speechsearch.training import frozen
from speechsearch.training.train_understand import answer_loss, fit_pieces, main, shared_pieces
from speechsearch.training.understand_data import Lesson, lessons, read_as_heard, read_sound, told_questions
from tests.tiny.speech_language import WIDTH, save_language_model
from tests.unit.test_training_reader import write_data


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder of models with a tiny language model."""
    folder = tmp_path_factory.mktemp("models")
    save_language_model(folder / "tiny-llama")
    return folder


@pytest.fixture(scope="module")
def loader(models: Path) -> ModelLoader:
    return ModelLoader(with_folder(catalog(), models).catalog, models, device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Questions, and three sets of human readers, whom a sample stands in for."""
    folder = write_data(tmp_path_factory.mktemp("all") / "data")
    samples = read_sound(SAMPLES / "audio" / "s001.opus").samples[: 3 * 16_000]
    for name, suffix in (
        ("kathleen_arctic", ".ogg"),
        ("ljspeech_385", ".ogg"),
        ("librispeech_train_clean_4spk", ".opus"),
    ):
        (folder / "speech" / name / "audio").mkdir(parents=True)
        rows = [f"{number}-x\t3.0\tHello number {number}." for number in range(5)]
        (folder / "speech" / name / "transcripts.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        for number in range(5):
            path = folder / "speech" / name / "audio" / f"{number}-x{suffix}"
            soundfile.write(path, samples, 16_000, format="OGG", subtype="VORBIS")
    for group in ("adults", "children"):
        (folder / "speech" / f"speechocean762_{group}" / "audio").mkdir(parents=True)
        (folder / "speech" / f"speechocean762_{group}" / "transcripts.tsv").write_text("", encoding="utf-8")
    return folder


def test_lessons_are_heard_utterances_and_tales_repeated_or_asked_about(data: Path) -> None:
    encoder = frozen.text_encoder()
    heard = torch.ones(3, 384)
    drawn = lessons([(heard, "Hi, Bob!")], encoder, told_questions(data), seed=1)
    found = [next(drawn) for _ in range(60)]
    assert {one.answer for one in found if one.heard is heard} == {"hi bob"}
    asked = [one for one in found if "hair" in one.instruction]
    assert asked and all(one.answer == "golden" for one in asked)
    assert len(read_as_heard(encoder, "Bob's hut, 1876")) == len(
        encoder.tokenizer.encode("bob's hut eighteen seventy six", add_special_tokens=False).ids
    )


def test_the_loss_falls_where_a_projector_is_trained_and_counts_the_answer_alone(loader: ModelLoader) -> None:
    opened = open_network(loader.located(loader.catalog.get("language model", "tiny-llama")))
    torch.manual_seed(1)
    projector = Projector(8, 16, WIDTH)
    lesson = Lesson(torch.randn(4, 8), "Write.", "ab")
    alone = answer_loss(projector, opened, [lesson])
    beside = answer_loss(projector, opened, [lesson, lesson])
    assert alone.item() == pytest.approx(beside.item(), abs=1e-4)
    longer = answer_loss(projector, opened, [lesson, Lesson(torch.randn(9, 8), "Write it all down.", "ab")])
    other = answer_loss(projector, opened, [Lesson(lesson.heard, "Write.", "zq")])
    assert longer.item() != pytest.approx(alone.item()) and other.item() != pytest.approx(alone.item())
    optimiser = torch.optim.Adam(projector.parameters(), lr=0.01)
    for _ in range(30):
        loss = answer_loss(projector, opened, [lesson])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.8 * alone.item()


def test_pieces_that_both_write_alike_are_fitted(loader: ModelLoader) -> None:
    opened = open_network(loader.located(loader.catalog.get("language model", "tiny-llama")))
    ours, theirs = shared_pieces(frozen.text_encoder(), opened)
    assert 10 < len(ours) == len(theirs) < 300 and theirs.shape[1] == WIDTH  # a tiny tokeniser writes single letters
    torch.manual_seed(1)
    few, many = (fit_pieces(Projector(384, 64, WIDTH), ours, theirs, steps) for steps in (1, 200))
    assert many < 0.8 * few, (few, many)


def test_the_recipe_writes_a_folder_that_hears_and_resumes(
    data: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(data, tmp_path / "out", language_model="tiny-llama", models=models, tiny=True)
    assert "step 6 loss" in capsys.readouterr().out
    main(data, tmp_path / "out", language_model="tiny-llama", models=models, tiny=True)
    assert "step" not in capsys.readouterr().out
    folder = tmp_path / "models" / "hearing"
    shutil.copytree(tmp_path / "out" / "model", folder)
    config = json.loads((folder / "understanding.json").read_text(encoding="utf-8"))
    assert config["language_model"]["name"] == "tiny-llama" and config["hidden"] == 32
    known = with_folder(catalog(), tmp_path / "models")
    loader = ModelLoader(known.catalog, tmp_path / "models", device="cpu", dtype="float32")
    model = loader.speech_language_model("hearing")
    sound = read_sound(SAMPLES / "audio" / "s001.opus")
    assert isinstance(model.understand([type(sound)(sound.samples[:48_000])], "Write.", 5)[0], str)
    assert np.isfinite(model.features_shape(sound)).all()
