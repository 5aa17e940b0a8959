"""HuBERT, WavLM and wav2vec 2.0 as frame encoders: networks that read the wave itself, of a folder of transformers.

Source: Hsu et al., 2021, HuBERT (arXiv 2106.07447); Chen et al., 2021, WavLM (arXiv 2110.13900).
Differs: where the first convolution is normalised over time (the base sizes), sounds are heard one at a time, because
the silence behind a short one would change what is heard of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from speechsearch.models.frames import FrameEncoder, additive_mask, inside_of
from speechsearch.models.load import Located
from speechsearch.models.transformers_network import open_transformers

TINY = 1e-7
"""What the wave's variance is raised by, as the networks' own extractor does it."""
SHORTEST_SAMPLES = 400
"""The first state needs so many."""


def load(located: Located) -> FrameEncoder:
    """Return the encoder of a checkpoint of transformers. Raises ModelUnavailableError."""
    network: Any = open_transformers(located, "AutoModel")
    is_levelled = _is_levelled(located.files.get("preprocessor_config.json"))
    return FrameEncoder(
        WaveFrames(network, is_levelled), located.card.fingerprint, located.device, network.config.hidden_size
    )


def _is_levelled(file: Path | None) -> bool:
    """Return whether every sound is given mean zero and variance one first, as its preprocessor says; else as usual."""
    return file is None or bool(json.loads(file.read_text(encoding="utf-8")).get("do_normalize", True))


class WaveFrames:
    """The parts of such a network."""

    def __init__(self, network: Any, is_levelled: bool) -> None:
        self.network, self.layers = network, network.encoder.layers
        config = network.config
        self.is_levelled = is_levelled
        self.is_stable: bool = config.do_stable_layer_norm
        self.hears_together = config.feat_extract_norm == "layer"
        self.frame_s = float(torch.tensor(config.conv_stride).prod()) / 16_000
        self.has_relative_bias = config.model_type == "wavlm"
        if self.has_relative_bias:
            for layer in self.layers:
                layer.attention.torch_multi_head_self_attention = partial(attended, layer.attention)

    def front(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the states before the layers, and the frames of each sound."""
        samples = F.pad(samples, (0, max(0, SHORTEST_SAMPLES - samples.shape[1])))
        if self.is_levelled:
            samples = levelled(samples, lengths)
        network = self.network
        dtype = network.feature_projection.projection.weight.dtype
        found = network.feature_projection(network.feature_extractor(samples.to(dtype)).transpose(1, 2))
        states = found[0] if isinstance(found, tuple) else found
        counts = network._get_feat_extract_output_lengths(lengths.clamp(min=SHORTEST_SAMPLES))
        inside = inside_of(counts, states.shape[1])
        states = states * inside[..., None]
        states = states + network.encoder.pos_conv_embed(states)
        return (states if self.is_stable else network.encoder.layer_norm(states)), counts

    def context(self, states: Tensor, inside: Tensor) -> Mapping[str, Any]:
        """Return the mask of attention, and WavLM's bias by distance."""
        if not self.has_relative_bias:
            return {"attention_mask": additive_mask(inside, states.dtype)}
        count, length = inside.shape
        attention = self.layers[0].attention
        bias = attention.compute_bias(length, length)[None].expand(count, -1, -1, -1)
        return {"attention_mask": inside, "position_bias": bias.reshape(-1, length, length)}

    def finish(self, states: Tensor) -> Tensor:
        """Return the states, normalised where that was not done before the layers."""
        normed: Tensor = self.network.encoder.layer_norm(states) if self.is_stable else states
        return normed


def attended(attention: Any, states: Tensor, inside: Tensor | None, bias: Tensor) -> tuple[Tensor, None]:
    """Return what WavLM's attention gives, (sounds, frames, width), and no weights; ``inside``: None for all.

    The library's own way reads the weights of the projections by themselves, past what LoRA adds to them.
    """
    count, length, width = states.shape
    projected = (project(states) for project in (attention.q_proj, attention.k_proj, attention.v_proj))
    q, k, v = (one.view(count, length, attention.num_heads, -1).transpose(1, 2) for one in projected)
    mask = bias.view(count, attention.num_heads, length, length)
    mask = mask if inside is None else mask + additive_mask(inside, bias.dtype)
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask.to(q.dtype))
    return attention.out_proj(mixed.transpose(1, 2).reshape(count, length, width)), None


def levelled(samples: Tensor, lengths: Tensor) -> Tensor:
    """Return every sound with mean zero and variance one, (sounds, samples), zero behind its end.

    >>> levelled(torch.tensor([[1.0, 3.0, 0.0]]), torch.tensor([2])).round().int().tolist()
    [[-1, 1, 0]]
    """
    inside = inside_of(lengths, samples.shape[1])
    sizes = lengths.clamp(min=1)[:, None]
    mean = (samples * inside).sum(1, keepdim=True) / sizes
    centred = (samples - mean) * inside
    return centred / (centred.square().sum(1, keepdim=True) / sizes + TINY).sqrt()
