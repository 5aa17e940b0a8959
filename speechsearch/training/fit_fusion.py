"""Recipe: learn how to weigh the channels by the kind of question, and from which score how likely an answer is.

``python -m speechsearch.training.fit_fusion FOLDER...`` writes the rows of the settings' models in
``calibration.json``; those of other models stay. Each FOLDER is a BEIR-style folder spoken by training voices, without
reserved voices and texts; together they should hold questions of all kinds, and some that nothing answers.

Source: Cao et al., 2007, ListNet: the right passages' share of the softmax over all passages is made large.
Differs: a linear model of a few readable numbers a channel, drawn towards equal weights.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from torch import Tensor

from speechsearch.domain.errors import EmptyQueryError
from speechsearch.domain.values import Query
from speechsearch.evaluation import read_collection
from speechsearch.evaluation.encoding import GOLD, EncodedCollection, encode_collection
from speechsearch.library.makers import Makers
from speechsearch.models.baseline import Baseline
from speechsearch.retrieval.calibration import SHIPPED, Calibrations
from speechsearch.retrieval.engines import Engine
from speechsearch.retrieval.fused import FusedRetriever, draw_sample
from speechsearch.retrieval.fusion import LEFT_OUT, Scale, background
from speechsearch.retrieval.retriever import Retriever, Scorer
from speechsearch.service.open import makers_of, new_loader
from speechsearch.service.settings import read_settings
from speechsearch.text.common import FEATURES, features
from speechsearch.text.spoken import spoken_words
from speechsearch.training.fit_calibration import brier, calibration_error, cross_validated, fit

KEPT = 0.95
"""Share of right first answers that must count as confident: a wrong 'nothing found' is worse than a weak hit."""
FIRST_WEIGHT = 0.5
"""Of each channel, before anything is learnt."""
PENALTY = 0.02
"""How strongly coefficients are drawn to where they began."""
STEPS = 300
FOLDS = 5
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


def scorers_of(engine: Retriever) -> Sequence[Scorer]:
    """Return the channels of an engine."""
    parts = engine.parts if isinstance(engine, FusedRetriever) else (engine,)
    return [part for part in parts if isinstance(part, Scorer)]


def scores_of(engine: Retriever, encoded: EncodedCollection) -> dict[str, Scores]:
    """Return every channel's scores, (questions, passages) float64 with zeros for passages that it does not score."""
    ids = list(encoded.names)
    place_of = {one: place for place, one in enumerate(ids)}
    found: dict[str, Scores] = {}
    for channel in scorers_of(engine):
        rows = found[channel.name] = np.zeros((len(encoded.collection.queries), len(ids)))
        for row, query in zip(rows, encoded.collection.queries, strict=True):
            try:
                scored = channel.score(Query(query.text), ids)
            except EmptyQueryError:
                continue  # this channel can look for nothing in it: zeros
            for passage_id, score in scored.items():
                row[place_of[passage_id]] = score
    return found


def typical_of(sets: Sequence[Scores]) -> Scale:
    """Return the usual mean and deviation of a question's scores: medians over the questions."""
    means, deviations = zip(*(measured(row) for scores in sets for row in scores if row.any()), strict=True)
    return round(float(np.median(means)), 4), round(float(np.median(deviations)), 4)


def measured(row: NDArray[np.float64]) -> Scale:
    """Return the mean and deviation of one question's scores without the best twentieth, which may be answers."""
    kept = np.sort(row)[: len(row) - math.ceil(len(row) * LEFT_OUT)]
    return float(kept.mean()), float(kept.std())


def normalised(scores: Scores, typical: Scale, sample: Sequence[int]) -> Scores:
    """Return the scores against their question's background, as FusedRetriever has them."""
    scales = np.array([background(row[sample].tolist(), typical) for row in scores])
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


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """The questions of a collection.

    What they are like (questions, FEATURES), normalised scores (questions, channels, passages), which passages are
    right (questions, passages) bool.
    """

    features: Tensor
    scores: Tensor
    is_right: Tensor

    def of(self, which: Tensor) -> Asked:
        """Return some of the questions; ``which``: (questions,) bool."""
        return Asked(self.features[which], self.scores[which], self.is_right[which])


def asked(scores: Mapping[str, Scores], encoded: EncodedCollection) -> Asked:
    """Return the questions of a collection with what its channels, already normalised, score."""
    names = list(encoded.names.values())
    queries, relevance = encoded.collection.queries, encoded.collection.relevance
    return Asked(
        torch.tensor([features(spoken_words(query.text)) for query in queries]),
        torch.from_numpy(np.stack(list(scores.values()), axis=1)).float(),
        torch.tensor([[name in relevance.get(query.query_id, {}) for name in names] for query in queries]),
    )


def fused_scores(coefficients: Tensor, some: Asked) -> Tensor:
    """Return the scores of all passages, (questions, passages): channels weighted by exp(coefficients @ features)."""
    weights = (some.features @ coefficients.T).exp()
    return torch.einsum("qc,qcp->qp", weights, some.scores)


