"""How likely what is alike is right: a logistic curve for each sense, kept by what made the scores it was learnt from.

Source: Platt, 1999, probabilistic outputs. Differs: how far a hit is behind the first one counts, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.alike import Sense
from speechsearch.domain.assets import ASSETS
from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.retrieval.calibration import logistic

SHIPPED = ASSETS / "likeness.json"
SIGNALS = ("always", "score", "behind")
"""What a chance is told from; ``behind``: how far the score is behind the first one's."""
MOST_LIKELY = 0.999
"""No curve was measured on so many cases that it could promise more."""


def signals(scores: Sequence[float]) -> NDArray[np.float64]:
    """Return what the chances of a whole answer's hits are told from, (hits, SIGNALS) float64.

    >>> signals([0.75, 0.5]).tolist()
    [[1.0, 0.75, 0.0], [1.0, 0.5, 0.25]]
    """
    found = np.array(scores, np.float64)
    return np.column_stack([np.ones(len(found)), found, found.max(initial=-np.inf) - found])


@dataclass(frozen=True, slots=True)
class Curve:
    """``coefficients``: one for each of SIGNALS."""

    coefficients: tuple[float, ...]

    def chances(self, scores: Sequence[float]) -> list[float]:
        """Return the chance of each hit of a whole answer that it is right, never more than MOST_LIKELY.

        >>> [round(one, 2) for one in Curve((-2.0, 4.0, -1.0)).chances([1.0, 0.5])]
        [0.88, 0.38]
        """
        found: list[float] = logistic(signals(scores), np.array(self.coefficients)).clip(max=MOST_LIKELY).tolist()
        return found


@dataclass(frozen=True, slots=True)
class Curves:
    """All that was learnt, by sense and the fingerprint of what makes the scores: another model's would be wrong.

    >>> known = Curves({("sound", "a-1"): Curve((0.0, 1.0, 0.0))})
    >>> known.of("sound", "a-1").chances([0.0]), known.of("sound", "a-2")
    ([0.5], None)
    """

    rows: Mapping[tuple[str, str], Curve] = field(default_factory=dict)

    def of(self, sense: Sense, made_by: str) -> Curve | None:
        """Return how scores in a sense are to be read; None when that was never learnt."""
        return self.rows.get((sense, made_by))

    def needed(self, sense: Sense, made_by: str) -> Curve:
        """Return what ``of`` does. Raises ModelUnavailableError: it was never learnt."""
        found = self.of(sense, made_by)
        if found is None:
            hint = "Learn it: python -m speechsearch.training.fit_likeness"
            raise ModelUnavailableError(f"How sure '{sense}' is was not learnt for {made_by}.", hint)
        return found


@cache
def read_curves(file: Path = SHIPPED) -> Curves:
    """Return what a file says was learnt: a list of rows with sense, made_by, and chance by signal.

    Raises:
        ModelUnavailableError: it cannot be read.
    """
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
        return Curves(
            {
                (row["sense"], row["made_by"]): Curve(tuple(float(row["chance"][name]) for name in SIGNALS))
                for row in rows
            }
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailableError(f"{file} cannot be read: {error}.", "Install speechsearch again.") from error
