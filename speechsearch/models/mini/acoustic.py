"""The speech encoder of ``mini``: log-mel frames in, phoneme log-probabilities at 25 frames a second out.

Source: Gulati et al., 2020, Conformer (arXiv 2005.08100); Graves et al., 2006, CTC; Su et al., 2021, rotary positions
(arXiv 2104.09864).
Differs: one feed-forward layer a block instead of two halves, RMS normalisation, a normalised depthwise convolution
without batch statistics, so that a passage's output does not depend on its neighbours in the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class AcousticConfig:
    """Sizes of the speech encoder; the defaults are those of the shipped model."""

    mel_bins: int = 80
    width: int = 256
    blocks: int = 7
    heads: int = 4
    kernel: int = 15
    expansion: int = 4
    symbols: int = 40


def rotary_tables(length: int, head_dim: int, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Return cosine and sine tables of rotary positions, each (length, head_dim) float32."""
    frequencies = 10_000.0 ** (-torch.arange(0, head_dim, 2, device=device).float() / head_dim)
    angles = torch.arange(length, device=device).float()[:, None] * frequencies
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Return ``x`` (..., time, head_dim) turned by its position."""
    half = x.shape[-1] // 2
    turned = torch.cat([-x[..., half:], x[..., :half]], dim=-1)
    return x * cosine + turned * sine


class Norm(nn.RMSNorm):
    """RMS normalisation whose weight follows the input's precision: only then one fused kernel does it."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised stream, of the same shape."""
        normed: Tensor = F.rms_norm(x, self.normalized_shape, self.weight.to(x.dtype), self.eps)
        return normed


class SelfAttention(nn.Module):
    """Multi-head self-attention with rotary positions over the frames that ``mask`` keeps."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = Norm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, mask: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """Return what the attention adds, (batch, time, width)."""
        batch, time, width = x.shape
        q, k, v = self.qkv(self.norm(x)).view(batch, time, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = rotate(q, cosine, sine), rotate(k, cosine, sine)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        added: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, time, width))
        return added


class ConvolutionModule(nn.Module):
    """Gated depthwise convolution over time."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.norm = Norm(width)
        self.gate = nn.Linear(width, 2 * width, bias=False)
        self.depthwise = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.inner_norm = Norm(width)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        """Return what the convolution adds, (batch, time, width)."""
        gated = F.glu(self.gate(self.norm(x)), dim=-1) * keep
        mixed = self.depthwise(gated.transpose(1, 2)).transpose(1, 2)
        added: Tensor = self.out(F.silu(self.inner_norm(mixed)))
        return added


class FeedForward(nn.Module):
    """Two linear layers with SiLU between."""

    def __init__(self, width: int, expansion: int) -> None:
        super().__init__()
        self.norm = Norm(width)
        self.up = nn.Linear(width, expansion * width, bias=False)
        self.down = nn.Linear(expansion * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return what the layers add, (batch, time, width)."""
        added: Tensor = self.down(F.silu(self.up(self.norm(x))))
        return added


class Block(nn.Module):
    """Attention, convolution and feed-forward, each added to the stream."""

    def __init__(self, config: AcousticConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config.width, config.heads)
        self.convolution = ConvolutionModule(config.width, config.kernel)
        self.feed_forward = FeedForward(config.width, config.expansion)

    def forward(self, x: Tensor, keep: Tensor, mask: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """Return the stream after the block, (batch, time, width)."""
        x = x + self.attention(x, mask, cosine, sine)
        x = x + self.convolution(x, keep)
        after: Tensor = x + self.feed_forward(x)
        return after


def output_frames(frames: Tensor) -> Tensor:
    """Return how many 40 ms output frames come of that many 10 ms input frames.

    >>> output_frames(torch.tensor([1, 4, 5, 101])).tolist()
    [1, 1, 2, 26]
    """
    halved = (frames - 1) // 2 + 1
    return (halved - 1) // 2 + 1


class AcousticEncoder(nn.Module):
    """Log-mel frames -> phoneme log-probabilities (CTC), four times fewer frames."""

    def __init__(self, config: AcousticConfig) -> None:
        super().__init__()
        self.config = config
        self.first = nn.Conv1d(config.mel_bins, config.width, 5, stride=2, padding=2)
        self.second = nn.Conv1d(config.width, config.width, 5, stride=2, padding=2)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.norm = Norm(config.width)
        self.head = nn.Linear(config.width, config.symbols)

    def forward(self, frames: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Return (log_probs, counts): (batch, time, symbols) float32 and the valid frames of each row, (batch,) int64.

        ``frames``: (batch, time, mel_bins) float32; ``counts``: (batch,) int64, valid input frames. Symbol 0 is the
        CTC blank.
        """
        x = F.silu(self.first(frames.transpose(1, 2)))
        halved = (counts - 1) // 2 + 1
        x = x * (torch.arange(x.shape[2], device=x.device) < halved[:, None])[:, None]
        x = F.silu(self.second(x)).transpose(1, 2)
        counts = output_frames(counts)
        inside = torch.arange(x.shape[1], device=x.device)[None] < counts[:, None]
        cosine, sine = rotary_tables(x.shape[1], self.config.width // self.config.heads, x.device)
        cosine, sine = cosine.to(x.dtype), sine.to(x.dtype)
        keep, mask = inside[..., None].to(x.dtype), inside[:, None, None, :]
        for block in self.blocks:
            x = block(x, keep, mask, cosine, sine)
        return self.head(self.norm(x)).float().log_softmax(-1), counts
