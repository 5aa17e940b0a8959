"""A whole passage as a few codes, from its sound alone.

Source: Okabe, Koshinaka and Shinoda, 2018, attentive statistics pooling (arXiv 1803.10963); Lee et al., 2022, RQ-VAE
(arXiv 2203.01941); put together for documents of speech by dodofk/SpeechGR (S2GSR-UnitY).
Differs: what is made again of the codes is the mean and deviation of the states over time, not every state: a passage's
codes are to say what it is, not when; before anything is quantised the codebooks are started from all passages.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from speechsearch.models.residual_quantizer import ResidualVectorQuantizer

LEAST_VARIANCE = 1e-6
KERNEL = 5


def padded(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return rows (frames, dim) behind each other, (rows, longest, dim), and which frames are theirs, (rows, longest).

    >>> filled, is_inside = padded([torch.ones(1, 2), torch.ones(3, 2)])
    >>> tuple(filled.shape), is_inside.sum(1).tolist()
    ((2, 3, 2), [1, 3])
    """
    lengths = torch.tensor([len(row) for row in rows], device=rows[0].device)
    filled = nn.utils.rnn.pad_sequence(list(rows), batch_first=True)
    return filled, torch.arange(filled.shape[1], device=filled.device)[None] < lengths[:, None]


def weighted_statistics(states: Tensor, weights: Tensor) -> Tensor:
    """Return mean and deviation of states (rows, frames, dim) by weights (rows, frames, 1 or dim), (rows, 2 * dim).

    The weights of a row add up to 1.

    >>> weighted_statistics(torch.tensor([[[1.0], [3.0]]]), torch.tensor([[[0.5], [0.5]]])).tolist()
    [[2.0, 1.0]]
    """
    mean = (states * weights).sum(1)
    variance = (states.square() * weights).sum(1) - mean.square()
    return torch.cat([mean, variance.clamp(min=LEAST_VARIANCE).sqrt()], dim=1)


def plain_statistics(states: Tensor, is_inside: Tensor) -> Tensor:
    """Return mean and deviation of states (rows, frames, dim) over the frames that are inside, (rows, 2 * dim)."""
    return weighted_statistics(states, (is_inside / is_inside.sum(1, keepdim=True))[..., None])


class AttentiveStatisticsPooling(nn.Module):
    """Frames -> one vector of twice the size: mean and deviation by weights that are learnt."""

    def __init__(self, dim: int, hidden: int = 64) -> None:
        super().__init__()
        self.scores = nn.Sequential(nn.Linear(dim, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    def forward(self, states: Tensor, is_inside: Tensor) -> Tensor:
        """Return (rows, 2 * dim) of states (rows, frames, dim); frames that are not inside count nothing."""
        scores = self.scores(states).masked_fill(~is_inside[..., None], -torch.inf)
        return weighted_statistics(states, scores.softmax(1))


class ResidualBlock(nn.Module):
    """Neighbouring frames, added to the stream."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.near = nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, is_inside: Tensor) -> Tensor:
        """Return the stream after the block, (rows, frames, width)."""
        near = self.near((self.norm(x) * is_inside[..., None]).transpose(1, 2)).transpose(1, 2)
        after: Tensor = x + self.out(nn.functional.gelu(near))
        return after


class DocumentRQVAE(nn.Module):
    """A passage's states -> a vector -> codes -> mean and deviation of the states, as they are over all passages.

    ``center``, ``scale`` (2 * dim,): what the mean and deviation of states usually are, set by ``fit_scale``.
    """

    center: Tensor
    scale: Tensor

    def __init__(
        self, dim: int, levels: int, codebook_size: int, width: int = 128, code_dim: int = 64, blocks: int = 2
    ) -> None:
        super().__init__()
        self.inputs = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, width))
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(blocks))
        self.pooling = AttentiveStatisticsPooling(width)
        self.to_code = nn.Linear(2 * width, code_dim)
        self.quantizer = ResidualVectorQuantizer(levels, codebook_size, code_dim)
        self.decoder = nn.Sequential(nn.Linear(code_dim, 2 * width), nn.GELU(), nn.Linear(2 * width, 2 * dim))
        self.register_buffer("center", torch.zeros(2 * dim))
        self.register_buffer("scale", torch.ones(2 * dim))

    @torch.no_grad()
    def fit_scale(self, passages: Sequence[Tensor]) -> None:
        """Set what mean and deviation of states usually are, from some passages (frames, dim)."""
        found = plain_statistics(*padded(passages))
        self.center.copy_(found.mean(0))
        self.scale.copy_(found.std(0, unbiased=False).clamp(min=1e-4))

    def vectors(self, passages: Sequence[Tensor]) -> Tensor:
        """Return the vector of each passage (frames, dim), (passages, code_dim), before it is quantised."""
        states, is_inside = padded(passages)
        x = self.inputs(states)
        for block in self.blocks:
            x = block(x, is_inside)
        found: Tensor = self.to_code(self.pooling(x, is_inside))
        return found

    def wanted(self, passages: Sequence[Tensor]) -> Tensor:
        """Return what is to be made again: mean and deviation of the states in usual units, (passages, 2 * dim)."""
        return (plain_statistics(*padded(passages)) - self.center) / self.scale

    def forward(self, passages: Sequence[Tensor], is_quantised: bool = True) -> tuple[Tensor, Tensor, Tensor]:
        """Return what is made again, (passages, 2 * dim), what was wanted, and the commitment loss."""
        vectors = self.vectors(passages)
        commitment = vectors.new_zeros(())
        if is_quantised:
            vectors, _, commitment = self.quantizer(vectors, len(self.quantizer.codebooks))
        return self.decoder(vectors), self.wanted(passages), commitment
