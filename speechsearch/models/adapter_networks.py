"""Speech adapters: networks that turn the states of a speech encoder into input embeddings of a text encoder.

Source: Min et al., 2024, SpeechRAG (arXiv 2412.16500): states are averaged in fours, to one every 80 ms, and one linear
layer turns each into an input embedding of the frozen text encoder.
Differs: what lies behind a sound's end is left out of its last average; ``transformer`` and ``token`` are ours. With
the token adapter the text encoder reads about as many embeddings as a text has, not one every 80 ms.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechsearch.models.adapter_sizes import AdapterSizes
from speechsearch.models.mini.adapter import AdapterConfig as LayerConfig
from speechsearch.models.mini.adapter import AdapterLayer
from speechsearch.models.mini.adapter import TokenAdapter as MiniTokenAdapter
from speechsearch.models.mini.layers import Norm, rotary_tables


def averaged(states: Tensor, counts: Tensor, pool: int) -> tuple[Tensor, Tensor]:
    """Return (means, counts): of every ``pool`` states their mean, (sounds, frames / pool, width), the last of fewer.

    >>> means, counts = averaged(torch.tensor([[[1.0], [3.0], [5.0], [9.0]]]), torch.tensor([3]), 2)
    >>> means.flatten().tolist(), counts.tolist()
    ([2.0, 5.0], [2])
    """
    count, length, width = states.shape
    inside = (torch.arange(length, device=states.device)[None] < counts[:, None])[..., None]
    summed = F.pad(states * inside, (0, 0, 0, -length % pool)).reshape(count, -1, pool, width).sum(2)
    sizes = F.pad(inside, (0, 0, 0, -length % pool)).reshape(count, -1, pool, 1).sum(2)
    return summed / sizes.clamp(min=1).to(states.dtype), -(-counts // pool)


class LinearAdapter(nn.Module):
    """The paper's: one linear layer over averaged states."""

    def __init__(self, sizes: AdapterSizes, states_width: int, dim: int) -> None:
        super().__init__()
        self.sizes = sizes
        self.out = nn.Linear(states_width, dim)

    def forward(self, states: Tensor, counts: Tensor) -> list[Tensor]:
        """Return each sound's input embeddings, (frames, dim), from (sounds, frames, width) states."""
        means, counts = averaged(states, counts, self.sizes.pool)
        return rows_of(self.out(means), counts)


class TransformerAdapter(nn.Module):
    """A convolution over averaged states, layers of self-attention, and a linear layer."""

    def __init__(self, sizes: AdapterSizes, states_width: int, dim: int) -> None:
        super().__init__()
        self.sizes = sizes
        self.body = Body(sizes, states_width)
        self.out = nn.Linear(sizes.width, dim)

    def forward(self, states: Tensor, counts: Tensor) -> list[Tensor]:
        """Return each sound's input embeddings, (frames, dim), from (sounds, frames, width) states."""
        means, counts = averaged(states, counts, self.sizes.pool)
        return rows_of(self.out(self.body(means, counts)), counts)


class TokenAdapter(nn.Module):
    """The shipped model's adapter over averaged states: says where word pieces end, and which they may be."""

    def __init__(self, sizes: AdapterSizes, states_width: int, word_embeddings: Tensor, vocabulary: Tensor) -> None:
        """``vocabulary``: (pieces,) int64, the ids of the text encoder that can be said."""
        super().__init__()
        self.sizes = sizes
        config = LayerConfig(states_width, sizes.width, sizes.layers, sizes.heads)
        self.tokens = MiniTokenAdapter(config, vocabulary, word_embeddings)

    def forward(self, states: Tensor, counts: Tensor) -> list[Tensor]:
        """Return each sound's input embeddings, (pieces, dim), where a piece more likely ends than not."""
        means, counts = averaged(states, counts, self.sizes.pool)
        found, ends = self.tokens(means, counts)
        pairs = zip(rows_of(found, counts), rows_of(ends, counts), strict=True)
        return [self.tokens.soft_tokens(row, row_ends)[0] for row, row_ends in pairs]


class Body(nn.Module):
    """A linear layer, a convolution over five frames and layers of self-attention with rotary positions."""

    def __init__(self, sizes: AdapterSizes, states_width: int) -> None:
        super().__init__()
        self.sizes = sizes
        config = LayerConfig(width=sizes.width, heads=sizes.heads)
        self.inputs = nn.Linear(states_width, sizes.width)
        self.mix = nn.Conv1d(sizes.width, sizes.width, 5, padding=2)
        self.layers = nn.ModuleList(AdapterLayer(config) for _ in range(sizes.layers))
        self.norm = Norm(sizes.width)

    def forward(self, x: Tensor, counts: Tensor) -> Tensor:
        """Return (sounds, frames, width) of (sounds, frames, states_width)."""
        inside = torch.arange(x.shape[1], device=x.device)[None] < counts[:, None]
        x = self.inputs(x) * inside[..., None]
        x = x + F.silu(self.mix(x.transpose(1, 2)).transpose(1, 2))
        cosine, sine = rotary_tables(x.shape[1], self.sizes.width // self.sizes.heads, x.device)
        for layer in self.layers:
            x = layer(x, inside[:, None, None], cosine.to(x.dtype), sine.to(x.dtype))
        normed: Tensor = self.norm(x)
        return normed


Adapter = LinearAdapter | TransformerAdapter | TokenAdapter


def new_adapter(sizes: AdapterSizes, states_width: int, word_embeddings: Tensor, vocabulary: Tensor) -> Adapter:
    """Return an untrained adapter from states so wide into a text encoder's input embeddings, (ids, dim)."""
    if sizes.kind == "token":
        return TokenAdapter(sizes, states_width, word_embeddings, vocabulary)
    kind = LinearAdapter if sizes.kind == "linear" else TransformerAdapter
    return kind(sizes, states_width, word_embeddings.shape[1])


def rows_of(x: Tensor, counts: Tensor) -> list[Tensor]:
    """Return each sound's part of padded rows.

    >>> [len(row) for row in rows_of(torch.zeros(2, 3), torch.tensor([1, 3]))]
    [1, 3]
    """
    return [row[:count] for row, count in zip(x, counts.tolist(), strict=True)]
