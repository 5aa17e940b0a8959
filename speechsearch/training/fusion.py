"""Recipe: learn how to weigh the channels, and from which score an answer is likely.

``python -m speechsearch.training.fusion FOLDER`` writes ``fusion.json`` beside the shipped model. FOLDER is a
BEIR-style folder spoken by training voices, with questions that nothing answers, and without reserved voices and texts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import typer

from speechsearch.datatypes import Query, Vector
from speechsearch.encoders.base import QueryEncoder
from speechsearch.errors import ConfigurationError
from speechsearch.evaluation import read_collection
from speechsearch.measure import Prepared, prepare
from speechsearch.mini.model import ASSETS
from speechsearch.retrieval.base import Retriever
from speechsearch.retrieval.fused import FusedRetriever
from speechsearch.retrieval.transcribed import TranscribedRetriever

CHANNELS = {"hybrid": ("adapter", "phonetic"), "asr": ("meaning", "words")}
ENGINES = ("hybrid", "adapter", "phonetic", "asr")
GRID = [round(0.05 * step, 2) for step in range(1, 20)]


class Remembering:
    """Encodes every query once."""

    def __init__(self, encoder: QueryEncoder) -> None:
        self.encoder = encoder
        self.known: dict[str, Vector] = {}

    def encode_query(self, query: Query) -> Vector:
        """Return the query's vector. Raises EmptyQueryError."""
        if query.text not in self.known:
            self.known[query.text] = self.encoder.encode_query(query)
        return self.known[query.text]


def fused(engine: Retriever) -> FusedRetriever:
    """Return the fusion of an engine, its channels made to remember what they encode."""
    inner = engine.inner if isinstance(engine, TranscribedRetriever) else engine
    if not isinstance(inner, FusedRetriever):
        raise ConfigurationError(f"The engine {engine.name} has one channel; there is nothing to weigh.")
    for channel in inner.channels:
        channel.encoder = Remembering(channel.encoder)
    return inner


def answers(retriever: Retriever, prepared: Prepared) -> list[tuple[float, float, bool]]:
    """Return (best score, reciprocal rank, whether it has an answer) of every question."""
    found = []
    collection, names = prepared.collection, prepared.names
    for query in collection.queries:
        ranking = retriever.retrieve(Query(query.text, top_k=10), 10).passages
        relevant = collection.relevance.get(query.query_id, {})
        rank = next((rank for rank, one in enumerate(ranking, 1) if names[one.passage_id] in relevant), 0)
        found.append((ranking[0].score if ranking else 0.0, 1 / rank if rank else 0.0, bool(relevant)))
    return found


def quality(found: list[tuple[float, float, bool]]) -> float:
    """Return the mean of MRR@10 and recall@5 over the questions that have an answer."""
    ranks = np.array([rank for _, rank, has_answer in found if has_answer])
    return float((ranks.mean() + (ranks >= 1 / 5).mean()) / 2)


def best_threshold(found: list[tuple[float, float, bool]]) -> tuple[float, float]:
    """Return (threshold, balanced accuracy): the score that best parts right first answers from unanswerable questions.

    >>> best_threshold([(3.0, 1.0, True), (2.0, 1.0, True), (1.0, 0.0, False)])
    (1.5, 1.0)
    """
    right = np.array([score for score, rank, has_answer in found if has_answer and rank == 1])
    none = np.array([score for score, _, has_answer in found if not has_answer])
    edges = np.unique(np.concatenate([right, none]))
    middles = (edges[1:] + edges[:-1]) / 2
    accuracy = [float(((right >= edge).mean() + (none < edge).mean()) / 2) for edge in middles]
    best = int(np.argmax(accuracy))
    return float(middles[best]), accuracy[best]


def main(folder: Path, out: Path = ASSETS / "fusion.json", recognizer: str = "mini") -> None:
    """Learn on FOLDER and write OUT."""
    collection = read_collection(folder)
    prepared = prepare(collection, ENGINES, recognizer)
    nothing = dict.fromkeys(ENGINES, float("-inf"))
    fusion: dict[str, Mapping[str, float]] = {
        name: {first: 0.5, second: 0.5} for name, (first, second) in CHANNELS.items()
    }
    engines = prepared.engines({**fusion, "thresholds": nothing})
    for name, (first, second) in CHANNELS.items():
        both = fused(engines[name])
        tried = {}
        for weight in GRID:
            weights = {first: weight, second: round(1 - weight, 2)}
            tried[weight] = quality(answers(FusedRetriever(name, both.channels, weights, both.sample), prepared))
        best = max(tried, key=lambda weight: tried[weight])
        fusion[name] = {first: best, second: round(1 - best, 2)}
        print(name, fusion[name], {weight: round(value, 3) for weight, value in tried.items()}, flush=True)
    engines = prepared.engines({**fusion, "thresholds": nothing})
    thresholds = {}
    for name in ENGINES:
        thresholds[name], accuracy = best_threshold(answers(engines[name], prepared))
        print(f"{name}: confident from {thresholds[name]:.3f}, balanced accuracy {accuracy:.3f}")
    document = {**fusion, "thresholds": {name: round(value, 4) for name, value in thresholds.items()}}
    out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
