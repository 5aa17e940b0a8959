"""The speech encoder of ``mini``: log-mel frames in, phoneme log-probabilities at 25 frames a second out.

Source: Radford et al., 2022, Whisper (arXiv 2212.04356), its encoder; Graves et al., 2006, CTC.
Differs: a sound is as long as it is, nothing is padded to 30 s; pairs of frames become one after the first layers, so
that the others do half the work; a linear CTC head on phonemes takes the place of the decoder.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FRAME_S = 0.04
"""An output frame."""


@dataclass(frozen=True, slots=True)
class AcousticConfig:
    """Sizes of the speech encoder; the defaults are those of the shipped model, Whisper's base.

    ``pooled_after``: after so many of the layers two frames become one.
    """

    mel_bins: int = 80
    width: int = 512
    layers: int = 6
    heads: int = 8
    expansion: int = 4
    pooled_after: int = 1
    symbols: int = 40


def positions(length: int, width: int, device: torch.device | None = None) -> Tensor:
    """Return Whisper's fixed sinusoids, (length, width) float32.

    >>> [[round(one, 3) for one in row] for row in positions(2, 4).tolist()]
    [[0.0, 0.0, 1.0, 1.0], [0.841, 0.0, 0.54, 1.0]]
    """
    rates = torch.exp(-math.log(10_000.0) / (width // 2 - 1) * torch.arange(width // 2, device=device))
    angles = torch.arange(length, device=device)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class Layer(nn.Module):
    """Self-attention and feed-forward, each added to the stream; normalised before."""

    def __init__(self, config: AcousticConfig) -> None:
        super().__init__()
        width, inner = config.width, config.expansion * config.width
        self.heads = config.heads
        self.attention_norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, inner)
        self.down = nn.Linear(inner, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the stream after the layer, (batch, time, width); ``mask``: (batch, 1, 1, time) bool, True inside."""
        batch, time, width = x.shape
        q, k, v = self.qkv(self.attention_norm(x)).view(batch, time, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, time, width))
        after: Tensor = x + self.down(F.gelu(self.up(self.feed_forward_norm(x))))
        return after


def output_frames(frames: Tensor) -> Tensor:
    """Return how many 40 ms output frames come of that many 10 ms input frames.

    >>> output_frames(torch.tensor([1, 4, 5, 101])).tolist()
    [1, 1, 2, 26]
    """
    return -(-frames // 4)


class AcousticEncoder(nn.Module):
    """Log-mel frames -> phoneme log-probabilities (CTC), four times fewer frames."""

    def __init__(self, config: AcousticConfig) -> None:
        super().__init__()
        self.config = config
        self.first = nn.Conv1d(config.mel_bins, config.width, 3, padding=1)
        self.second = nn.Conv1d(config.width, config.width, 3, stride=2, padding=1)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.pool = nn.Linear(2 * config.width, config.width)
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, config.symbols)

    def forward(self, frames: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Return (log_probs, counts): (batch, time, symbols) float32 and the valid frames of each row, (batch,) int64.

        ``frames``: (batch, time, mel_bins) float32; ``counts``: (batch,) int64, valid input frames. Symbol 0 is the
        CTC blank. A row's output does not depend on what else is in the batch.
        """
        states, counts = self.states(frames, counts)
        return self.head(states).float().log_softmax(-1), counts

    def states(self, frames: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the head reads, (batch, time, width), and the valid frames of each row; takes what it takes."""
        keep = inside(frames.shape[1], counts)
        x = F.gelu(self.first((frames * keep[..., None]).transpose(1, 2))) * keep[:, None]
        x = F.gelu(self.second(x)).transpose(1, 2)
        counts = -(-counts // 2)
        x = x + positions(x.shape[1], x.shape[2], x.device).to(x.dtype)
        for number, layer in enumerate(self.layers):
            if number == self.config.pooled_after:
                x, counts = self.pooled(x, counts), -(-counts // 2)
            x = layer(x, inside(x.shape[1], counts)[:, None, None])
        return self.norm(x), counts

    def pooled(self, x: Tensor, counts: Tensor) -> Tensor:
        """Return one frame for two, (batch, time / 2, width); what lies behind a row's end counts as zero."""
        x = x * inside(x.shape[1], counts)[..., None]
        x = F.pad(x, (0, 0, 0, x.shape[1] % 2))
        halved: Tensor = self.pool(x.reshape(x.shape[0], -1, 2 * x.shape[2]))
        return halved


def inside(length: int, counts: Tensor) -> Tensor:
    """Return which frames belong to their rows, (batch, length) bool.

    >>> inside(3, torch.tensor([1, 3])).tolist()
    [[True, False, False], [True, True, True]]
    """
    return torch.arange(length, device=counts.device)[None] < counts[:, None]
