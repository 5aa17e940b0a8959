"""A tokenizer like rvq-mini with random weights; the family is the program's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from speechsearch.models.card import ModelCard, ModelFile
from speechsearch.models.mini.packed import packed
from speechsearch.models.rvq_mini import RvqNetwork
from tests.tiny.saving import NOT_SAVED, sha256_of

CARD = ModelCard(
    name="tiny-rvq",
    task="audio tokenizer",
    factory="speechsearch.models.rvq_mini:load",
    summary="random",
    licence="Apache-2.0",
    files=(NOT_SAVED,),
)


def save(folder: Path) -> ModelCard:
    """Write the model into a folder and return its card."""
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        network = RvqNetwork()
        network.quantizer.codebooks.normal_(0, 0.1)
    save_file(packed(network.state_dict()), folder / NOT_SAVED.name)
    return replace(CARD, files=(ModelFile(NOT_SAVED.name, sha256_of(folder / NOT_SAVED.name)),))
