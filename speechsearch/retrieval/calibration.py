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

from speechsearch.domain.assets import ASSETS
from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.retrieval.fusion import Scale, likelihood
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


@dataclass(frozen=True, slots=True)
class Likelihood:
    """From which score on an answer is likely, and slope and intercept of the logistic curve from score to chance."""

    threshold: float
    curve: tuple[float, float]

    def __call__(self, score: float) -> float:
        """Return the chance that a passage with this score is relevant, never more than MOST_LIKELY."""
        return min(MOST_LIKELY, likelihood(score, *self.curve))


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

    >>> rows = (Row("hybrid", {"speech encoder": "a-1"}, likelihood=Likelihood(1.0, (2.0, 0.0))),)
    >>> Calibrations(rows).likelihood("hybrid", {"speech encoder": "a-1", "recognizer": "b-2"}).threshold
    1.0
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
    """Return a row as a file has it: engine, models, and weights with typical or threshold with curve, or both."""
    fusion = learnt = None
    if "weights" in written:
        typical = {name: (float(mean), float(deviation)) for name, (mean, deviation) in written["typical"].items()}
        weights = written["weights"].items()
        fusion = Fusion({name: [float(learnt[one]) for one in FEATURES] for name, learnt in weights}, typical)
    if "curve" in written:
        slope, intercept = written["curve"]
        learnt = Likelihood(float(written["threshold"]), (float(slope), float(intercept)))
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
