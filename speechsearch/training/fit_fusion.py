"""Recipe: learn how to weigh the channels by the kind of question, and from which score how likely an answer is.

``python -m speechsearch.training.fit_fusion FOLDER...`` writes the rows of the settings' models in
``calibration.json``; those of other models stay. Each FOLDER is a BEIR-style folder spoken by training voices, without
reserved voices and texts; together they should hold questions of all kinds, and some that nothing answers.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import typer
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
from speechsearch.retrieval.fusion import Scale
from speechsearch.retrieval.retriever import Retriever, Scorer
from speechsearch.retrieval.spotting import NAME as SPOTTING
from speechsearch.service.chosen_makers import makers_of
from speechsearch.service.open import new_loader
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
from speechsearch.training.fit_weights import (
    Asked,
    Scores,
    by_folds,
    fused_scores,
    learnt,
    normalised,
    recalls,
    typical_of,
)

SIZES = (60, 30, 10, 3)
"""Passages of the smaller libraries that chances are also learnt from."""


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
