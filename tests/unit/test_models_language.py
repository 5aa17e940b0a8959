"""Language models: files that are read into networks, what is made of them for CTranslate2, words in and out."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import ctranslate2
import pytest
import torch
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from speechsearch.domain.errors import CapabilityError, MissingDependencyError, ModelUnavailableError
from speechsearch.models import causal_lm, language_conversion
from speechsearch.models.base import Message
from speechsearch.models.catalog import Catalog
from speechsearch.models.causal_lm import TransformersLanguageModel, four_bit_config, open_files
from speechsearch.models.conversation import pieces, prompt_of
from speechsearch.models.ctranslate2_lm import Ctranslate2LanguageModel
from speechsearch.models.device import Device
from speechsearch.models.folders import card_of, with_folder
from speechsearch.models.gguf_file import config_of, open_gguf
from speechsearch.models.language_conversion import Converted, convert, converted, is_convertible
from speechsearch.models.load import Located, ModelLoader
from tests.tiny import language

CPU = Device("cpu", "float32")
SAID = [Message("system", "Be short."), Message("user", "the cat and é")]


def scaled_llama() -> Any:
    """A Llama whose rotary positions are scaled as Llama 3.1's."""
    return language.llama(rope_parameters=language.LLAMA3_ROTARY, max_position_embeddings=16_384)


def factors(network: Any) -> Any:
    """What llama.cpp's converter writes for it."""
    found, _ = ROPE_INIT_FUNCTIONS["llama3"](network.config, torch.device("cpu"))
    return (1 / 10_000.0 ** (torch.arange(0, 16, 2) / 16) / found).numpy()


@pytest.mark.parametrize("name", ["llama", "qwen3", "llama3"])
def test_a_gguf_file_gives_the_network_that_it_was_made_of(name: str, tmp_path: Path) -> None:
    network = {"llama": language.llama, "qwen3": language.qwen3, "llama3": scaled_llama}[name]()
    language.write_gguf(tmp_path / "a.gguf", network, **({"rotary": factors(network)} if name == "llama3" else {}))
    opened = open_files(name, {"a.gguf": tmp_path / "a.gguf"}, CPU)
    assert opened.ends == (2,) and opened.longest == network.config.max_position_embeddings
    tokens = prompt_of(opened.tokenizer, SAID)
    assert tokens == prompt_of(language.tokenizer(), SAID)
    with torch.inference_mode():
        expected = network(torch.tensor([tokens])).logits
        torch.testing.assert_close(opened.network(torch.tensor([tokens])).logits, expected)
        states = opened.network.get_input_embeddings()(torch.tensor([tokens]))
        torch.testing.assert_close(opened.network(inputs_embeds=states).logits, expected)
    assert not any(weight.requires_grad for weight in opened.network.parameters())


@pytest.mark.parametrize("numbers", ["F16", "BF16", "Q4_0", "Q4_1", "Q8_0"])
def test_coarse_numbers_are_those_of_the_package_gguf(numbers: str, tmp_path: Path) -> None:
    import gguf

    network = language.llama()
    language.write_gguf(tmp_path / "a.gguf", network, numbers)
    found, _ = open_gguf(tmp_path / "a.gguf", torch.float32)
    wanted = network.model.layers[0].mlp.up_proj.weight.numpy(force=True)
    kind = gguf.GGMLQuantizationType[numbers]
    expected = gguf.quants.dequantize(gguf.quants.quantize(wanted, kind), kind)
    torch.testing.assert_close(found.model.layers[0].mlp.up_proj.weight, torch.from_numpy(expected))


