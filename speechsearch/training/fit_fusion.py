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
import random
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
from speechsearch.evaluation.encoding import GOLD, SOUND, EncodedCollection, encode_collection, engines_over
from speechsearch.library.makers import Makers
from speechsearch.models.baseline import Baseline
from speechsearch.retrieval.calibration import SHIPPED, SIGNALS, Calibrations, Fusion, read_calibrations
from speechsearch.retrieval.engines import Engine
from speechsearch.retrieval.fused import FusedRetriever, draw_sample
from speechsearch.retrieval.fusion import LEFT_OUT, Scale, background
from speechsearch.retrieval.retriever import Retriever, Scorer
from speechsearch.retrieval.spotting import NAME as SPOTTING
from speechsearch.service.open import makers_of, new_loader
from speechsearch.service.settings import read_settings
from speechsearch.text.common import FEATURES, features
from speechsearch.text.spoken import spoken_words
from speechsearch.training.fit_calibration import (
    cases_of,
    cross_validated,
    fit,
    joined,
    kind_of,
    threshold_of,
    told,
)

FIRST_WEIGHT = 0.5
"""Of each channel, before anything is learnt."""
PENALTY = 0.005
"""How strongly coefficients are drawn to where they began."""
STEPS = 300
FOLDS = 5
SIZES = (60, 30, 10, 3)
"""Passages of the smaller libraries that chances are also learnt from."""
Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """The questions of a collection, put to the channels of an engine over some of its passages.

    ``features`` (questions, FEATURES); ``scores`` (questions, channels, passages), normalised where there are several
    channels; ``heard`` (questions, passages), the share of the question heard; ``is_right`` (questions, passages) bool.
    """

    features: Tensor
    scores: Tensor
    heard: Tensor
    is_right: Tensor

    def of(self, which: Tensor) -> Asked:
        """Return some of the questions; ``which``: (questions,) bool."""
        return Asked(self.features[which], self.scores[which], self.heard[which], self.is_right[which])


def scorers_of(engine: Retriever) -> Sequence[Scorer]:
    """Return the channels of an engine."""
    parts = engine.parts if isinstance(engine, FusedRetriever) else (engine,)
    return [part for part in parts if isinstance(part, Scorer)]


def scores_of(engine: Retriever, encoded: EncodedCollection, ids: Sequence[str]) -> dict[str, Scores]:
    """Return every channel's scores, (questions, passages) float64 with zeros for passages that it does not score."""
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


