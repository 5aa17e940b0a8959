"""Points, vectors and channels for the suites of the vector indexes, and how two rankings are compared."""

import uuid

import numpy as np
import pytest

from speechsearch.domain.values import Channel, SparseVector
from speechsearch.index import Point, ServerIndex

DIM = 8
SPECS = (
    Channel("adapter", "dense", dim=DIM),
    Channel("phonetic", "sparse", has_idf=True),
    Channel("counts", "sparse"),
)
OTHER_SPECS = [
    (Channel("adapter", "dense", dim=DIM + 1), *SPECS[1:]),
    (Channel("other", "dense", dim=DIM), *SPECS[1:]),
    SPECS[:2],
    (*SPECS, Channel("more", "sparse")),
    (SPECS[0], Channel("phonetic", "sparse"), SPECS[2]),
]


def passage(number):
    return str(uuid.uuid5(uuid.NAMESPACE_URL, str(number)))


def dense(seed):
    return np.random.default_rng(seed).standard_normal(DIM).astype(np.float32)


def sparse(*terms, weights=None):
    return SparseVector(np.array(terms, np.uint32), np.array(weights or [1.0] * len(terms), np.float32))


def point(number, terms=(1,), collection="talks", recording="r1", speaker="Ada", language="en", vector=None):
    vectors = {
        "adapter": dense(number) if vector is None else vector,
        "phonetic": sparse(*terms),
        "counts": sparse(*terms),
    }
    payload = {"collection": collection, "recording_id": recording, "speaker": speaker, "language": language}
    return Point(passage(number), vectors, {**payload, "start_s": 1.5})


def open_memory(specs):
    from qdrant_client import QdrantClient

    return ServerIndex(specs, QdrantClient(":memory:"))


def random_points(count, seed=0):
    random = np.random.default_rng(seed)
    for number in range(count):
        terms = np.unique((random.pareto(0.7, 30) * 3).astype(np.int64) % 5000).astype(np.uint32)
        weights = random.random(len(terms)).astype(np.float32) + np.float32(0.01)
        vectors = {"adapter": random.standard_normal(DIM).astype(np.float32), "phonetic": SparseVector(terms, weights)}
        fields = {"collection": f"c{number % 3}", "recording_id": f"r{number % 40}", "speaker": "s", "language": "en"}
        yield Point(passage(number), vectors, fields)


def assert_same_ranking(ours, reference):
    """Compare rank by rank; where scores are closer than float32 can tell, the order is free."""
    assert len(ours) == len(reference)
    assert [hit.score for hit in ours] == pytest.approx([hit.score for hit in reference], rel=2e-5, abs=2e-6)
    scores = {hit.passage_id: hit.score for hit in reference}
    differing = [(a, b) for a, b in zip(ours, reference, strict=True) if a.passage_id != b.passage_id]
    assert all(scores.get(a.passage_id, b.score) == pytest.approx(b.score, rel=4e-5, abs=4e-6) for a, b in differing)
    assert len(differing) <= len(ours) // 10
