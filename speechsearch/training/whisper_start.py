"""Where the training of the speech encoder begins: Whisper's encoder, with a pooling and a head that are new, or what
was trained before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from speechsearch.models.mini.acoustic import AcousticConfig, AcousticEncoder
from speechsearch.models.mini.packed import WEIGHTS
from speechsearch.training.checkpoint import load_start

LAYER_PARTS = {
    "self_attn.out_proj": "out",
    "self_attn_layer_norm": "attention_norm",
    "final_layer_norm": "feed_forward_norm",
    "fc1": "up",
    "fc2": "down",
}
"""Name in transformers' ``WhisperEncoder`` -> name here."""
OUTER_PARTS = {"conv1": "first", "conv2": "second", "layer_norm": "norm"}


def sized(state: Mapping[str, Tensor], config: AcousticConfig) -> AcousticConfig:
    """Return the sizes of a ``WhisperEncoder``'s state; a head is 64 wide in all of Whisper's."""
    layers = len({name.split(".")[1] for name in state if name.startswith("layers.")})
    width, mel_bins = state["conv1.weight"].shape[:2]
    return replace(config, mel_bins=mel_bins, width=width, layers=layers, heads=width // 64)


def encoder_from_whisper(state: Mapping[str, Tensor], config: AcousticConfig) -> AcousticEncoder:
    """Return a speech encoder with the weights of a ``WhisperEncoder``'s state; pairs of frames become their mean."""
    config = sized(state, config)
    encoder = AcousticEncoder(config)
    ours = encoder.state_dict()
    named = {f"{theirs}.": f"{name}." for theirs, name in OUTER_PARTS.items()}
    for layer in range(config.layers):
        prefix = f"layers.{layer}."
        named |= {f"{prefix}{theirs}.": f"{prefix}{name}." for theirs, name in LAYER_PARTS.items()}
        attention = f"{prefix}self_attn."
        ours[f"{prefix}qkv.weight"] = torch.cat([state[f"{attention}{one}_proj.weight"] for one in "qkv"])
        no_bias = torch.zeros(config.width)
        ours[f"{prefix}qkv.bias"] = torch.cat(
            [state.get(f"{attention}{one}_proj.bias", no_bias) for one in "qkv"]  # the keys have none
        )
    for theirs, name in named.items():
        for kind in ("weight", "bias"):
            ours[name + kind] = state[theirs + kind]
    half = torch.eye(config.width) / 2
    ours["pool.weight"], ours["pool.bias"] = torch.cat([half, half], 1), torch.zeros(config.width)
    encoder.load_state_dict(ours)
    return encoder


def count_layers(file: Path, prefix: str, width_of: str) -> tuple[int, int]:
    """Return (layers, width) of the network in a file; ``width_of``: a matrix of each with so many rows."""
    with safe_open(file, "pt") as tensors:
        layers = {key[len(prefix) :].split(".")[0] for key in tensors.keys() if key.startswith(prefix)}  # noqa: SIM118
        width = tensors.get_slice(f"{prefix}0.{width_of}").get_shape()[0]
    return len(layers), width


def trained_encoder(path: Path, pooled_after: int = 1) -> tuple[AcousticEncoder, int]:
    """Return the encoder of a training's state, or of a shipped model's folder, in its size, and the step it is at."""
    layers, width = count_layers(path / WEIGHTS if path.is_dir() else path, "encoder.layers.", "out.weight")
    encoder = AcousticEncoder(AcousticConfig(layers=layers, width=width, heads=width // 64, pooled_after=pooled_after))
    return encoder, load_start(path, {"encoder": encoder})
