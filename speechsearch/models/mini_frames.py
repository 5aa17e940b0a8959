"""The shipped model's speech encoder as a frame encoder: Whisper's, tuned on phonemes, a state every 40 ms."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechsearch.models.frames import FrameEncoder, inside_of
from speechsearch.models.load import Located
from speechsearch.models.mini.acoustic import AcousticEncoder, positions
from speechsearch.models.mini.frontend import LogMel


def load(located: Located) -> FrameEncoder:
    """Return the frame encoder of the speech encoder that its card needs; its weights are copied."""
    (encoder,) = located.needed.values()
    family = MiniFrames(copy.deepcopy(encoder.model.encoder))
    made = FrameEncoder(family, located.card.fingerprint, located.device, family.network.config.width)
    family.log_mel.to(made.device)
    return made


class MiniFrames:
    """The parts of the network: what comes before two frames become one belongs to the front."""

    frame_s, hears_together = 0.04, True

    def __init__(self, network: AcousticEncoder) -> None:
        self.network = network
        self.layers = nn.ModuleList(list(network.layers)[network.config.pooled_after :])
        self.log_mel: nn.Module = LogMel()

    def front(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the states before the layers, and the frames of each sound."""
        network = self.network
        with torch.autocast(samples.device.type, enabled=False):
            frames, counts = self.log_mel(F.pad(samples, (0, max(0, 400 - samples.shape[1]))), lengths)
        inside = inside_of(counts, frames.shape[1])
        x = frames.to(network.first.weight.dtype).transpose(1, 2)
        x = F.gelu(network.first(x)) * inside[:, None]
        x = F.gelu(network.second(x)).transpose(1, 2)
        counts = -(-counts // 2)
        x = x + positions(x.shape[1], x.shape[2], x.device).to(x.dtype)
        for layer in list(network.layers)[: network.config.pooled_after]:
            x = layer(x, inside_of(counts, x.shape[1])[:, None, None])
        return network.pooled(x, counts), -(-counts // 2)

    def context(self, states: Tensor, inside: Tensor) -> Mapping[str, Any]:
        """Return the mask of attention."""
        return {"mask": inside[:, None, None]}

    def finish(self, states: Tensor) -> Tensor:
        """Return the states, normalised."""
        normed: Tensor = self.network.norm(states)
        return normed
