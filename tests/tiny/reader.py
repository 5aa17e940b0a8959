"""A tiny reader over the tiny text encoder, another width and one layer; the family is the program's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import BertConfig

from speechsearch.models.card import ModelCard, ModelFile
from speechsearch.models.mini.packed import packed
from speechsearch.models.reader import SpanNetwork
from tests.tiny import bert
from tests.tiny.saving import NOT_SAVED, sha256_of

CARD = ModelCard(
    name="tiny-reader",
    task="reader",
    factory="speechsearch.models.reader:load",
    summary="random, one layer",
    licence="Apache-2.0",
    files=(NOT_SAVED,),
    needs=(("text encoder", bert.CARD.name),),
)


def save(folder: Path) -> ModelCard:
    """Write the model into a folder and return its card."""
    folder.mkdir(parents=True, exist_ok=True)
    config = BertConfig(
        hidden_size=bert.CARD.dim, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        attn_implementation="sdpa",
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        network = SpanNetwork(config, layers=1)
    save_file(packed(network.state_dict()), folder / NOT_SAVED.name)
    return replace(CARD, files=(ModelFile(NOT_SAVED.name, sha256_of(folder / NOT_SAVED.name)),))
