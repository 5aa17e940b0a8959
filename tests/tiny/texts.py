"""Tiny random text encoders as folders of sentence-transformers, of the same classes as the public ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    MistralConfig,
    MistralModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3Model,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from speechsearch.models.card import ModelCard
from speechsearch.models.text_cards import card_of_folder
from tests.tiny import bert

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
WIDTH = 32
SMALL = {
    "hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
    "initializer_range": 0.5,
}  # fmt: skip


@dataclass(frozen=True)
class Family:
    """What writes a folder of a family; the card is made of the folder as a user's is."""

    name: str
    write: Callable[[Path], None]

    @property
    def CARD(self) -> ModelCard:
        """A card with nothing but a name and a task, for lists of names."""
        return ModelCard(
            name=self.name, task="text encoder", factory="tests.tiny.texts:none", summary="random",
            licence="Apache-2.0", revision="-", dim=1,
        )  # fmt: skip

    def save(self, folder: Path) -> ModelCard:
        """Write the folder and return its card."""
        folder.mkdir(parents=True, exist_ok=True)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            self.write(folder)
        return card_of_folder(self.name, folder)


def none(located: Any) -> None:
    """Never called: the card of ``save`` names the real factory."""
    raise AssertionError(located)


def byte_level(template: str = "") -> Tokenizer:
    """A tokeniser that reads any text byte by byte; ``template``: what stands around a text."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({one: number for number, one in enumerate([*SPECIAL, *alphabet])}, []))
    made.add_special_tokens(SPECIAL)
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    if template:
        made.post_processor = processors.TemplateProcessing(
            single=template, special_tokens=[(one, number) for number, one in enumerate(SPECIAL)]
        )
    return made


def write(folder: Path, network: Any, tokenizer: Tokenizer, pooling: str, prompts: dict[str, str], **more: Any) -> None:
    """Write what sentence-transformers does; ``more``: of its configuration."""
    network.save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>"
    ).save_pretrained(folder)
    write_modules(folder, pooling)
    said = {"prompts": prompts, "default_prompt_name": None, **more}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(said), encoding="utf-8")
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 96}', encoding="utf-8")


def write_modules(folder: Path, pooling: str, dense: str = "") -> None:
    """Write the list of modules."""
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling"), *([(dense, "Dense")] if dense else []), ("9", "Normalize")]
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (path, kind) in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    (folder / "1_Pooling").mkdir(exist_ok=True)
    switches = {f"pooling_mode_{way}": way == pooling for way in ("cls_token", "mean_tokens", "lasttoken")}
    said = json.dumps({"word_embedding_dimension": WIDTH, **switches})
    (folder / "1_Pooling" / "config.json").write_text(said, encoding="utf-8")


def _vocabulary() -> dict[str, int]:
    return {"vocab_size": byte_level().get_vocab_size(), "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}


def _mistral(folder: Path) -> None:
    config = MistralConfig(**SMALL, **_vocabulary(), num_key_value_heads=1, max_position_embeddings=128)
    write(
        folder, MistralModel(config), byte_level("<s> $A"), "lasttoken", {"web_search_query": "Instruct: find\nQuery: "}
    )


def _qwen3(folder: Path) -> None:
    config = Qwen3Config(**SMALL, **_vocabulary(), num_key_value_heads=1, head_dim=16, max_position_embeddings=128)
    prompts = {"query": "Instruct: find\nQuery:", "document": ""}
    write(folder, Qwen3Model(config), byte_level("$A </s>"), "lasttoken", prompts, truncate_dim=16)


def _xlm_roberta(folder: Path) -> None:
    config = XLMRobertaConfig(**SMALL, **_vocabulary(), max_position_embeddings=100)
    write(folder, XLMRobertaModel(config, add_pooling_layer=False), byte_level("<s> $A </s>"), "cls_token", {})


def _bert(folder: Path) -> None:
    bert.save(folder)
    write_modules(folder, "mean_tokens")
    said = {"prompts": {"query": "query: ", "passage": "passage: "}}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(said), encoding="utf-8")


def _dense(folder: Path) -> None:
    words = bert.tokenizer()
    config = BertConfig(**SMALL, vocab_size=words.get_vocab_size(), max_position_embeddings=128)
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]", pad_token="[PAD]").save_pretrained(folder)
    write_modules(folder, "mean_tokens", "2_Dense")
    (folder / "2_Dense").mkdir(exist_ok=True)
    layer = torch.nn.Linear(WIDTH, 24)
    save_file({f"linear.{name}": one for name, one in layer.state_dict().items()}, folder / "2_Dense/model.safetensors")
    said = {
        "in_features": WIDTH,
        "out_features": 24,
        "bias": True,
        "activation_function": "torch.nn.modules.activation.Tanh",
    }
    (folder / "2_Dense/config.json").write_text(json.dumps(said), encoding="utf-8")


MISTRAL = Family("tiny-mistral", _mistral)
QWEN3 = Family("tiny-qwen3-embedding", _qwen3)
XLM_ROBERTA = Family("tiny-xlm-roberta", _xlm_roberta)
BERT = Family("tiny-bert-folder", _bert)
DENSE = Family("tiny-dense", _dense)
ALL = (MISTRAL, QWEN3, XLM_ROBERTA, BERT, DENSE)
