"""The addresses of a collection's passages, and the semantic units of what is heard: all by k-means on what is left.

Addresses are made of a vector a passage: by a residual VAE of its sound alone, or of what the speech adapter makes of
it. Passages that have all codes in common are told apart by one level more.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from speechsearch.domain.errors import InputError
from speechsearch.models.generative.document_codes import DocumentRQVAE
from speechsearch.models.residual_quantizer import COMMITMENT, ResidualVectorQuantizer, nearest, used_share

CodesFrom = Literal["vectors", "sound"]
MOST_FRAMES = 30_000
"""Semantic units are fitted on so many states at most."""
AT_ONCE = 64
UNQUANTISED_SHARE = 0.3
"""For this part of its training the residual VAE passes vectors on as they are; then its codebooks are started."""


@dataclass(frozen=True, slots=True)
class CodeReport:
    """How good addresses are, before passages of the same codes are told apart.

    ``unique``: the share of passages that share their codes with none; ``largest_group``: of passages with the same
    codes. ``levels``: of each level which share of its codes is used, and their perplexity. ``explained``: the share of
    the variance of what is coded that its codes give back.
    """

    documents: int
    different_codes: int
    unique: float
    largest_group: int
    levels: tuple[tuple[float, float], ...]
    explained: float

    def __str__(self) -> str:
        levels = ", ".join(f"{used:.2f} ({perplexity:.0f})" for used, perplexity in self.levels)
        return (
            f"{self.documents} passages have {self.different_codes} different codes, {self.unique:.3f} of them are "
            f"alone with theirs, the largest group has {self.largest_group}; use of each level's codes (perplexity): "
            f"{levels}; the codes explain {self.explained:.2f} of the variance"
        )


def semantic_units(passages: Sequence[Tensor], units: int, seed: int) -> Tensor:
    """Return the centres of semantic units, (units, dim), by k-means over states (states, dim) of passages."""
    torch.manual_seed(seed)
    states = torch.cat([one.float() for one in passages])
    some = states[torch.randperm(len(states))[:MOST_FRAMES]]
    quantizer = ResidualVectorQuantizer(1, units, some.shape[1])
    quantizer.start(some)
    return quantizer.codebooks[0]


def units_of(states: Tensor, centres: Tensor, most: int) -> tuple[int, ...]:
    """Return the units of states (states, dim), each once where it comes several times in a row; ``most`` at most.

    >>> units_of(torch.tensor([[0.1], [0.2], [0.9], [0.0]]), torch.tensor([[0.0], [1.0]]), 8)
    (0, 1, 0)
    """
    return tuple(torch.unique_consecutive(nearest(states, centres))[:most].tolist())


def vector_codes(vectors: Tensor, levels: int, size: int, seed: int) -> ResidualVectorQuantizer:
    """Return quantizers fitted to vectors (passages, dim)."""
    torch.manual_seed(seed)
    quantizer = ResidualVectorQuantizer(levels, size, vectors.shape[1])
    quantizer.start(vectors)
    return quantizer.train(False)


def sound_codes(passages: Sequence[Tensor], levels: int, size: int, steps: int, seed: int) -> DocumentRQVAE:
    """Return a residual VAE trained on the states (states, dim) of passages; its codebooks are fitted to them last."""
    torch.manual_seed(seed)
    network = DocumentRQVAE(passages[0].shape[1], levels, size)
    network.fit_scale([one.float() for one in passages[:1000]])
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-4)
    network.train()
    for step in range(steps):
        is_quantised = step >= steps * UNQUANTISED_SHARE
        if is_quantised and not network.quantizer.is_started:
            network.quantizer.start(sound_vectors(network, passages))
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * min((step + 1) / 20, 1 - 0.9 * step / steps)
        some = torch.randint(len(passages), (min(AT_ONCE, len(passages)),)).tolist()
        made, wanted, commitment = network([passages[place].float() for place in some], is_quantised)
        loss = (made - wanted).square().mean() + COMMITMENT * commitment
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    network.quantizer.start(sound_vectors(network, passages))
    return network.train(False)


@torch.no_grad()
def sound_vectors(network: DocumentRQVAE, passages: Sequence[Tensor]) -> Tensor:
    """Return the vectors of passages (states, dim), (passages, code_dim), before they are quantised."""
    groups = (passages[first : first + AT_ONCE] for first in range(0, len(passages), AT_ONCE))
    return torch.cat([network.vectors([one.float() for one in group]) for group in groups])


def report_of(codes: Tensor, size: int, vectors: Tensor, given_back: Tensor) -> CodeReport:
    """Return how good codes (passages, levels) of vectors (passages, dim) are, that give back others (passages, dim).

    >>> codes, vectors = torch.tensor([[0, 1], [0, 1], [1, 0]]), torch.tensor([[0.0], [0.0], [2.0]])
    >>> report = report_of(codes, 2, vectors, vectors)
    >>> report.different_codes, round(report.unique, 2), report.largest_group, report.explained
    (2, 0.33, 2, 1.0)
    """
    groups = Counter(map(tuple, codes.tolist()))
    alone = sum(count == 1 for count in groups.values())
    spread = (vectors - vectors.mean(0)).square().sum()
    left = (vectors - given_back).square().sum()
    return CodeReport(
        len(codes),
        len(groups),
        alone / len(codes),
        max(groups.values()),
        tuple(used_share(level, size) for level in codes.T),
        float(1 - left / spread) if spread > 0 else 1.0,
    )


def addresses_of(
    ids: Sequence[str], codes: Tensor, size: int, known: Mapping[str, tuple[int, ...]] | None = None
) -> dict[str, tuple[int, ...]]:
    """Return passage id -> codes (passages, levels) and one more, by which passages of the same codes are told apart.

    ``known``: addresses that stay; ``size``: of the last level.

    Raises:
        InputError: more passages have the same codes than the last level can tell apart.

    >>> addresses_of(["a", "b", "c"], torch.tensor([[3, 1], [3, 1], [0, 2]]), 4)
    {'a': (3, 1, 0), 'b': (3, 1, 1), 'c': (0, 2, 0)}
    >>> addresses_of(["d"], torch.tensor([[3, 1]]), 4, {"a": (3, 1, 0), "b": (3, 1, 1)})
    {'a': (3, 1, 0), 'b': (3, 1, 1), 'd': (3, 1, 2)}
    """
    found = dict(known or {})
    taken = defaultdict[tuple[int, ...], int](int)
    for address in found.values():
        taken[address[:-1]] = max(taken[address[:-1]], address[-1] + 1)
    for name, row in zip(ids, map(tuple, codes.tolist()), strict=True):
        if taken[row] >= size:
            raise InputError(
                f"More than {size} passages have the same codes {row}.", "Take more levels, or a larger codebook."
            )
        found[name] = (*row, taken[row])
        taken[row] += 1
    return found
