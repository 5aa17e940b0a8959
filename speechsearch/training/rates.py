"""How fast a recipe learns at each step."""

from __future__ import annotations

import math


def rate_at(step: int, steps: int, warmup: int, lowest: float = 0.03) -> float:
    """Return the part of the learning rate at a step: a linear rise, then along a cosine down to ``lowest``.

    >>> [round(rate_at(step, 12, 2), 2) for step in (0, 1, 2, 7, 12)]
    [0.5, 1.0, 1.0, 0.52, 0.03]
    """
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return lowest + (1 - lowest) * 0.5 * (1 + math.cos(math.pi * progress))
