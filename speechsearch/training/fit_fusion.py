"""Recipe: learn how to weigh the channels, from which score an answer is likely, and how likely.

``python -m speechsearch.training.fit_fusion FOLDER`` writes the rows of the settings' models in ``calibration.json``;
those of other models stay. FOLDER is a BEIR-style folder spoken by training voices, with questions that nothing
answers, and without reserved voices and texts.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import typer
from numpy.typing import NDArray

from speechsearch.domain.errors import ConfigurationError, EmptyQueryError
from speechsearch.domain.values import Query
from speechsearch.evaluation import read_collection
from speechsearch.evaluation.encoding import GOLD, EncodedCollection, encode_collection
from speechsearch.library.makers import Makers
from speechsearch.retrieval.calibration import SHIPPED, Calibrations
from speechsearch.retrieval.engines import Engine
from speechsearch.retrieval.fused import FusedRetriever, draw_sample
from speechsearch.retrieval.fusion import LEFT_OUT, Scale, background
from speechsearch.retrieval.retriever import Retriever
from speechsearch.retrieval.transcribed import TranscribedRetriever
from speechsearch.retrieval.vector import VectorRetriever
from speechsearch.service.open import makers_of, new_loader
from speechsearch.service.settings import read_settings
from speechsearch.training.fit_calibration import brier, calibration_error, cross_validated, fit

KEPT = 0.95
"""Share of right first answers that must count as confident: a wrong 'nothing found' is worse than a weak hit."""
STEPS = 20
"""Weights are tried in steps of a twentieth."""
QUALITY_NOISE = 0.004
Scores = NDArray[np.float64]


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
        return [part for part in inner.parts if isinstance(part, VectorRetriever)]
    if isinstance(inner, VectorRetriever):
        return (inner,)
    raise ConfigurationError(f"The engine {engine.name} is none of vectors.")


def scores_of(engine: Retriever, encoded: EncodedCollection) -> dict[str, Scores]:
    """Return every channel's scores, (questions, passages) float64 with zeros for passages that it does not score."""
    ids = list(encoded.names)
    place_of = {one: place for place, one in enumerate(ids)}
    found: dict[str, Scores] = {}
    for channel in channels_of(engine):
        rows = found[channel.name] = np.zeros((len(encoded.collection.queries), len(ids)))
        for row, query in zip(rows, encoded.collection.queries, strict=True):
            try:
                scored = channel.score(Query(query.text), ids)
            except EmptyQueryError:
                continue  # this channel can look for nothing in it: zeros
            for passage_id, score in scored.items():
                row[place_of[passage_id]] = score
    return found


def typical_of(scores: Scores) -> Scale:
    """Return the usual mean and deviation of a question's scores: medians over the questions."""
    means, deviations = zip(*(measured(row) for row in scores if row.any()), strict=True)
    return round(float(np.median(means)), 4), round(float(np.median(deviations)), 4)


def measured(row: NDArray[np.float64]) -> Scale:
    """Return the mean and deviation of one question's scores without the best twentieth, which may be answers."""
    kept = np.sort(row)[: len(row) - math.ceil(len(row) * LEFT_OUT)]
    return float(kept.mean()), float(kept.std())


def normalised(scores: Scores, typical: Scale, sample: Sequence[int]) -> Scores:
    """Return the scores against their question's background, as FusedRetriever has them."""
    scales = np.array([background(row[sample].tolist(), len(sample), typical) for row in scores])
    result: Scores = (scores - scales[:, :1]) / scales[:, 1:]
    return result


def answers(fused: Scores, encoded: EncodedCollection) -> list[Found]:
    """Return the ten best passages of every question, of fused scores or those of one channel."""
    names = list(encoded.names.values())
    found = []
    for query, row in zip(encoded.collection.queries, fused, strict=True):
        relevant = encoded.collection.relevance.get(query.query_id, {})
        best = np.argsort(-row, kind="stable")[:10]
        is_right = tuple(names[place] in relevant for place in best)
        found.append(Found(tuple(float(row[place]) for place in best), is_right, bool(relevant)))
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