def test_digits_are_split_where_the_tokeniser_does_so(tmp_path: Path) -> None:
    language.write_gguf(tmp_path / "a.gguf", language.llama(), pre="smollm")
    _, tokenizer = open_gguf(tmp_path / "a.gguf", torch.float32)
    assert tokenizer.tokenize("the 18") == ["the", "Ġ", "1", "8"]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda content: b"", "cannot mmap an empty file"),
        (lambda content: b"GGML" + content[4:], "does not start with the GGUF magic bytes"),
        (lambda content: content[:-200_000], "cannot reshape array|shape|buffer"),
        (lambda content: content[:3_000], "."),
        (lambda content: content[:8] + b"\xff" * 16 + content[24:], "."),
        (lambda content: content.replace(b"blk.1.attn_q.weight", b"blk.7.attn_q.weight"), "missing or not known"),
    ],
    ids=["empty", "magic", "cut", "cut early", "counts", "names"],
)
def test_a_damaged_gguf_file_is_refused_with_the_reason(spoil, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    language.write_gguf(path, language.llama())
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(ModelUnavailableError, match=f"(?s)a.gguf is no language model that can be read: .*({reason})"):
        open_gguf(path, torch.float32)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"general.architecture": "mamba"}, "its architecture is 'mamba'"),
        ({"llama.expert_count": 8}, "a mixture of experts"),
        ({"llama.rope.scaling.type": "yarn"}, "scaled by 'yarn'"),
    ],
)
def test_what_would_be_computed_wrongly_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        config_of({"general.architecture": "llama", **changes})


def test_positions_that_are_scaled_otherwise_and_unknown_tokenisers_are_refused(tmp_path: Path) -> None:
    language.write_gguf(tmp_path / "a.gguf", language.llama(), rotary=[1, 2, 3, 4, 5, 6, 7, 8])
    with pytest.raises(ModelUnavailableError, match="scaled in a way that is not known"):
        open_gguf(tmp_path / "a.gguf", torch.float32)
    language.write_gguf(tmp_path / "b.gguf", language.llama(), pre="klingon")
    with pytest.raises(ModelUnavailableError, match="splits texts by 'klingon'"):
        open_gguf(tmp_path / "b.gguf", torch.float32)


@pytest.mark.parametrize("make", [language.llama, language.qwen3], ids=["llama", "qwen3"])
def test_ctranslate2_writes_what_pytorch_writes_in_the_same_numbers(make, tmp_path: Path) -> None:
    language.write_checkpoint(tmp_path / "model", make())
    files = {path.name: path for path in (tmp_path / "model").iterdir()}
    convert("tiny", files, tmp_path / "made", "float32")
    opened = open_files("tiny", files, CPU)
    expected = "".join(TransformersLanguageModel("tiny", opened).generate(SAID, 24))
    generator = ctranslate2.Generator(str(tmp_path / "made"), compute_type="float32")
    made = Converted(tmp_path / "made", opened.ends, opened.longest)
    found = "".join(Ctranslate2LanguageModel("tiny", generator, opened.tokenizer, made).generate(SAID, 24))
    assert found == expected and len(found) > 10


def test_it_ends_with_any_of_its_end_tokens(tmp_path: Path) -> None:
    language.write_checkpoint(tmp_path / "model", language.llama())
    files = {path.name: path for path in (tmp_path / "model").iterdir()}
    convert("tiny", files, tmp_path / "made", "float32")
    opened = open_files("tiny", files, CPU)
    generator = ctranslate2.Generator(str(tmp_path / "made"), compute_type="float32")
    (*_, third) = islice(TransformersLanguageModel("tiny", opened)._tokens(prompt_of(opened.tokenizer, SAID), 3), 3)
    ends = (2, third)
    models = (
        TransformersLanguageModel("tiny", replace(opened, ends=ends)),
        Ctranslate2LanguageModel("tiny", generator, opened.tokenizer, Converted(tmp_path, ends, 512)),
    )
    before = "".join(TransformersLanguageModel("tiny", opened).generate(SAID, 2))
    assert [before.startswith(text) and text != "" for text in ("".join(one.generate(SAID, 9)) for one in models)]
    assert [len("".join(one.generate(SAID, 9))) <= len(before) for one in models] == [True, True]


