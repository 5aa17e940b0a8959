"""What a generative model is trained on, made of noise, and networks small enough for a test."""

from __future__ import annotations

import itertools
import random

import torch
from torch import Tensor

from speechsearch.models.generative.unity import UnityConfig, UnityModel
from speechsearch.training.generative_data import Item, Material

DIM = 12
SMALL = UnityConfig("pieces", DIM, DIM, (4, 4, 4), units=6, most_units=5, width=16, heads=2, retrieval_layers=1)


def noise(rows: int, seed: int = 1, dim: int = DIM) -> Tensor:
    return torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed))


def network(config: UnityConfig = SMALL, seed: int = 1) -> UnityModel:
    torch.manual_seed(seed)
    return UnityModel(config).eval()


def small_world(passages: int, dim: int = 16, seed: int = 1) -> tuple[Material, dict[str, tuple[int, ...]]]:
    """Passages of random states; crops are parts of them; addresses are of three codes of eight."""
    names = [f"p{number:02d}" for number in range(passages)]
    whole = {name: noise(16, seed + place, dim).half() for place, name in enumerate(names)}
    crops = [Item(states[start : start + 6], True, (name,)) for name, states in whole.items() for start in (0, 5, 10)]
    material = Material({name: Item(states, True, (name,)) for name, states in whole.items()}, crops, [])
    rng = random.Random(seed)
    codes = rng.sample(list(itertools.product(range(8), repeat=3)), passages)
    return material, dict(zip(names, codes, strict=True))
