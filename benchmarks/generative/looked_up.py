"""Put the same questions to the engines that look passages up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from benchmarks.generative.measure import AT_ONCE, TEST_CROPS, Bench
from benchmarks.generative.ranks import DEPTHS, Ranks, rank_of
from speechsearch import audio
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import Query
from speechsearch.evaluation.dataset import EvaluationCollection
from speechsearch.evaluation.encoding import encode_collection
from speechsearch.evaluation.measure import with_passages
from speechsearch.evaluation.runner import run_engine
from speechsearch.library.makers import Makers
from speechsearch.models.base import TextEncoder
from speechsearch.retrieval.calibration import read_calibrations
from speechsearch.retrieval.engine_cards import engine_cards, engine_named


def engines(
    whole: EvaluationCollection, count: int, names: Sequence[str], makers: Makers, text_encoder: TextEncoder
) -> dict[str, Any]:
    """Return the figures of engines that look passages up, on the first so many passages and the same questions."""
    collection = with_passages(whole, whole.passages[:count])
    has_sound = any(engine_named(name, engine_cards()).searches != "transcript" for name in names)
    encoded = encode_collection(collection, makers, text_encoder, has_sound=has_sound, has_gold=False)
    found = encoded.engines(read_calibrations())
    figures: dict[str, Any] = {}
    for name in names:
        run = run_engine(
            name, found[name].retriever, collection,
            load_sound=lambda path: audio.load(path, Limits(), 30.0), passage_names=encoded.names,
        )  # fmt: skip
        right: Mapping[str, Mapping[str, int]] = collection.relevance
        each = Ranks([rank_of(run.rankings[one.query_id], list(right[one.query_id])) for one in collection.queries])
        figures[name] = each.figures() | {"asked": len(each.ranks)}
    return figures


def by_vectors(bench: Bench, count: int) -> dict[str, Any]:
    """Return the figures of the engine ``adapter``, from the vectors of the first so many passages."""
    ids = bench.ids(count)
    vectors, known = torch.stack(list(bench.vectors(ids).values())), set(ids)
    relevance = bench.whole.collection.relevance
    found = Ranks()
    for query in bench.whole.collection.queries:
        right = [name for name in relevance[query.query_id] if name in known]
        if right:
            asked_for = torch.from_numpy(bench.encoder.encode_query(Query(query.text), bench.encoder.meaning.name))
            nearest = (vectors @ asked_for).argsort(descending=True)[: max(DEPTHS)].tolist()
            found.ranks.append(rank_of([ids[place] for place in nearest], right))
    return {"adapter": found.figures() | {"asked": len(found.ranks)}}


def crop_engines(bench: Bench, count: int) -> float:
    """Return for which share of crops the speech adapter finds their passage first, of the first so many passages."""
    ids = bench.ids(count)
    vectors = torch.stack(list(bench.vectors(ids).values()))
    crops = [TEST_CROPS.of(one, bench.sound(one))[0] for one in ids]
    right = 0
    for first in range(0, len(ids), AT_ONCE):
        made = bench.encoder.encode_passages(crops[first : first + AT_ONCE])
        asked_for = torch.stack([torch.from_numpy(np.array(one.vectors[bench.encoder.meaning.name])) for one in made])
        nearest = (asked_for @ vectors.T).argmax(1).tolist()
        right += sum(place == first + number for number, place in enumerate(nearest))
    return right / len(ids)