def asked(
    scores: Mapping[str, Scores], typical: Mapping[str, Scale], encoded: EncodedCollection, ids: Sequence[str]
) -> Asked:
    """Return the questions of a collection with what the channels score; of a single one as it is.

    ``typical``: of each channel, empty where there is only one. ``ids``: the passages.
    """
    queries, relevance = encoded.collection.queries, encoded.collection.relevance
    names = [encoded.names[one] for one in ids]
    sample = [ids.index(one) for one in draw_sample(ids)]
    ready = [normalised(one, typical[name], sample) if typical else one for name, one in scores.items()]
    heard = scores.get(SPOTTING, np.zeros((len(queries), len(ids))))
    nothing = (1.0, *(0.0,) * (len(FEATURES) - 1))  # an engine of one channel does not ask what a question is like
    like = [
        features(spoken_words(query.text), float(most)) if typical else nothing
        for query, most in zip(queries, heard.max(1), strict=True)
    ]
    return Asked(
        torch.tensor(like),
        torch.from_numpy(np.stack(ready, axis=1)).float(),
        torch.from_numpy(heard).float(),
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


def by_folds(sets: Sequence[Sequence[Asked]]) -> list[list[Scores]]:
    """Return the scores, (questions, passages), of each set's libraries without having learnt of the fold's questions.

    ``sets``: of each set its libraries, the whole one first; it alone is learnt from.
    """
    drawn = torch.Generator().manual_seed(1)
    folds = [torch.randint(FOLDS, (len(one[0].features),), generator=drawn) for one in sets]
    found = [[np.zeros(library.is_right.shape) for library in one] for one in sets]
    for fold in range(FOLDS):
        coefficients = learnt([one[0].of(which != fold) for one, which in zip(sets, folds, strict=True)])
        for one, which, rows in zip(sets, folds, found, strict=True):
            for library, row in zip(one, rows, strict=True):
                row[(which == fold).numpy()] = fused_scores(coefficients, library.of(which == fold)).numpy()
    return found


def recalls(fused: Scores, some: Asked) -> str:
    """Return R@1 / R@5 over the questions that have an answer."""
    right = some.is_right.numpy()
    best = np.where(right, fused, -np.inf).max(1)[right.any(1)]
    ranks = 1 + (fused[right.any(1)] > best[:, None]).sum(1)
    return f"{(ranks <= 1).mean():.3f} / {(ranks <= 5).mean():.3f}"


@dataclass(frozen=True, slots=True, eq=False)
class TuningSet:
    """An encoded folder, and its libraries as ids of their passages: all of them first, then random ones of fewer."""

    name: str
    encoded: EncodedCollection
    libraries: Sequence[Sequence[str]]

    @property
    def kinds(self) -> list[str]:
        """The kind of each question."""
        return [kind_of(query.query_id) for query in self.encoded.collection.queries]


def main(folders: list[Path], out: Path = SHIPPED, *, keep_weights: bool = False) -> None:
    """Learn on FOLDERS with the models of the settings and write OUT.

    With ``--keep-weights`` the weights in OUT stay, and only how likely answers are is learnt: for another recogniser.
    """
    settings = read_settings()
    loader = new_loader(settings)
    makers = makers_of(settings, loader)
    text_encoder = loader.text_encoder(settings.engines.text_encoder)
    tuning = []
    for folder in folders:
        encoded = encode_collection(read_collection(folder), makers, text_encoder, has_gold=True)
        tuning.append(TuningSet(folder.name, encoded, libraries_of(encoded)))
    first = tuning[0].encoded
    rows: list[dict[str, Any]] = []
    for name, engine in first.engines(Calibrations()).items():
        models = models_of(engine, makers, first.gold)
        if not keep_weights:
            rows += rows_of(name, models, tuning, None, has_chances=engine.recognizer != GOLD)
        elif engine.recognizer not in {SOUND, GOLD}:
            rows += rows_of(name, models, tuning, read_calibrations(out).fusion(name, models), has_chances=True)
    ours = {(row["engine"], tuple(sorted(row["models"].items()))) for row in rows}
    written = json.loads(out.read_text(encoding="utf-8")) if out.exists() else []
    others = [row for row in written if (row["engine"], tuple(sorted(row["models"].items()))) not in ours]
    out.write_text(json.dumps([*rows, *others], indent=2) + "\n", encoding="utf-8")


def rows_of(
    engine: str, models: Mapping[str, str], tuning: Sequence[TuningSet], known: Fusion | None, *, has_chances: bool
) -> list[dict[str, Any]]:
    """Return the rows of an engine: how it weighs its channels, unless that is known, and how likely its answers are.

    ``has_chances``: False for a ceiling, of which nobody is shown how likely its answers are.
    """
    scores = [
        [scores_of(engines_of(one.encoded, ids)[engine].retriever, one.encoded, ids) for ids in one.libraries]
        for one in tuning
    ]
    channels = list(scores[0][0])
    typical = dict(known.typical) if known else {}
    if len(channels) > 1 and not known:
        typical = {channel: typical_of([some[0][channel] for some in scores]) for channel in channels}
    sets = [
        [asked(found, typical, one.encoded, ids) for found, ids in zip(several, one.libraries, strict=True)]
        for several, one in zip(scores, tuning, strict=True)
    ]
    rows: list[dict[str, Any]] = []
    if known:
        coefficients = torch.tensor([list(known.coefficients[channel]) for channel in channels])
        fused = [[fused_scores(coefficients, library).numpy() for library in some] for some in sets]
    elif typical:
        fused = by_folds(sets)
        weights = named(channels, learnt([some[0] for some in sets]))
        rows.append({"engine": engine, "models": weighed_by(models), "weights": weights, "typical": typical})
        print(f"{engine}: {json.dumps(weights)}", flush=True)
    else:
        fused = [[library.scores[:, 0].numpy() for library in some] for some in sets]
    for one, found, some in zip(tuning, fused, sets, strict=True):
        print(f"{engine}, {one.name}: R@1 / R@5 {recalls(found[0], some[0])}", flush=True)
    if has_chances:
        rows.append({"engine": engine, "models": models, **chances_of(engine, tuning, sets, fused)})
    return rows


def chances_of(
    engine: str, tuning: Sequence[TuningSet], sets: Sequence[Sequence[Asked]], fused: Sequence[Sequence[Scores]]
) -> dict[str, Any]:
    """Return the threshold and the coefficients of SIGNALS, and print what cross-validation says of them."""
    found, first = [], 0
    for one, some, several in zip(tuning, sets, fused, strict=True):
        for library, scores in zip(some, several, strict=True):
            heard, like, right = library.heard.numpy(), library.features.numpy(), library.is_right.numpy()
            found.append(cases_of(scores, heard, like, right, one.kinds, first))
        first += len(one.kinds)
    cases = joined(found)
    likely = cross_validated(cases.signals, cases.is_right, cases.questions)
    is_whole = cases.is_first & np.isin(cases.sizes, [len(one.libraries[0]) for one in tuning])
    threshold = threshold_of(likely[is_whole], cases.is_right[is_whole])
    print(told(engine, cases, likely, threshold), flush=True)
    coefficients = zip(SIGNALS, fit(cases.signals, cases.is_right).tolist(), strict=True)
    return {"threshold": threshold, "chance": {name: round(value, 4) for name, value in coefficients}}


def named(channels: Sequence[str], coefficients: Tensor) -> dict[str, dict[str, float]]:
    """Return channel -> feature -> coefficient, as a file has them."""
    return {
        channel: {feature: round(float(value), 3) for feature, value in zip(FEATURES, row, strict=True)}
        for channel, row in zip(channels, coefficients, strict=True)
    }


def libraries_of(encoded: EncodedCollection) -> list[list[str]]:
    """Return the passages of a collection, and random libraries of fewer of them, as ids."""
    ids = list(encoded.names)
    sizes = [size for size in SIZES if size < len(ids)]
    return [ids, *(random.Random(size).sample(ids, size) for size in sizes)]


def engines_of(encoded: EncodedCollection, ids: Sequence[str]) -> dict[str, Engine]:
    """Return the engines of a library that holds some of a collection's passages: these are their background."""
    sample = draw_sample(ids)
    tracks = encoded.made[SOUND].tracks
    return engines_over(encoded.index, encoded.makers, encoded.gold, Calibrations(), sample, tracks)


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
