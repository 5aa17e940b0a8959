"""Folders of sentence-transformers and of speech encoders become cards by what they hold, and give what they should."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from speechsearch.cli_models import list_models
from speechsearch.domain.errors import CapabilityError, ModelUnavailableError
from speechsearch.models.base import SoftTextEncoder
from speechsearch.models.catalog import Catalog, catalog
from speechsearch.models.folders import cards_of, with_folder
from speechsearch.models.load import ModelLoader
from speechsearch.models.omni_cards import card_of_folder as omni_card
from speechsearch.models.public_models import KNOWN
from speechsearch.models.text_cards import card_of_folder
from speechsearch.training.to_safetensors import convert
from tests.tiny import checkpoints, frames, texts

SENTENCES = ["The bridge was opened in 1885.", "octopus", "a b c d"]


def loaded(family: texts.Family, folder: Path) -> SoftTextEncoder:
    card = family.save(folder / family.name)
    found: SoftTextEncoder = ModelLoader(Catalog([card]), folder, device="cpu").model("text encoder", card.name)
    return found


@pytest.mark.parametrize("family", texts.ALL, ids=lambda one: one.name)
def test_vectors_in_the_place_of_a_texts_pieces_give_the_texts_vector(family: texts.Family, tmp_path: Path) -> None:
    encoder = loaded(family, tmp_path)
    rows = []
    for text in SENTENCES:
        ids = encoder.tokenizer.encode(text, add_special_tokens=False).ids
        rows.append(encoder.word_embeddings[torch.tensor(ids)])
    expected = encoder.encode_passages(SENTENCES)
    np.testing.assert_allclose(encoder.pool(rows).detach().numpy(), expected, atol=1e-4)
    alone = torch.cat([encoder.pool([row]) for row in rows])
    np.testing.assert_allclose(alone.detach().numpy(), expected, atol=1e-4)
    long = encoder.pool([rows[0].repeat(100, 1)])
    assert torch.isfinite(long).all()


@pytest.mark.parametrize("family", [texts.MISTRAL, texts.QWEN3], ids=lambda one: one.name)
def test_a_decoder_gives_the_state_of_its_last_token(family: texts.Family, tmp_path: Path) -> None:
    encoder = loaded(family, tmp_path)
    ids = encoder.tokenizer.encode("Instruct: find\nQuery:" + " " * (family is texts.MISTRAL) + "who?").ids
    ids = ids if ids[-1] == 2 else [*ids, 2]
    with torch.no_grad():
        state = encoder.network(torch.tensor([ids])).last_hidden_state[0, -1, : encoder.dim]  # type: ignore[attr-defined]
    expected = state / state.norm()
    np.testing.assert_allclose(encoder.encode_queries(["who?"])[0], expected.numpy(), atol=1e-5)


def test_a_matryoshka_size_is_the_first_numbers_of_unit_length(tmp_path: Path) -> None:
    short = loaded(texts.QWEN3, tmp_path / "short")
    folder = tmp_path / "whole" / texts.QWEN3.name
    texts.QWEN3.save(folder)
    said = folder / "config_sentence_transformers.json"
    said.write_text(
        said.read_text(encoding="utf-8").replace('"truncate_dim": 16', '"truncate_dim": null'), encoding="utf-8"
    )
    card = card_of_folder(texts.QWEN3.name, folder)
    whole = ModelLoader(Catalog([card]), folder.parent, device="cpu").model("text encoder", card.name)
    assert (short.dim, whole.dim) == (16, 32)
    cut = whole.encode_passages(SENTENCES)[:, :16]
    cut /= np.linalg.norm(cut, axis=1, keepdims=True)
    np.testing.assert_allclose(short.encode_passages(SENTENCES), cut, atol=1e-5)


def test_what_a_folder_does_not_say_is_taken_by_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "bge-small-en-v1.5"
    texts.XLM_ROBERTA.save(folder)
    card = card_of_folder(folder.name, folder)
    assert card.query_prompt == "Represent this sentence for searching relevant passages: " and card.pooling == "cls"
    assert card_of_folder("mine", folder).query_prompt == ""
    e5 = card_of_folder("multilingual-e5-small", folder)
    assert (e5.query_prompt, e5.passage_prompt) == ("query: ", "passage: ")
    assert card.fingerprint != card_of_folder("bge-small-en-v1.5-other", folder).fingerprint


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("modules.json", "{}", "no JSON list"),
        ("modules.json", '[{"path": "", "type": "a.b.LSTM"}]', "module LSTM is not known"),
        ("modules.json", '[{"path": "", "type": "a.b.Transformer"}]', "has no pooling"),
        ("1_Pooling/config.json", '{"pooling_mode_max_tokens": true}', "pools in a way that is not known"),
        ("config.json", "[]", "no JSON object"),
    ],
)
def test_a_folder_that_is_not_understood_is_told(tmp_path: Path, file: str, content: str, message: str) -> None:
    texts.XLM_ROBERTA.save(tmp_path / "mine")
    (tmp_path / "mine" / file).write_text(content, encoding="utf-8")
    refused = with_folder(Catalog(), tmp_path).refused
    assert message in refused["mine"]


def test_pickles_are_never_read(tmp_path: Path) -> None:
    texts.XLM_ROBERTA.save(tmp_path / "mine")
    (tmp_path / "mine" / "model.safetensors").rename(tmp_path / "mine" / "pytorch_model.bin")
    with pytest.raises(ModelUnavailableError, match="pickles"):
        card_of_folder("mine", tmp_path / "mine")


def test_weights_of_a_pickle_are_written_as_safetensors_and_code_is_not_run(tmp_path: Path) -> None:
    frames.HUBERT.save(tmp_path)
    from safetensors.torch import load_file

    before = load_file(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").unlink()
    torch.save(before, tmp_path / "pytorch_model.bin")
    assert load_file(convert(tmp_path)).keys() == before.keys()
    torch.save({"weight": print}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelUnavailableError, match="no weights that can be read"):
        convert(tmp_path)


def test_four_bits_are_refused_on_a_cpu(tmp_path: Path) -> None:
    card = texts.MISTRAL.save(tmp_path / texts.MISTRAL.name)
    loader = ModelLoader(Catalog([card]), tmp_path, device="cpu", text_encoder_bits=4)
    with pytest.raises(CapabilityError, match="four bits on CUDA only"):
        loader.model("text encoder", card.name)


def test_a_recogniser_of_transformers_is_a_frame_encoder_too(tmp_path: Path) -> None:
    checkpoints.WAV2VEC2.save(tmp_path / "letters")
    assert [card.task for card in cards_of(tmp_path / "letters")] == ["recognizer", "frame encoder"]
    frames.WAVLM.save(tmp_path / "plain")
    assert [card.task for card in cards_of(tmp_path / "plain")] == ["frame encoder"]
    known = with_folder(catalog(), tmp_path)
    loader = ModelLoader(known.catalog, tmp_path, device="cpu", dtype="float32")
    sound = np.random.default_rng(1).standard_normal(16_000).astype(np.float32)
    for name in ("letters", "plain"):
        (states,) = loader.model("frame encoder", name).below([sound])
        assert states.shape[1] == 16


def test_a_model_that_also_hears_becomes_a_speech_encoder(tmp_path: Path) -> None:
    texts.DENSE.save(tmp_path / "omni")
    config = json.loads((tmp_path / "omni/config.json").read_text(encoding="utf-8"))
    (tmp_path / "omni/config.json").write_text(json.dumps(config | {"audio_config": {"a": 1}}), encoding="utf-8")
    (card,) = cards_of(tmp_path / "omni")
    assert (card.task, card.channels[0].dim, card.package) == ("speech encoder", 24, "sentence-transformers")
    assert {"2_Dense/model.safetensors", "modules.json"} <= {file.name for file in card.files}
    assert omni_card("omni", tmp_path / "omni").fingerprint == card.fingerprint


def test_what_comes_as_a_folder_is_listed_with_how_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    list_models(as_json=False)
    said = capsys.readouterr().out
    for name, public in KNOWN.items():
        assert f"{name}  ({public.task}" in said and public.revision in said
    assert "to_safetensors MODELS/hubert-large-ll60k" in said
