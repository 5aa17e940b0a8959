"""Quantised copies: of our model, of a tiny Whisper of transformers, of tiny ONNX graphs; each is loaded and asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, WhisperConfig, WhisperForConditionalGeneration

from speechsearch.domain.errors import CapabilityError, DuplicateError, InputError, ModelUnavailableError
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio
from speechsearch.models import mini_cards, whisper_cards
from speechsearch.models.built_in import ALL_MINILM_L6_V2, MINI, POCKETSPHINX
from speechsearch.models.card import ModelCard, ModelFile
from speechsearch.models.catalog import Catalog
from speechsearch.models.ctranslate2_file import named_arrays
from speechsearch.models.files import FileFinder, sha256_of
from speechsearch.models.load import ModelLoader
from speechsearch.models.quantization import quantize
from tests.tiny import onnx_asr

SOUND = Audio(np.sin(np.arange(2 * SAMPLE_RATE_HZ) ** 1.2 / 900).astype(np.float32) / 3)
SPECIAL = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|translate|>", "<|transcribe|>", "<|startoflm|>",
           "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]  # fmt: skip


def files_of(card: ModelCard, folder: Path) -> dict[str, Path]:
    return {file.name: folder / file.name for file in card.files}


def loader(folder: Path, *cards: ModelCard) -> ModelLoader:
    return ModelLoader(Catalog(cards), folder, device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Whisper as transformers saves it."""
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny"
    letters = {one: number for number, one in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE(letters, [])))
    tokenizer.add_special_tokens({"additional_special_tokens": SPECIAL})
    end, start = tokenizer.convert_tokens_to_ids(SPECIAL[:2])
    config = WhisperConfig(
        vocab_size=len(tokenizer), num_mel_bins=80, d_model=64, encoder_layers=1, encoder_attention_heads=2,
        encoder_ffn_dim=128, decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=128, init_std=0.5,
        pad_token_id=end, bos_token_id=end, eos_token_id=end, decoder_start_token_id=start,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        WhisperForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    return folder


def whisper_card(folder: Path) -> ModelCard:
    names = ["model.safetensors", *(path.name for path in sorted(folder.glob("*.json")))]
    return ModelCard(
        name="tiny", task="recognizer", factory="speechsearch.models.transformers_asr:load_seq2seq", summary="-",
        licence="-", files=tuple(ModelFile(name, sha256_of(folder / name)) for name in names),
    )  # fmt: skip


def test_a_whisper_of_transformers_becomes_one_of_ctranslate2(checkpoint: Path, tmp_path: Path) -> None:
    card = whisper_card(checkpoint)
    for numbers in ("int8", "float16"):
        quantize(card, files_of(card, checkpoint), numbers, tmp_path / "models" / f"tiny-{numbers}")
    weights = load_file(checkpoint / "model.safetensors")
    arrays = named_arrays(tmp_path / "models" / "tiny-float16" / "model.bin", "encoder/conv1")
    expected = weights["model.encoder.conv1.weight"].half().float().numpy()
    np.testing.assert_array_equal(arrays["encoder/conv1/weight"], expected)
    made = tmp_path / "models" / "tiny-int8"
    assert (made / "model.bin").stat().st_size < 0.7 * (checkpoint / "model.safetensors").stat().st_size
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
    card = whisper_card(checkpoint)
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
