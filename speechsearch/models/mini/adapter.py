"""The speech adapter of ``mini``: phoneme posteriors in, soft word pieces of the frozen text encoder out.

Source: Min et al., 2024, SpeechRAG (arXiv 2412.16500): a frozen text embedder reads speech through an adapter.
Differs: the adapter reads phoneme posteriors at the encoder's spikes, not hidden states, and gives at every spike the
probability that a word piece ends there and a distribution over word pieces. The text encoder then reads expected
embeddings: nothing is decided, so what was misheard stays near what was said.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechsearch.models.mini.layers import FeedForward, Norm, SelfAttention, rotary_tables


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """Sizes of the adapter; the defaults are those of the shipped model."""

    symbols: int = 40
    width: int = 256
    layers: int = 4
    heads: int = 4
    expansion: int = 4


def spikes(log_probs: Tensor) -> tuple[Tensor, Tensor]:
    """Return (posteriors, frames) of the CTC spikes of one passage: what is left when blanks are dropped.

    ``log_probs``: (time, symbols) float32. ``posteriors``: (spikes, symbols) float32, of every run of one best symbol
    that is not blank the mean over its frames; ``frames``: (spikes,) int64, the run's first frame.

    >>> best = torch.tensor([0, 3, 3, 0, 2, 0])
    >>> posteriors, frames = spikes(F.one_hot(best, 4).float().clamp(min=1e-9).log())
    >>> posteriors.argmax(-1).tolist(), frames.tolist()
    ([3, 2], [1, 4])
    """
    best = log_probs.argmax(-1)
    values, run, sizes = torch.unique_consecutive(best, return_inverse=True, return_counts=True)
    means = torch.zeros(len(values), log_probs.shape[1], device=log_probs.device)
    means = means.index_add_(0, run, log_probs.exp()) / sizes[:, None]
    starts = sizes.cumsum(0) - sizes
    is_spoken = values > 0
    return means[is_spoken], starts[is_spoken]


class AdapterLayer(nn.Module):
    """Self-attention and feed-forward, each added to the stream."""

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config.width, config.heads)
        self.feed_forward = FeedForward(config.width, config.expansion)

    def forward(self, x: Tensor, mask: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """Return the stream after the layer, (batch, spikes, width)."""
        x = x + self.attention(x, mask, cosine, sine)
        after: Tensor = x + self.feed_forward(x)
        return after


class TokenAdapter(nn.Module):
    """Phoneme posteriors -> where word pieces end, and which ones."""

    vocabulary: Tensor
    embeddings: Tensor
    directions: Tensor

    def __init__(self, config: AdapterConfig, vocabulary: Tensor, word_embeddings: Tensor) -> None:
        """``vocabulary``: (pieces,) int64, the text encoder's ids that the adapter can give.

        ``word_embeddings``: (ids, dim) float32, the text encoder's own; frozen here too.
        """
        super().__init__()
        self.config = config
        dim = word_embeddings.shape[1]
        self.inputs = nn.Linear(config.symbols, config.width)
        self.mix = nn.Conv1d(config.width, config.width, 5, padding=2)
        self.layers = nn.ModuleList(AdapterLayer(config) for _ in range(config.layers))
        self.norm = Norm(config.width)
        self.ends = nn.Linear(config.width, 1)
        self.query = nn.Linear(config.width, dim)
        self.bias = nn.Parameter(torch.zeros(len(vocabulary)))
        self.register_buffer("vocabulary", vocabulary)
        self.register_buffer("embeddings", word_embeddings[vocabulary], persistent=False)
        centred = word_embeddings[vocabulary] - word_embeddings[vocabulary].mean(0)
        self.register_buffer("directions", F.normalize(centred, dim=-1), persistent=False)

    def forward(self, posteriors: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Return (states, ends): (batch, spikes, width) and the logit that a word piece ends there, (batch, spikes).

        ``posteriors``: (batch, spikes, symbols) float32; ``counts``: (batch,) int64, the valid spikes of each row.
        """
        inside = torch.arange(posteriors.shape[1], device=posteriors.device)[None] < counts[:, None]
        keep = inside[..., None].to(posteriors.dtype)
        x = self.inputs(posteriors) * keep
        x = x + F.silu(self.mix(x.transpose(1, 2)).transpose(1, 2))
        cosine, sine = rotary_tables(x.shape[1], self.config.width // self.config.heads, x.device)
        cosine, sine = cosine.to(x.dtype), sine.to(x.dtype)
        for layer in self.layers:
            x = layer(x, inside[:, None, None, :], cosine, sine)
        x = self.norm(x)
        return x, self.ends(x).squeeze(-1).float()

    def piece_logits(self, states: Tensor, subset: Tensor | None = None) -> Tensor:
        """Return logits over the vocabulary, or over ``subset`` of it, for states (n, width): (n, pieces) float32."""
        directions = self.directions if subset is None else self.directions[subset]
        bias = self.bias if subset is None else self.bias[subset]
        logits: Tensor = self.query(states) @ directions.T + bias
        return logits

    def soft_tokens(self, states: Tensor, ends: Tensor, best: int = 50) -> tuple[Tensor, Tensor, Tensor]:
        """Return (embeddings, chances, pieces) of one row at the spikes where a piece more likely ends than not.

        ``states``: (spikes, width); ``ends``: (spikes,). ``embeddings``: (tokens, dim) float32, expected over the
        ``best`` likeliest pieces; ``chances``: (tokens, best) float32, theirs, descending; ``pieces``: (tokens, best)
        int64, which they are, as ids of the text encoder.
        """
        logits = self.piece_logits(states[ends > 0]).float()
        top, index = logits.topk(min(best, logits.shape[-1]), dim=-1)
        chances = top.softmax(-1)
        embeddings = torch.einsum("tk,tkd->td", chances, self.embeddings[index].float())
        return embeddings, chances, self.vocabulary[index]
