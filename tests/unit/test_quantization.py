"""Quantised copies: of our model, of a tiny Whisper of transformers, of tiny ONNX graphs; each is loaded and asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from speechsearch.cli import app
from speechsearch.domain.errors import CapabilityError, DuplicateError, InputError, ModelUnavailableError
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio
from speechsearch.evaluation.recognition import clips_in
from speechsearch.models import mini_cards, whisper_cards
from speechsearch.models.built_in import ALL_MINILM_L6_V2, MINI, POCKETSPHINX
from speechsearch.models.card import ModelCard, ModelFile
from speechsearch.models.catalog import Catalog
from speechsearch.models.ctranslate2_file import named_arrays
from speechsearch.models.files import FileFinder, sha256_of
from speechsearch.models.folders import card_of
from speechsearch.models.load import ModelLoader
from speechsearch.models.quantization import quantize
from tests.tiny import onnx_asr
from tests.tiny.checkpoints import write_whisper

SOUND = Audio(np.sin(np.arange(2 * SAMPLE_RATE_HZ) ** 1.2 / 900).astype(np.float32) / 3)


def files_of(card: ModelCard, folder: Path) -> dict[str, Path]:
    return {file.name: folder / file.name for file in card.files}


def loader(folder: Path, *cards: ModelCard) -> ModelLoader:
    return ModelLoader(Catalog(cards), folder, device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Whisper as transformers saves it."""
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny"
    folder.mkdir()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        write_whisper(folder, longest=448)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    return folder


def test_a_whisper_of_transformers_becomes_one_of_ctranslate2(checkpoint: Path, tmp_path: Path) -> None:
    card = card_of(checkpoint)
    for numbers in ("int8", "float16"):
        quantize(card, files_of(card, checkpoint), numbers, tmp_path / "models" / f"tiny-{numbers}")
    weights = load_file(checkpoint / "model.safetensors")
    arrays = named_arrays(tmp_path / "models" / "tiny-float16" / "model.bin", "encoder/conv1")
    expected = weights["model.encoder.conv1.weight"].half().float().numpy()
    np.testing.assert_array_equal(arrays["encoder/conv1/weight"], expected)
    made = tmp_path / "models" / "tiny-int8"
    assert (made / "model.bin").stat().st_size < 0.9 * (checkpoint / "model.safetensors").stat().st_size
    assert (made / "README.md").exists()
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == ["tiny-float16", "tiny-int8"]
    found = whisper_cards.card_of_folder("tiny-int8", made)
    recognizer = loader(made.parent, found).recognizer("tiny-int8")
    assert recognizer.transcribe([SOUND])[0].recognizer == "tiny-int8"
    with pytest.raises(CapabilityError, match="is in CTranslate2's form already"):
        quantize(found, files_of(found, made), "int8", tmp_path / "again")


