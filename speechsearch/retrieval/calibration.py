"""What was learnt about engines' scores, kept by engine and by the fingerprints of the models that it was learnt with.

Where nothing was learnt for a combination, there is nothing: another model's weights or likelihoods would be wrong.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.assets import ASSETS
from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.retrieval.fusion import Scale
from speechsearch.retrieval.retriever import Ranking
from speechsearch.text.common import FEATURES

SHIPPED = ASSETS / "calibration.json"
MOST_LIKELY = 0.99
"""No curve was measured on so many cases that it could promise more."""
Models = Mapping[str, str]
"""Task of a model -> fingerprint."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """How a fused engine adds its channels: the weight of each, and the usual mean and deviation of its scores.

    ``coefficients``: of each channel one for each of ``text.common.FEATURES``; see ``fusion.channel_weights``.
    """

    coefficients: Mapping[str, Sequence[float]]
    typical: Mapping[str, Scale]


SIGNALS = (*FEATURES, *(f"score if {name}" for name in FEATURES), "behind", "heard here", "surely heard here")
"""What the chance of a hit is told from; ``behind``: how far its score is behind the first one's."""
SURELY = 4
"""This power of what is heard in a passage is small unless nearly all of the question is heard."""


def signals(ranking: Ranking) -> NDArray[np.float64]:
    """Return what the chances of a ranking's hits are told from, (passages, SIGNALS) float64.

    >>> from speechsearch.retrieval.retriever import RankedPassage
    >>> ranking = Ranking((RankedPassage("a", 3.0, (), 1.0), RankedPassage("b", 0.0, ())), 0.0, 0.0)
    >>> dict(zip(SIGNALS, signals(ranking)[1].round(2).tolist()))["behind"]
    1.39
    """
    scores = np.array([one.score for one in ranking.passages])
    heard = np.array([one.heard for one in ranking.passages])
    like = np.array(ranking.features or (1.0, *(0.0,) * (len(FEATURES) - 1)))
    size = np.log1p(scores.clip(min=0))
    behind = np.log1p(scores.max(initial=-np.inf) - scores)
    return np.column_stack([np.tile(like, (len(scores), 1)), np.outer(size, like), behind, heard, heard**SURELY])


def logistic(cases: NDArray[np.float64], coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the chance of each case (n, signals), (n,), by the coefficients (signals,) of a logistic model.

    >>> logistic(np.array([[1.0, 0.0], [1.0, 2.0]]), np.array([0.0, 1.0])).round(2).tolist()
    [0.5, 0.88]
    """
    result: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip((cases * coefficients).sum(1), -50, 50)))
    return result


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How likely an engine's hits are right: a logistic model of SIGNALS, and from which chance on one is confident."""

    threshold: float
    coefficients: Sequence[float]

    def chances(self, ranking: Ranking) -> list[float]:
        """Return the chance of each passage of a whole answer that it is relevant, never more than MOST_LIKELY."""
        chances = logistic(signals(ranking), np.array(self.coefficients))
        found: list[float] = chances.clip(max=MOST_LIKELY).tolist()
        return found

    def is_confident(self, ranking: Ranking) -> bool:
        """Say whether the first passage is likely enough."""
        return bool(ranking.passages) and self.chances(ranking)[0] >= self.threshold


@dataclass(frozen=True, slots=True)
class Row:
    """What was learnt for an engine with these models; others that it may have do not matter."""

    engine: str
    models: Models
    fusion: Fusion | None = None
    likelihood: Likelihood | None = None

    def fits(self, engine: str, models: Models) -> bool:
        """Say whether it was learnt for an engine with such models."""
        return engine == self.engine and self.models.items() <= models.items()


@dataclass(frozen=True, slots=True)
class Calibrations:
    """All that was learnt.

    >>> rows = (Row("hybrid", {"speech encoder": "a-1"}, likelihood=Likelihood(0.5, (0.0,) * len(SIGNALS))),)
    >>> Calibrations(rows).likelihood("hybrid", {"speech encoder": "a-1", "recognizer": "b-2"}).threshold
    0.5
    >>> Calibrations(rows).likelihood("hybrid", {"speech encoder": "a-2"}) is None
    True
    """

    rows: Sequence[Row] = field(default_factory=tuple)

    def fusion(self, engine: str, models: Models) -> Fusion | None:
        """Return how an engine with these models adds its channels; None when that was never learnt."""
        return next((row.fusion for row in self.rows if row.fusion and row.fits(engine, models)), None)

    def likelihood(self, engine: str, models: Models) -> Likelihood | None:
        """Return how an engine's scores with these models are to be read; None when that was never learnt."""
        return next((row.likelihood for row in self.rows if row.likelihood and row.fits(engine, models)), None)


def as_row(written: Mapping[str, Any]) -> Row:
    """Return a row as a file has it: engine, models, and weights with typical or threshold with chance, or both."""
    fusion = learnt = None
    if "weights" in written:
        typical = {name: (float(mean), float(deviation)) for name, (mean, deviation) in written["typical"].items()}
        weights = written["weights"].items()
        fusion = Fusion({name: [float(learnt[one]) for one in FEATURES] for name, learnt in weights}, typical)
    if "chance" in written:
        learnt = Likelihood(float(written["threshold"]), [float(written["chance"][one]) for one in SIGNALS])
    return Row(written["engine"], dict(written["models"]), fusion, learnt)


@cache
def read_calibrations(file: Path = SHIPPED) -> Calibrations:
    """Return what a file says was learnt.

    Raises:
        ModelUnavailableError: it cannot be read.
    """
    try:
        return Calibrations(tuple(map(as_row, json.loads(file.read_text(encoding="utf-8")))))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailableError(f"{file} cannot be read: {error}.", "Install speechsearch again.") from error
