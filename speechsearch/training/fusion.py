"""Recipe: learn how to weigh the channels, from which score an answer is likely, and how likely.

``python -m speechsearch.training.fusion FOLDER`` writes ``fusion.json`` beside the shipped model. FOLDER is a
BEIR-style folder spoken by training voices, with questions that nothing answers, and without reserved voices and texts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import typer

from speechsearch.datatypes import Query
from speechsearch.engines import Fusion
from speechsearch.errors import ConfigurationError
from speechsearch.evaluation import read_collection
from speechsearch.measure import Prepared, prepare
from speechsearch.mini.model import ASSETS
from speechsearch.retrieval.base import Retriever
from speechsearch.retrieval.fused import FusedRetriever, draw_sample
from speechsearch.retrieval.fusion import scales_of, weighted_sum
from speechsearch.retrieval.transcribed import TranscribedRetriever
from speechsearch.retrieval.vector import VectorRetriever
from speechsearch.training.calibration import brier, calibration_error, cross_validated, fit

ENGINES = ("hybrid", "adapter", "phonetic", "asr")
EVEN: Fusion = {
    "hybrid": {"adapter": 0.5, "phonetic": 0.5},
    "asr": {"meaning": 0.5, "words": 0.5},
    "thresholds": dict.fromkeys(ENGINES, float("-inf")),
    "calibration": dict.fromkeys(ENGINES, (0.0, 0.0)),
}
KEPT = 0.95
"""Share of right first answers that must count as confident: a wrong 'nothing found' is worse than a weak hit."""
GRID = [round(0.05 * step, 2) for step in range(1, 20)]


@dataclass(frozen=True, slots=True)
class Found:
    """The best ten passages for a question: their scores, which are right, and whether there is any right one."""

    scores: tuple[float, ...]
    is_right: tuple[bool, ...]
    has_answer: bool

    @property
    def best(self) -> float:
        """The score of the first passage; 0 when there is none."""
        return self.scores[0] if self.scores else 0.0

    @property
    def reciprocal_rank(self) -> float:
        """1 / rank of the first right passage; 0 when there is none."""
        return 1 / (self.is_right.index(True) + 1) if True in self.is_right else 0.0


def channels_of(engine: Retriever) -> Sequence[VectorRetriever]:
    """Return the channels of an engine."""
    inner = engine.inner if isinstance(engine, TranscribedRetriever) else engine
    if isinstance(inner, FusedRetriever):
        return inner.channels
    if isinstance(inner, VectorRetriever):
        return (inner,)
    raise ConfigurationError(f"The engine {engine.name} is none of vectors.")


def scores_of(engine: Retriever, prepared: Prepared) -> list[dict[str, dict[str, float]]]:
    """Return the scores of all passages in every channel, for every question."""
    ids, channels = list(prepared.names), channels_of(engine)
    found = []
    for query in prepared.collection.queries:
        scores = {}
        for channel in channels:
            vector = channel.encoder.encode_query(Query(query.text))
            scores[channel.name] = {one.passage_id: one.score for one in channel.scores(vector, ids)}
        found.append(scores)
    return found


def answers(scores: list[dict[str, dict[str, float]]], weights: Mapping[str, float], prepared: Prepared) -> list[Found]:
    """Return the answers of an engine with these weights; one channel alone is not normalised."""
    sample = draw_sample(list(prepared.names))
    found = []
    for query, channels in zip(prepared.collection.queries, scores, strict=True):
        scales = scales_of(channels, sample) if len(channels) > 1 else dict.fromkeys(channels, (0.0, 1.0))
        ranking = weighted_sum(channels, weights, scales)[:10]
        relevant = prepared.collection.relevance.get(query.query_id, {})
        is_right = tuple(prepared.names[one] in relevant for one, _ in ranking)
        found.append(Found(tuple(score for _, score in ranking), is_right, bool(relevant)))
    return found


def quality(found: Sequence[Found]) -> float:
    """Return the mean of MRR@10 and recall@5 over the questions that have an answer."""
    ranks = np.array([one.reciprocal_rank for one in found if one.has_answer])
    return float((ranks.mean() + (ranks >= 1 / 5).mean()) / 2)


def threshold_of(found: Sequence[Found]) -> tuple[float, float]:
    """Return (threshold, abstention): the score that KEPT of the right first answers reach, and what it keeps back.

    ``abstention``: the share of the questions without an answer whose best score stays below.

    >>> threshold_of([Found((3.0,), (True,), True), Found((2.0,), (True,), True), Found((1.0,), (False,), False)])
    (2.05, 1.0)
    """
    right = np.array([one.best for one in found if one.has_answer and one.reciprocal_rank == 1])
    none = np.array([one.best for one in found if not one.has_answer])
    threshold = float(np.quantile(right, 1 - KEPT))
    return round(threshold, 4), float((none < threshold).mean())


def calibration_of(found: Sequence[Found]) -> tuple[tuple[float, float], str]:
    """Return (slope, intercept) from score to likelihood, and what five-fold cross-validation says of such chances."""
    scores = np.array([score for one in found for score in one.scores])
    is_right = np.array([right for one in found for right in one.is_right])
    questions = np.array([number for number, one in enumerate(found) for _ in one.scores])
    chances = cross_validated(scores, is_right, questions)
    slope, intercept = fit(scores, is_right)
    verdict = (
        f"{len(scores)} cases, {is_right.mean():.1%} right; Brier score {brier(chances, is_right):.4f} "
        f"(always the share: {is_right.mean() * (1 - is_right.mean()):.4f}), "
        f"expected calibration error {calibration_error(chances, is_right):.4f}"
    )
    return (round(slope, 4), round(intercept, 4)), verdict


def main(folder: Path, out: Path = ASSETS / "fusion.json", recognizer: str = "mini") -> None:
    """Learn on FOLDER and write OUT."""
    prepared = prepare(read_collection(folder), ENGINES, recognizer)
    engines = prepared.engines(EVEN)
    fusion: dict[str, Mapping[str, object]] = {}
    thresholds, calibration = {}, {}
    for name in ENGINES:
        scores = scores_of(engines[name], prepared)
        weights = dict.fromkeys(scores[0], 1.0)
        if len(weights) == 2:
            weights = best_weights(name, scores, prepared)
            fusion[name] = weights
        found = answers(scores, weights, prepared)
        thresholds[name], abstention = threshold_of(found)
        calibration[name], verdict = calibration_of(found)
        print(
            f"{name}: quality {quality(found):.3f}; confident from {thresholds[name]:.3f}, "
            f"which {abstention:.0%} of the unanswerable questions do not reach; likelihood by {calibration[name]}: "
            f"{verdict}",
            flush=True,
        )
    document = {**fusion, "thresholds": thresholds, "calibration": calibration}
    out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def best_weights(name: str, scores: list[dict[str, dict[str, float]]], prepared: Prepared) -> dict[str, float]:
    """Return the weights of an engine's two channels that answer best."""
    first, second = scores[0]
    tried = {
        weight: quality(answers(scores, {first: weight, second: round(1 - weight, 2)}, prepared)) for weight in GRID
    }
    best = max(tried, key=lambda weight: tried[weight])
    weights = {first: best, second: round(1 - best, 2)}
    print(name, weights, {weight: round(value, 3) for weight, value in tried.items()}, flush=True)
    return weights


if __name__ == "__main__":
    typer.run(main)
