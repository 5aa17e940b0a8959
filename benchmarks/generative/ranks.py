"""At which rank the right passage is found, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from speechsearch.evaluation.metrics import bootstrap_intervals

DEPTHS = (1, 5, 20)


@dataclass(slots=True)
class Ranks:
    """At which rank the right passage is, of every question: 0 where it is not among those found."""

    ranks: list[int] = field(default_factory=list)

    def figures(self, seed: int = 1) -> dict[str, list[float]]:
        """Return recall at DEPTHS and MRR at 20, each with the ends of its 95 % interval.

        >>> [round(one, 2) for one in Ranks([1, 0, 4, 1]).figures()["R@1"]][:1]
        [0.5]
        """
        ranks = np.array(self.ranks)
        is_found = (ranks > 0) & (ranks <= max(DEPTHS))
        values = {f"R@{depth}": ((ranks > 0) & (ranks <= depth)).astype(float) for depth in DEPTHS}
        values["MRR"] = np.where(is_found, 1 / np.maximum(ranks, 1), 0.0)
        found = bootstrap_intervals(values, seed=seed, resamples=2000)
        return {name: [one.mean, one.low, one.high] for name, one in found.items()}


def rank_of(found: Sequence[str | None], right: Sequence[str]) -> int:
    """Return the rank of the first right passage, 0 for none.

    >>> rank_of(["a", None, "b"], ["b"]), rank_of(["a"], ["b"])
    (3, 0)
    """
    return next((rank for rank, one in enumerate(found, 1) if one in right), 0)
