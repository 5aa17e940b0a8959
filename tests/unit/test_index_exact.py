"""The reference index against a loop over all points, on small random libraries full of ties."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from uuid import NAMESPACE_URL, UUID, uuid5

import numpy as np
import pytest

from speechsearch.domain.values import Channel, Filters, ScoredPassage, SparseVector, Vector
from speechsearch.index import ExactIndex, Point
from speechsearch.index.prepare import prepared_point, prepared_vector
from speechsearch.index.vector_index import FILTER_FIELDS

SPECS = (
    Channel("dense", "dense", dim=3),
    Channel("counts", "sparse"),
    Channel("rarity", "sparse", has_idf=True),
)
NAMES = [str(uuid5(NAMESPACE_URL, str(number))) for number in range(12)]

TERMS = [0, 1, 2, 3, 5, 8, 4_294_967_295]


def some_dense(random: Random) -> Vector:
    return np.array([random.choice([0.0, 1.0, -2.0]), random.choice([1.0, 2.0]), 1.0], np.float32)


def some_sparse(random: Random) -> Vector:
    terms = random.sample(TERMS, random.randint(0, 4))
    return SparseVector(
        np.array(terms, np.int64), np.array([random.choice([0.0, 0.5, 1.0]) for _ in terms], np.float32)
    )


def some_points(random: Random) -> list[Point]:
    """Return points with any ids, vectors and fields, some lacking."""
    found = []
    for _ in range(random.randint(1, 12)):
        vectors = {"dense": some_dense(random), "counts": some_sparse(random), "rarity": some_sparse(random)}
        payload = {"collection": random.choice("ab"), "language": random.choice("xy")}
        kept = {name: vector for name, vector in vectors.items() if random.random() < 0.8}
        found.append(Point(random.choice(NAMES), kept, payload if random.random() < 0.8 else {}))
    return found


def weights_of(vector: Vector) -> dict[int, float]:
    assert isinstance(vector, SparseVector)
    return dict(zip(vector.indices.tolist(), vector.values.tolist(), strict=True))


def score(spec: Channel, query: Vector, vector: Vector, others: Sequence[Vector]) -> float | None:
    """Return the score of one point among all that have the vector, None when it has nothing of the query."""
    if spec.kind == "dense":
        return float(np.dot(query, vector))
    total, asked, theirs = 0.0, weights_of(query), weights_of(vector)
    for term in asked.keys() & theirs.keys():
        having = sum(term in weights_of(other) for other in others)
        rarity = math.log((len(others) - having + 0.5) / (having + 0.5) + 1) if spec.has_idf else 1.0
        total += asked[term] * rarity * theirs[term]
    return total if asked.keys() & theirs.keys() else None


def all_found(
    kept: dict[str, Point], name: str, vector: Vector, restriction: Filters, only: Sequence[str] | None
) -> dict[str, float]:
    """Return the score of every point that a search may find, by a loop over all."""
    spec = next(one for one in SPECS if one.name == name)
    query = prepared_vector(spec, vector)
    having = {passage_id: point.vectors[name] for passage_id, point in kept.items() if name in point.vectors}
    found = {}
    for passage_id, theirs in having.items():
        payload = kept[passage_id].payload
        fields = [(payload.get(key), getattr(restriction, field)) for key, field in FILTER_FIELDS.items()]
        is_allowed = only is None or passage_id in {one.lower() for one in only}
        total = score(spec, query, theirs, list(having.values()))
        if total is not None and is_allowed and all(value in values for value, values in fields if values):
            found[passage_id] = total
    return found


@pytest.mark.parametrize("seed", range(40))
def test_a_search_is_what_a_loop_over_all_points_finds(seed: int) -> None:
    random = Random(seed)
    index, kept = ExactIndex(SPECS), dict[str, Point]()
    for _ in range(5):
        points, gone = some_points(random), random.sample(NAMES, 2)
        index.upsert(points)
        index.delete(gone)
        kept.update({point.passage_id: prepared_point(SPECS, point) for point in points})
        kept = {passage_id: point for passage_id, point in kept.items() if passage_id not in gone}
        assert list(index.ids()) == sorted(kept)
        for name, query in (
            ("dense", some_dense(random)),
            ("counts", some_sparse(random)),
            ("rarity", some_sparse(random)),
        ):
            filters = Filters(
                collections=random.choice([(), (), ("a",), ("a", "c")]), languages=random.choice([(), (), ("x", "y")])
            )
            only = random.choice([None, None, random.sample([*NAMES, NAMES[0].upper(), str(UUID(int=7))], 8)])
            expected = all_found(kept, name, query, filters, only)
            everything = index.search(name, query, 100, filters, only)
            assert {one.passage_id: one.score for one in everything} == pytest.approx(expected, rel=1e-9)
            if name != "rarity":  # whose last digit may differ
                in_order = sorted(expected.items(), key=lambda pair: (-pair[1], pair[0]))
                assert everything == [ScoredPassage(*pair) for pair in in_order]
            assert everything == sorted(everything, key=lambda one: (-one.score, one.passage_id))
            for limit in range(len(everything) + 2):
                assert index.search(name, query, limit, filters, only) == everything[:limit]


def test_equal_vectors_score_alike_wherever_they_stand_among_others() -> None:
    """A matrix product sums the last rows in another way than the first; that must break no tie."""
    random = np.random.default_rng(1)
    ids = sorted(str(uuid5(NAMESPACE_URL, str(number))) for number in range(1003))
    twins = {ids[place] for place in (0, 1, 500, 998, *range(990, 1003))}
    rows = random.standard_normal((1003, 384)).astype(np.float32)
    index = ExactIndex((Channel("dense", "dense", dim=384),))
    index.upsert(
        [Point(one, {"dense": rows[0] if one in twins else row}, {}) for one, row in zip(ids, rows, strict=True)]
    )
    for query in random.standard_normal((10, 384)).astype(np.float32):
        found = [hit for hit in index.search("dense", query, 1003) if hit.passage_id in twins]
        assert [hit.passage_id for hit in found] == sorted(twins)
        assert found == [hit for one in sorted(twins) for hit in index.search("dense", query, 1, only=[one])]
