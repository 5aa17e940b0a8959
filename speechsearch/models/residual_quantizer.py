"""Residual vector quantisation: a vector becomes a few small codes, each of what the codes before it leave over.

Source: Zeghidour et al., 2021, SoundStream (arXiv 2107.03312), section III.C: codebooks started by k-means, moved by
exponential moving averages, codes that nobody uses replaced by vectors of the batch, a random number of quantizers.
Differs: the mean over a batch stands for the first moving average, so that the start needs no correction; k-means
begins near the mean, in the directions of some vectors. Begun at the vectors themselves, a level that follows gives
nearly all one code: in many dimensions a short one is nearer to any other than another long one is.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

KMEANS_ROUNDS, NEAR_MEAN = 10, 0.01
COMMITMENT = 0.25


class ResidualVectorQuantizer(nn.Module):
    """So many quantizers after each other, each with a codebook of its own.

    ``codebooks`` (quantizers, size, dim) float32; ``counts`` (quantizers, size): how many vectors of a batch had a code
    of late; ``is_started``: whether the codebooks were set from data.
    """

    codebooks: Tensor
    counts: Tensor
    is_started: Tensor

    def __init__(self, quantizers: int, size: int, dim: int, decay: float = 0.97, least_count: float = 0.5) -> None:
        """``decay``: of the moving averages, a step. ``least_count``: what has fewer vectors a batch is replaced."""
        super().__init__()
        self.decay, self.least_count = decay, least_count
        self.register_buffer("codebooks", torch.zeros(quantizers, size, dim))
        self.register_buffer("counts", torch.ones(quantizers, size))
        self.register_buffer("is_started", torch.zeros((), dtype=torch.bool))

    @torch.no_grad()
    def codes_of(self, vectors: Tensor) -> Tensor:
        """Return the codes of vectors (n, dim), (n, quantizers) int64: of each the nearest to what is left."""
        left, found = vectors, []
        for codebook in self.codebooks:
            found.append(nearest(left, codebook))
            left = left - codebook[found[-1]]
        return torch.stack(found, 1)

    def vectors_of(self, codes: Tensor) -> Tensor:
        """Return what codes (n, up to quantizers) stand for, (n, dim) float32: the sum over the quantizers given."""
        return torch.stack([self.codebooks[level, codes[:, level]] for level in range(codes.shape[1])]).sum(0)

    def forward(self, vectors: Tensor, used: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return the quantised vectors, their codes (n, quantizers), and the commitment loss of the first ``used``.

        Gradients pass through the quantised vectors as if nothing had been quantised. While training, codebooks move.
        """
        if self.training and not self.is_started:
            self.start(vectors.detach())
        codes = self.codes_of(vectors.detach())
        if self.training:
            self.move(vectors.detach(), codes)
        quantised = self.vectors_of(codes[:, :used])
        commitment = (vectors - quantised).square().mean()
        return vectors + (quantised - vectors).detach(), codes, commitment

    @torch.no_grad()
    def start(self, vectors: Tensor) -> None:
        """Set the codebooks by k-means of vectors (n, dim), one after the other on what is left."""
        left = vectors
        for level in range(len(self.codebooks)):
            mean = left.mean(0)
            codebook = mean + NEAR_MEAN * (drawn(left, self.codebooks.shape[1]) - mean)
            for _ in range(KMEANS_ROUNDS):
                codes = nearest(left, codebook)
                counts, sums = totals(left, codes, len(codebook))
                codebook = torch.where(counts[:, None] > 0, sums / counts[:, None].clamp(min=1), codebook)
            self.codebooks[level] = codebook
            self.counts[level] = totals(left, nearest(left, codebook), len(codebook))[0]
            left = left - codebook[nearest(left, codebook)]
        self.is_started.fill_(True)

    @torch.no_grad()
    def move(self, vectors: Tensor, codes: Tensor) -> None:
        """Move each codebook towards the vectors that have its codes; give a new place to codes that few have."""
        left = vectors
        for level, codebook in enumerate(self.codebooks):
            before = codebook[codes[:, level]]  # a copy: what was subtracted when the codes were chosen
            counts, sums = totals(left, codes[:, level], len(codebook))
            kept, share = self.counts[level] * self.decay, 1 - self.decay
            now = kept + share * counts
            codebook.copy_((codebook * kept[:, None] + share * sums) / now.clamp(min=1e-6)[:, None])
            self.counts[level] = now
            is_dead = now < self.least_count
            if is_dead.any():
                codebook[is_dead] = drawn(left, int(is_dead.sum()))
                self.counts[level, is_dead] = max(1.0, self.least_count * 2)
            left = left - before


def nearest(vectors: Tensor, codebook: Tensor) -> Tensor:
    """Return which row of the codebook (size, dim) is nearest to each vector (n, dim), (n,) int64.

    >>> nearest(torch.tensor([[0.0, 1.0], [3.0, 0.0]]), torch.tensor([[2.0, 0.0], [0.0, 2.0]])).tolist()
    [1, 0]
    """
    return (codebook.square().sum(1) - 2 * vectors @ codebook.T).argmin(1)


def totals(vectors: Tensor, codes: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return how many vectors have each code, (size,), and their sum, (size, dim).

    >>> [one.tolist() for one in totals(torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([1, 1, 0]), 3)]
    [[1.0, 2.0, 0.0], [[4.0], [3.0], [0.0]]]
    """
    counts = torch.zeros(size).index_add_(0, codes, torch.ones(len(codes)))
    return counts, torch.zeros(size, vectors.shape[1]).index_add_(0, codes, vectors)


def used_share(codes: Tensor, size: int) -> tuple[float, float]:
    """Return the share of the ``size`` codes of a level that are used by codes (n,), and their perplexity.

    >>> used, perplexity = used_share(torch.tensor([0, 0, 1, 1]), 8)
    >>> used, round(perplexity, 3)
    (0.25, 2.0)
    """
    shares = torch.bincount(codes, minlength=size) / len(codes)
    return float((shares > 0).float().mean()), float(torch.special.entr(shares).sum().exp())


def drawn(vectors: Tensor, count: int) -> Tensor:
    """Return so many vectors by chance, (count, dim); some twice where there are fewer."""
    return vectors[torch.randperm(len(vectors)).repeat(-(-count // len(vectors)))[:count]]