def test_scaled_positions_are_not_left_to_ctranslate2(tmp_path: Path) -> None:
    network = scaled_llama()
    language.write_checkpoint(tmp_path / "scaled", network)
    language.write_checkpoint(tmp_path / "plain", language.llama())
    language.write_gguf(tmp_path / "scaled.gguf", network, rotary=factors(network))
    language.write_gguf(tmp_path / "plain.gguf", language.llama())
    for name, is_plain in (("scaled", False), ("plain", True)):
        assert is_convertible({"config.json": tmp_path / name / "config.json"}) == is_plain
        assert is_convertible({"a.gguf": tmp_path / f"{name}.gguf"}) == is_plain
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ModelUnavailableError, match="cannot be read"):
        is_convertible({"config.json": tmp_path / "config.json"})


def test_heads_of_another_size_are_left_to_ctranslate2_only_where_it_asks_for_it(tmp_path: Path) -> None:
    for name, network, is_taken in (
        ("llama", language.llama(head_dim=32), False), ("qwen3", language.qwen3(head_dim=32), True)
    ):  # fmt: skip
        language.write_checkpoint(tmp_path / name, network)
        language.write_gguf(tmp_path / f"{name}.gguf", network)
        assert is_convertible({"config.json": tmp_path / name / "config.json"}) == is_taken
        assert is_convertible({"a.gguf": tmp_path / f"{name}.gguf"}) == is_taken


def located(folder: Path, home: Path | None, **changes: Any) -> Located:
    """The files of a folder, as a loader finds them."""
    card = card_of(folder)
    return Located(card, {file.name: folder / file.name for file in card.files}, lambda: CPU, {}, home, **changes)


def test_a_model_is_made_once_in_a_process_of_its_own_and_anew_when_it_is_not_whole(
    tmp_path: Path, monkeypatch
) -> None:
    language.GGUF.save(tmp_path / "tiny")
    home = tmp_path / "kept"
    (home / ".converting-left").mkdir(parents=True)
    (home / "ctranslate2-before").mkdir()
    one = located(tmp_path / "tiny", home)
    made = converted(one, home)
    assert [path.name for path in home.iterdir()] == [made.folder.name] and made.ends == (2,)
    asked: list[dict[str, Any]] = []

    def again(task: dict[str, Any]) -> None:
        asked.append(task)
        language_conversion.serve(json.dumps(task))

    monkeypatch.setattr(language_conversion, "_in_own_process", again)
    assert converted(one, home) == made and not asked
    (made.folder / "vocabulary.json").write_text("[]")
    assert converted(one, home) == made and len(asked) == 1
    assert (made.folder / "vocabulary.json").stat().st_size > 9
    monkeypatch.setattr(language_conversion, "VERSION", "next")
    assert converted(one, home).folder != made.folder and not made.folder.exists()