def main(folder: Path, out: Path = SHIPPED) -> None:
    """Learn on FOLDER with the models of the settings and write OUT."""
    settings = read_settings()
    loader = new_loader(settings)
    makers = makers_of(settings, loader)
    text_encoder = loader.text_encoder(settings.engines.text_encoder)
    encoded = encode_collection(read_collection(folder), makers, text_encoder, has_gold=False)
    engines = {name: one for name, one in encoded.engines(Calibrations()).items() if one.recognizer != GOLD}
    rows: list[dict[str, Any]] = []
    ids = list(encoded.names)
    sample = [ids.index(one) for one in draw_sample(ids)]
    for name, engine in engines.items():
        scores = scores_of(engine.retriever, encoded)
        fused = next(iter(scores.values()))
        models = models_of(engine, makers)
        if len(scores) > 1:
            typical = {channel: typical_of(row) for channel, row in scores.items()}
            ready = {channel: normalised(row, typical[channel], sample) for channel, row in scores.items()}
            weights = best_weights(name, ready, encoded)
            fused = weighted(ready, weights)
            rows.append({"engine": name, "models": weighed_by(models), "weights": weights, "typical": typical})
        found = answers(fused, encoded)
        threshold, abstention = threshold_of(found)
        curve, verdict = calibration_of(found)
        rows.append({"engine": name, "models": models, "threshold": threshold, "curve": curve})
        print(
            f"{name}: quality {quality(found):.3f}; confident from {threshold:.3f}, which {abstention:.0%} of the "
            f"unanswerable questions do not reach; likelihood by {curve}: {verdict}",
            flush=True,
        )
    ours = {(row["engine"], tuple(sorted(row["models"].items()))) for row in rows}
    known = json.loads(out.read_text(encoding="utf-8")) if out.exists() else []
    others = [row for row in known if (row["engine"], tuple(sorted(row["models"].items()))) not in ours]
    out.write_text(json.dumps([*rows, *others], indent=2) + "\n", encoding="utf-8")


def models_of(engine: Engine, makers: Makers) -> dict[str, str]:
    """Return task -> fingerprint of the models that an engine's scores come from."""
    by_name = {one.name: one.models for one in makers.baselines}
    return by_name.get(engine.recognizer, {"speech encoder": makers.speech_encoder.fingerprint})


def weighed_by(models: Mapping[str, str]) -> dict[str, str]:
    """Return the models that the weights of an engine's channels depend on: of transcripts, not who wrote them.

    >>> weighed_by({"recognizer": "a-1", "text encoder": "b-2"})
    {'text encoder': 'b-2'}
    """
    return {task: fingerprint for task, fingerprint in models.items() if task != "recognizer"}


def weighted(scores: Mapping[str, Scores], weights: Mapping[str, float]) -> Scores:
    """Return the channels' scores, weighted and added."""
    result: Scores = np.sum([weights[channel] * rows for channel, rows in scores.items()], axis=0)
    return result


def splits(parts: int, steps: int = STEPS) -> Iterator[tuple[float, ...]]:
    """Yield every way to share 1 among so many parts in steps, each part at least one.

    >>> list(splits(2, 4))
    [(0.25, 0.75), (0.5, 0.5), (0.75, 0.25)]
    """
    for cuts in itertools.combinations(range(1, steps), parts - 1):
        bounds = (0, *cuts, steps)
        yield tuple(round((high - low) / steps, 4) for low, high in itertools.pairwise(bounds))


def best_weights(name: str, scores: Mapping[str, Scores], encoded: EncodedCollection) -> dict[str, float]:
    """Return the weights of an engine's channels that answer best.

    One peak of a noisy surface says little: they are the mean of all weights within QUALITY_NOISE of the best.
    """
    tried = {
        shares: quality(answers(weighted(scores, dict(zip(scores, shares, strict=True))), encoded))
        for shares in splits(len(scores))
    }
    best = max(tried.values())
    plateau = np.array([shares for shares, value in tried.items() if value >= best - QUALITY_NOISE])
    weights = {channel: round(float(share), 3) for channel, share in zip(scores, plateau.mean(0), strict=True)}
    print(f"{name}: best {best:.3f}, {len(plateau)} of {len(tried)} splits near it; weights {weights}", flush=True)
    return weights


if __name__ == "__main__":
    typer.run(main)
