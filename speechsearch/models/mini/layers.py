"""The layers that the adapter and the network for letters are built of.

Source: Vaswani et al., 2017; Su et al., 2021, rotary positions (arXiv 2104.09864); Zhang and Sennrich, 2019, RMSNorm.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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