def test_what_cannot_be_made_says_why(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    language.GGUF.save(folder)
    one = located(folder, tmp_path)
    (folder / "tiny.Q8_0.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelUnavailableError, match=r"'tiny' cannot be converted for CTranslate2: .* can be read"):
        converted(one, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelUnavailableError, match=r"'tiny' cannot be made in .*file"):
        converted(one, tmp_path / "file")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "tiny"]


def test_four_bits_are_for_checkpoints_on_cuda_and_need_packages(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(CapabilityError, match="four bits on CUDA only, and this is 'cpu'"):
        four_bit_config(CPU)
    cuda = Device("cuda", "bfloat16")

    def missing(package: str, line: str) -> str:
        raise MissingDependencyError(f"The package {package} is not installed.", line)

    monkeypatch.setattr(causal_lm, "package_version", missing)
    with pytest.raises(MissingDependencyError, match="bitsandbytes"):
        four_bit_config(cuda)
    monkeypatch.setattr(causal_lm, "package_version", lambda *_: "1")
    config = four_bit_config(cuda)
    assert config.load_in_4bit and config.bnb_4bit_quant_type == "nf4"
    assert config.bnb_4bit_compute_dtype == torch.bfloat16
    with pytest.raises(CapabilityError, match="a GGUF file, which is not computed in four bits"):
        open_files("tiny", {"a.gguf": tmp_path / "a.gguf"}, cuda, 4)


def test_folders_with_language_models_are_known_and_others_say_why_not(tmp_path: Path) -> None:
    language.LLAMA.save(tmp_path / "llama")
    (tmp_path / "llama" / "README.md").write_text("---\nlicense: llama3.2\nlanguage: [en, de]\n---\n")
    language.GGUF.save(tmp_path / "packed")
    two = tmp_path / "two"
    language.GGUF.save(two)
    (two / "other.gguf").write_bytes(b"x")
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    (pickled / "pytorch_model.bin").write_bytes(b"x")
    known = with_folder(Catalog(), tmp_path)
    cards = {card.name: card for card in known.catalog.of("language model")}
    assert set(cards) == {"llama", "packed"} and cards["llama"].licence == "llama3.2"
    assert cards["llama"].languages == ("en", "de")
    assert cards["llama"].files[0].name == "model.safetensors" and "tokenizer.json" in str(cards["llama"].files)
    assert "has 2 GGUF files instead of one" in known.refused["two"]
    assert "never read" in known.refused["pickled"]


def test_a_network_that_ctranslate2_does_not_compute_is_computed_by_pytorch(tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    class GPT2ForCausalLM(GPT2LMHeadModel):
        """As the hub would call it."""

    network = GPT2LMHeadModel(
        GPT2Config(vocab_size=len(language.WORDS), n_embd=16, n_layer=1, n_head=2, n_positions=99)
    )
    language.write_checkpoint(tmp_path / "other", network)
    config = tmp_path / "other" / "config.json"
    config.write_text(config.read_text().replace("GPT2LMHeadModel", GPT2ForCausalLM.__name__))
    loader = ModelLoader(with_folder(Catalog(), tmp_path).catalog, tmp_path, device="cpu", dtype="float32")
    model = loader.model("language model", "other")
    assert isinstance(model, TransformersLanguageModel) and list(model.generate(SAID, 3))


def test_weights_that_are_missing_are_not_made_up(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    language.LLAMA.save(tmp_path / "tiny")
    weights = tmp_path / "tiny" / "model.safetensors"
    left = {name: one for name, one in load_file(weights).items() if "layers.1.mlp" not in name}
    save_file(left, weights, {"format": "pt"})
    files = {path.name: path for path in (tmp_path / "tiny").iterdir()}
    with pytest.raises(ModelUnavailableError, match=r"its weights lack model.layers.1.mlp"):
        open_files("tiny", files, CPU)


@pytest.mark.parametrize("text", ["é🔎 naïve", "日本語", "a", ""])
def test_letters_whose_bytes_come_apart_come_whole(text: str) -> None:
    parts = list(pieces(text.encode(), lambda ids: bytes(ids).decode(errors="replace")))
    assert parts == list(text)


def test_bytes_that_are_no_letter_do_not_hold_back_what_follows() -> None:
    tokens = [0xF0, 0xFF, 0xFF, 0xFF, *b"ok"]
    parts = pieces(iter(tokens), lambda ids: bytes(ids).decode(errors="replace"))
    assert "".join(parts).endswith("ok")


def test_the_system_stands_before_the_user_where_a_template_has_no_place_for_it() -> None:
    tokenizer = language.tokenizer()
    tokenizer.chat_template = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ messages[0].content }}"
    )
    assert tokenizer.decode(prompt_of(tokenizer, SAID)) == "Be short.\n\nthe cat and é"
    with pytest.raises(ModelUnavailableError, match="takes no such conversation"):
        prompt_of(tokenizer, SAID[:1])
    tokenizer.chat_template = None
    with pytest.raises(ModelUnavailableError, match="no template of conversations"):
        prompt_of(tokenizer, SAID)


def test_a_made_model_without_its_generator_says_so(tmp_path: Path) -> None:
    from speechsearch.models import ctranslate2_lm

    language.GGUF.save(tmp_path / "tiny")
    one = located(tmp_path / "tiny", tmp_path / "kept")
    folder = tmp_path / "kept" / f"ctranslate2-{language_conversion._version_of(one)}"
    folder.mkdir(parents=True)
    (folder / "about.json").write_text(json.dumps({"files": {}, "ends": [2], "longest": 9}))
    with pytest.raises(ModelUnavailableError, match=r"'tiny' cannot be loaded from .*models remove tiny"):
        ctranslate2_lm.load(one)