def learnt(sets: Sequence[Asked]) -> Tensor:
    """Return the coefficients, (channels, FEATURES) float32, that make right passages likeliest."""
    first = torch.zeros(sets[0].scores.shape[1], len(FEATURES))
    first[:, 0] = math.log(FIRST_WEIGHT)
    coefficients = first.clone().requires_grad_()
    answerable = [one.of(one.is_right.any(1)) for one in sets]
    optimiser = torch.optim.LBFGS([coefficients], max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        losses = []
        for one in answerable:
            scores = fused_scores(coefficients, one)
            right = scores.masked_fill(~one.is_right, -torch.inf)
            losses.append(scores.logsumexp(1) - right.logsumexp(1))
        loss: Tensor = torch.cat(losses).mean() + PENALTY * (coefficients - first).square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return coefficients.detach()


def by_folds(sets: Sequence[Asked]) -> list[Scores]:
    """Return each set's scores, (questions, passages), by coefficients learnt without the questions of their fold."""
    drawn = torch.Generator().manual_seed(1)
    folds = [torch.randint(FOLDS, (len(one.features),), generator=drawn) for one in sets]
    found = [np.zeros(one.is_right.shape) for one in sets]
    for fold in range(FOLDS):
        coefficients = learnt([one.of(which != fold) for one, which in zip(sets, folds, strict=True)])
        for one, which, rows in zip(sets, folds, found, strict=True):
            rows[(which == fold).numpy()] = fused_scores(coefficients, one.of(which == fold)).numpy()
    return found


def main(folders: list[Path], out: Path = SHIPPED) -> None:
    """Learn on FOLDERS with the models of the settings and write OUT."""
    settings = read_settings()
    loader = new_loader(settings)
    makers = makers_of(settings, loader)
    text_encoder = loader.text_encoder(settings.engines.text_encoder)
    collections = [encode_collection(read_collection(one), makers, text_encoder, has_gold=True) for one in folders]
    engines = [one.engines(Calibrations()) for one in collections]
    rows: list[dict[str, Any]] = []
    for name, engine in engines[0].items():
        models = models_of(engine, makers, collections[0].gold)
        scores = [scores_of(one[name].retriever, encoded) for one, encoded in zip(engines, collections, strict=True)]
        channels = list(scores[0])
        fused = [next(iter(one.values())) for one in scores]
        if len(channels) > 1:
            typical = {channel: typical_of([one[channel] for one in scores]) for channel in channels}
            sets = []
            for one, encoded in zip(scores, collections, strict=True):
                ids = list(encoded.names)
                sample = [ids.index(passage_id) for passage_id in draw_sample(ids)]
                ready = {channel: normalised(one[channel], typical[channel], sample) for channel in channels}
                sets.append(asked(ready, encoded))
            fused = by_folds(sets)
            found = learnt(sets)
            weights = {
                channel: {feature: round(float(value), 3) for feature, value in zip(FEATURES, row, strict=True)}
                for channel, row in zip(channels, found, strict=True)
            }
            rows.append({"engine": name, "models": weighed_by(models), "weights": weights, "typical": typical})
            print(f"{name}: {json.dumps(weights)}", flush=True)
        if engine.recognizer == GOLD:
            continue  # a ceiling: nobody is shown how likely its answers are
        each = [answers(one, encoded) for one, encoded in zip(fused, collections, strict=True)]
        everything = [one for some in each for one in some]
        threshold, abstention = threshold_of(everything)
        curve, verdict = calibration_of(everything)
        rows.append({"engine": name, "models": models, "threshold": threshold, "curve": curve})
        by_set = ", ".join(f"{folder.name} {recalls(one)}" for folder, one in zip(folders, each, strict=True))
        print(
            f"{name}: R@1 / R@5 cross-validated: {by_set}; confident from {threshold:.3f}, which {abstention:.0%} of "
            f"the unanswerable questions do not reach; likelihood by {curve}: {verdict}",
            flush=True,
        )
    ours = {(row["engine"], tuple(sorted(row["models"].items()))) for row in rows}
    known = json.loads(out.read_text(encoding="utf-8")) if out.exists() else []
    others = [row for row in known if (row["engine"], tuple(sorted(row["models"].items()))) not in ours]
    out.write_text(json.dumps([*rows, *others], indent=2) + "\n", encoding="utf-8")


def recalls(found: Sequence[Found]) -> str:
    """Return R@1 / R@5 over the questions that have an answer.

    >>> recalls([Found((3.0, 2.0), (False, True), True), Found((1.0,), (False,), False)])
    '0.000 / 1.000'
    """
    ranks = np.array([one.reciprocal_rank for one in found if one.has_answer])
    return f"{(ranks == 1).mean():.3f} / {(ranks >= 1 / 5).mean():.3f}"


def models_of(engine: Engine, makers: Makers, gold: Baseline) -> dict[str, str]:
    """Return task -> fingerprint of the models that an engine's scores come from."""
    by_name = {one.name: one.models for one in (*makers.baselines, gold)}
    of_sound = {"speech encoder": makers.speech_encoder.fingerprint}
    return (of_sound if engine.card.searches != "transcript" else {}) | by_name.get(engine.recognizer, {})


def weighed_by(models: Mapping[str, str]) -> dict[str, str]:
    """Return the models that the weights of an engine's channels depend on: of transcripts, not who wrote them.

    >>> weighed_by({"recognizer": "a-1", "text encoder": "b-2"})
    {'text encoder': 'b-2'}
    """
    return {task: fingerprint for task, fingerprint in models.items() if task != "recognizer"}


if __name__ == "__main__":
    typer.run(main)