def test_products_of_onnx_graphs_are_computed_in_int8(tmp_path: Path) -> None:
    folder = tmp_path / "full" / "graphs"
    saved = onnx_asr.CTC.save(folder)
    (folder / saved.files[0].name).rename(folder / "model.onnx")
    card = replace(saved, name="graphs", files=(replace(saved.files[0], name="model.onnx"), *saved.files[1:]))
    made = tmp_path / "models" / "graphs-int8"
    quantize(card, files_of(card, folder), "int8", made)
    (graph,) = made.glob("*.onnx")
    kinds = [node.op_type for node in onnx.load(graph).graph.node]
    assert "MatMulInteger" in kinds and graph.name.endswith(".int8.onnx")
    assert {path.name for path in made.iterdir()} - {graph.name} == set(files_of(card, folder)) - {card.files[0].name}
    order = [graph, *(path for path in sorted(made.iterdir()) if path != graph)]
    found = replace(card, name="graphs-int8", files=tuple(ModelFile(path.name, sha256_of(path)) for path in order))
    plain = loader(folder.parent, card).recognizer(card.name).transcribe([SOUND])[0]
    coarse = loader(made.parent, found).recognizer("graphs-int8").transcribe([SOUND])[0]
    assert plain.text and coarse.recognizer == "graphs-int8"
    with pytest.raises(CapabilityError, match="are int8 already"):
        quantize(found, files_of(found, made), "int8", tmp_path / "again")
    with pytest.raises(CapabilityError, match="not made float16 here"):
        quantize(card, files_of(card, folder), "float16", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_our_encoder_is_written_in_other_numbers_and_back(tmp_path: Path) -> None:
    finder = FileFinder(None, None, may_download=False)
    files = {file.name: finder.find(MINI, file) for file in MINI.files}
    half = tmp_path / "mini-half"
    quantize(MINI, files, "float16", half)
    card = mini_cards.card_of_folder("mini-half", half)
    assert mini_cards.is_mini(half / "config.json") and card.download_mb > MINI.download_mb
    quantize(card, files_of(card, half), "int8", tmp_path / "back")
    before, after = (load_file(path) for path in (files["model.safetensors"], tmp_path / "back" / "model.safetensors"))
    whole = [name for name, tensor in before.items() if tensor.dtype == torch.int8]
    assert before.keys() == after.keys() and whole and all(torch.equal(before[name], after[name]) for name in whole)
    made = ModelLoader(Catalog([ALL_MINILM_L6_V2, MINI, card]), tmp_path, device="cpu", dtype="float32")
    vectors = [
        made.speech_encoder(name).encode_passages([SOUND])[0].vectors["adapter"] for name in ("mini", "mini-half")
    ]
    np.testing.assert_allclose(vectors[1], vectors[0], atol=0.02)
    with pytest.raises(CapabilityError, match="The weights of 'mini' are int8 already"):
        quantize(MINI, files, "int8", tmp_path / "again")
    (half / "config.json").unlink()
    with pytest.raises(ModelUnavailableError, match=r"has no config\.json"):
        mini_cards.card_of_folder("mini-half", half)


def test_what_cannot_be_done_is_said_and_nothing_is_overwritten(checkpoint: Path, tmp_path: Path) -> None:
    card = card_of(checkpoint)
    files = files_of(card, checkpoint)
    with pytest.raises(InputError, match="'int4' is no kind of numbers"):
        quantize(card, files, "int4", tmp_path / "new")
    (tmp_path / "there").mkdir()
    with pytest.raises(DuplicateError, match="there is there already"):
        quantize(card, files, "int8", tmp_path / "there")
    with pytest.raises(CapabilityError, match="'pocketsphinx' is of a kind that is not quantised"):
        quantize(POCKETSPHINX, {}, "int8", tmp_path / "new")
    with pytest.raises(ModelUnavailableError, match=r"has no tokenizer\.json"):
        quantize(
            card, {name: path for name, path in files.items() if name != "tokenizer.json"}, "int8", tmp_path / "new"
        )
    (tmp_path / "broken").mkdir()
    for name, path in files.items():
        (tmp_path / "broken" / name).write_bytes(path.read_bytes()[: 2000 if name.endswith(".safetensors") else None])
    with pytest.raises(ModelUnavailableError, match="'tiny' cannot be converted"):
        quantize(card, files_of(card, tmp_path / "broken"), "int8", tmp_path / "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken", "there"]


def test_the_command_measures_both_on_clips_and_the_copy_is_chosen_by_its_name(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEECHSEARCH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SPEECHSEARCH_MODELS__FOLDER", str(tmp_path / "models"))
    clips = tmp_path / "clips"
    (clips / "audio").mkdir(parents=True)
    for name in ("a", "b"):
        soundfile.write(clips / "audio" / f"{name}.wav", SOUND.samples, SAMPLE_RATE_HZ)
    (clips / "transcripts.tsv").write_text("a\t2.0\tWho built it?\nb\t2.0\tHe did.\nlost\t1.0\tNo clip.\n")
    words = ["quantize", str(checkpoint), "--output", str(tmp_path / "models" / "tiny-int8")]
    done = CliRunner().invoke(app, [*words, "--on", str(clips), "--json"])
    assert done.exit_code == 0, done.exception
    found = json.loads(done.stdout)
    assert found["clips"] == 2 and found["after"]["size_mb"] < found["before"]["size_mb"]
    assert all(found[side]["rate"] > 0 and found[side]["word_error_rate"] > 0 for side in ("before", "after"))
    listed = CliRunner().invoke(app, ["models", "list"]).stdout
    assert "tiny-int8  (recognizer, apache-2.0" in listed
    written = CliRunner().invoke(app, ["transcribe", str(clips / "audio" / "a.wav"), "--model", "tiny-int8"])
    assert written.exit_code == 0, written.exception
    assert "There is a model 'tiny-int8' already" in str(CliRunner().invoke(app, words).exception)
    (tmp_path / "there").mkdir()
    there = CliRunner().invoke(app, [*words[:2], "--output", str(tmp_path / "there")])
    assert "is there already" in str(there.exception)  # never overwritten
    named = CliRunner().invoke(app, ["quantize", "mini", "-o", str(tmp_path / "whisper-base")])
    assert "There is a model 'whisper-base' already" in str(named.exception)
    nowhere = CliRunner().invoke(app, [*words[:2], "-o", str(tmp_path / "new"), "--on", str(tmp_path / "nowhere")])
    assert "There is no folder" in str(nowhere.exception) and not (tmp_path / "new").exists()


def test_clips_have_their_words_in_a_table_in_files_beside_them_or_nowhere(tmp_path: Path) -> None:
    for name in ("b.wav", "a.mp3", "notes.md"):
        (tmp_path / name).touch()
    (tmp_path / "b.txt").write_text("He did.\n")

    def found(most: int = 9) -> list[tuple[str, str]]:
        return [(one.path.name, one.text) for one in clips_in(tmp_path, lambda name: not name.endswith(".md"), most)]

    assert found() == [("a.mp3", ""), ("b.wav", "He did.")] and found(1) == [("a.mp3", "")]
    (tmp_path / "transcripts.tsv").write_text("b\t2.0\tOther.\n")
    assert found() == [("b.wav", "Other.")]
    (tmp_path / "transcripts.tsv").write_text("")
    with pytest.raises(InputError, match="There are no clips in"):
        found()
