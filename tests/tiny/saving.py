"""Writes a tiny model as a card's files, and reads its weights."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import nn
from transformers import PretrainedConfig

from speechsearch.models.card import ModelCard, ModelFile
from speechsearch.models.load import Located

NOT_SAVED = ModelFile("model.safetensors", "0" * 64)


def save_files(folder: Path, card: ModelCard, network: nn.Module, config: PretrainedConfig) -> ModelCard:
    """Write weights and sizes beside what is in the folder, and return the card with all files' names and sha256."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.contiguous().clone() for name, tensor in network.state_dict().items()}
    save_file(weights, folder / NOT_SAVED.name)
    (folder / "config.json").write_text(config.to_json_string(use_diff=False), encoding="utf-8")
    paths = sorted(filter(Path.is_file, folder.iterdir()), key=lambda path: path.name != NOT_SAVED.name)
    return replace(card, files=tuple(ModelFile(path.name, sha256_of(path)) for path in paths))


def read_weights(located: Located, network: nn.Module) -> None:
    """Put the weights into the network, and the network onto the device, ready to be asked."""
    network.load_state_dict(load_file(located.files[NOT_SAVED.name]))
    network.to(located.device.torch_device, located.device.torch_dtype).eval()


def sha256_of(path: Path) -> str:
    """The sha256 of a small file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
