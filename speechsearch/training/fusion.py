"""Recipe: learn how to weigh the channels, and from which score an answer is likely.

``python -m speechsearch.training.fusion FOLDER`` writes ``fusion.json`` beside the shipped model. FOLDER is a
BEIR-style folder spoken by training voices, with questions that nothing answers, and without reserved voices and texts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import typer

from speechsearch.datatypes import Query
from speechsearch.errors import ConfigurationError
from speechsearch.evaluation import read_collection
from speechsearch.measure import Prepared, prepare
from speechsearch.mini.model import ASSETS
from speechsearch.retrieval.base import Retriever
from speechsearch.retrieval.fused import FusedRetriever, draw_sample
from speechsearch.retrieval.fusion import background, weighted_sum
from speechsearch.retrieval.transcribed import TranscribedRetriever
from speechsearch.retrieval.vector import VectorRetriever

EVEN = {"hybrid": {"adapter": 0.5, "phonetic": 0.5}, "asr": {"meaning": 0.5, "words": 0.5}}
ENGINES = ("hybrid", "adapter", "phonetic", "asr")
KEPT = 0.95
"""Share of right first answers that must count as confident: a wrong 'nothing found' is worse than a weak hit."""
GRID = [round(0.05 * step, 2) for step in range(1, 20)]


Found = list[tuple[float, float, bool]]
"""The best score, the reciprocal rank of the first right passage, and whether there is one, for every question."""


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


def answers(scores: list[dict[str, dict[str, float]]], weights: Mapping[str, float], prepared: Prepared) -> Found:
    """Return the answers of an engine with these weights; one channel alone is not normalised."""
    sample = draw_sample(list(prepared.names))
    found = []
    for query, channels in zip(prepared.collection.queries, scores, strict=True):
        scales = {
            name: background([known[one] for one in sample if one in known], len(sample))
            if len(channels) > 1
            else (0, 1)
            for name, known in channels.items()
        }
        ranking = weighted_sum(channels, weights, scales)[:10]
        relevant = prepared.collection.relevance.get(query.query_id, {})
        rank = next((rank for rank, (one, _) in enumerate(ranking, 1) if prepared.names[one] in relevant), 0)
        found.append((ranking[0][1] if ranking else 0.0, 1 / rank if rank else 0.0, bool(relevant)))
    return found


def quality(found: Found) -> float:
    """Return the mean of MRR@10 and recall@5 over the questions that have an answer."""
    ranks = np.array([rank for _, rank, has_answer in found if has_answer])
    return float((ranks.mean() + (ranks >= 1 / 5).mean()) / 2)


def threshold_of(found: Found) -> tuple[float, float]:
    """Return (threshold, abstention): the score that KEPT of the right first answers reach, and what it keeps back.

    ``abstention``: the share of the questions without an answer whose best score stays below.

    >>> threshold_of([(3.0, 1.0, True), (2.0, 1.0, True), (1.0, 0.0, False)])
    (2.05, 1.0)
    """
    right = np.array([score for score, rank, has_answer in found if has_answer and rank == 1])
    none = np.array([score for score, _, has_answer in found if not has_answer])
    threshold = float(np.quantile(right, 1 - KEPT))
    return round(threshold, 4), float((none < threshold).mean())


def main(folder: Path, out: Path = ASSETS / "fusion.json", recognizer: str = "mini") -> None:
    """Learn on FOLDER and write OUT."""
    collection = read_collection(folder)
    prepared = prepare(collection, ENGINES, recognizer)
    engines = prepared.engines({**EVEN, "thresholds": dict.fromkeys(ENGINES, float("-inf"))})
    fusion: dict[str, Mapping[str, float]] = {}
    thresholds = {}
    for name in ENGINES:
        scores = scores_of(engines[name], prepared)
        weights = dict.fromkeys(scores[0], 1.0)
        if len(weights) == 2:
            first, second = weights
            tried = {}
            for weight in GRID:
                weights = {first: weight, second: round(1 - weight, 2)}
                tried[weight] = quality(answers(scores, weights, prepared))
            best = max(tried, key=lambda weight: tried[weight])
            weights = fusion[name] = {first: best, second: round(1 - best, 2)}
            print(name, weights, {weight: round(value, 3) for weight, value in tried.items()}, flush=True)
        found = answers(scores, weights, prepared)
        thresholds[name], abstention = threshold_of(found)
        print(
            f"{name}: quality {quality(found):.3f}; confident from {thresholds[name]:.3f}, "
            f"which {abstention:.0%} of the unanswerable questions do not reach",
            flush=True,
        )
    document = {**fusion, "thresholds": thresholds}
    out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
