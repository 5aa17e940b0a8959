"""How likely an extract answers, and when none is likely enough: fitted on questions with and without an answer.

The fit is kept with the fingerprint of the reader it was made for; for another one there is no likelihood, and an
extract answers when its score says so.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from speechsearch.answers.extract import Extract
from speechsearch.domain.assets import ASSETS
from speechsearch.domain.errors import ModelUnavailableError

SHIPPED = ASSETS / "reader" / "calibration.json"
MOST_LIKELY = 0.99
FEATURES = ("always", "score", "sentence score", "search")
WIDEST_SCORE = 20.0


def features(extract: Extract, likelihood: float | None) -> tuple[float, ...]:
    """Return what the chance of an extract is told from, by FEATURES.

    ``likelihood``: the chance that its passage answers, as the search says it, even where it does not; its log-odds.

    >>> features(Extract((0, 3), (0, 9), 40.0, -1.0, 0.5), 0.5)
    (1.0, 20.0, -1.0, 0.0)
    """

    def within(score: float) -> float:
        return max(-WIDEST_SCORE, min(WIDEST_SCORE, score))

    likely = max(1 - MOST_LIKELY, min(MOST_LIKELY, 0.5 if likelihood is None else likelihood))
    odds = math.log(likely / (1 - likely))
    return (1.0, within(extract.score), within(extract.sentence_score), odds)


@dataclass(frozen=True, slots=True)
class Refusal:
    """From which chance on an extract is an answer; the chance is a logistic model of FEATURES."""

    threshold: float
    coefficients: Mapping[str, float]

    def chance(self, extract: Extract, likelihood: float | None = None) -> float:
        """Return the chance that an extract answers, never more than MOST_LIKELY; ``likelihood``: of its passage.

        >>> Refusal(0.5, {"always": 1.0, "score": 1.0}).chance(Extract((0, 3), (0, 9), -1.0, 0.0, 0.5))
        0.5
        """
        values = zip(FEATURES, features(extract, likelihood), strict=True)
        total = sum(self.coefficients.get(name, 0.0) * value for name, value in values)
        return min(MOST_LIKELY, 1 / (1 + math.exp(-total)))


BY_SCORE = Refusal(0.5, {"score": 1.0})
"""Where nothing was fitted: an extract answers when it is likelier than nothing."""


@cache
def read_refusal(fingerprint: str, file: Path = SHIPPED) -> Refusal | None:
    """Return what was fitted for a reader; None where it was for another one.

    Raises:
        ModelUnavailableError: the file cannot be read.
    """
    try:
        written = json.loads(file.read_text(encoding="utf-8"))
        if written["models"]["reader"] != fingerprint:
            return None
        return Refusal(float(written["threshold"]), {name: float(written["chance"][name]) for name in FEATURES})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailableError(f"{file} cannot be read: {error}.", "Install speechsearch again.") from error
