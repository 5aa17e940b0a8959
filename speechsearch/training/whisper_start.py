"""Where the training of the speech encoder begins: Whisper's encoder, with a pooling and a head that are new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from speechsearch.models.mini.acoustic import AcousticConfig, AcousticEncoder

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
