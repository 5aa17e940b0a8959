"""Whisper's encoder as a frame encoder: of the packages that the recogniser comes in, or of a folder of transformers.

Source: Radford et al., 2022, Whisper (arXiv 2212.04356).
Differs: a sound is as long as it is, nothing is padded to 30 s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from speechsearch.models.ctranslate2_file import whisper_encoder_state
from speechsearch.models.frames import FrameEncoder, additive_mask, inside_of
from speechsearch.models.load import Located
from speechsearch.models.mini.frontend import LogMel
from speechsearch.models.transformers_network import open_transformers

HEAD_WIDTH = 64
"""In all of Whisper's sizes."""


def load_packaged(located: Located) -> FrameEncoder:
    """Return the encoder of a ``model.bin`` of CTranslate2. Raises ModelUnavailableError."""
    return of_state(located, whisper_encoder_state(located.files["model.bin"]))


def of_state(located: Located, state: Mapping[str, Tensor]) -> FrameEncoder:
    """Return the encoder with the weights of a ``WhisperEncoder``."""
    width, mel_bins = state["conv1.weight"].shape[:2]
    sizes = {
        "d_model": width,
        "num_mel_bins": mel_bins,
        "encoder_layers": len({name.split(".")[1] for name in state if name.startswith("layers.")}),
        "encoder_attention_heads": max(1, width // HEAD_WIDTH),
        "encoder_ffn_dim": state["layers.0.fc1.weight"].shape[0],
        "max_source_positions": state["embed_positions.weight"].shape[0],
    }
    config = WhisperConfig.from_dict(sizes, attn_implementation="sdpa")
    network = WhisperEncoder(config)
    network.load_state_dict(state)
    return _encoder(located, network)


def load(located: Located) -> FrameEncoder:
    """Return the encoder of a checkpoint of transformers. Raises ModelUnavailableError."""
    whole: Any = open_transformers(located, "AutoModel")
    return _encoder(located, whole.get_encoder())


def _encoder(located: Located, network: WhisperEncoder) -> FrameEncoder:
    family = WhisperFrames(network)
    encoder = FrameEncoder(family, located.card.fingerprint, located.device, network.config.d_model)
    family.log_mel.to(encoder.device)
    return encoder


class WhisperFrames:
    """The parts of Whisper's encoder."""

    frame_s, hears_together = 0.02, True

    def __init__(self, network: WhisperEncoder) -> None:
        self.network, self.layers = network, network.layers
        self.log_mel: nn.Module = LogMel(network.config.num_mel_bins)

    def front(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the states before the layers, and the frames of each sound."""
        with torch.autocast(samples.device.type, enabled=False):
            frames, counts = self.log_mel(F.pad(samples, (0, max(0, 400 - samples.shape[1]))), lengths)
        inside = inside_of(counts, frames.shape[1])
        x = frames.to(self.network.conv1.weight.dtype).transpose(1, 2)
        x = F.gelu(self.network.conv1(x)) * inside[:, None]
        x = F.gelu(self.network.conv2(x)).transpose(1, 2)
        most = self.network.embed_positions.num_embeddings
        return (x + self.network.embed_positions.weight[: x.shape[1]])[:, :most], (-(-counts // 2)).clamp(max=most)

    def context(self, states: Tensor, inside: Tensor) -> Mapping[str, Any]:
        """Return the mask of attention."""
        return {"attention_mask": additive_mask(inside, states.dtype)}

    def finish(self, states: Tensor) -> Tensor:
        """Return the states, normalised."""
        normed: Tensor = self.network.layer_norm(states)
        return normed
