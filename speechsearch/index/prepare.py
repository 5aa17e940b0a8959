"""What every index does to points and queries before it uses them, and to scores before it returns them."""

from __future__ import annotations

import json
import math
import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.errors import InputError
from speechsearch.domain.values import Channel, ScoredPassage, SparseVector, Vector
from speechsearch.index.vector_index import LARGEST_LIMIT, Payload, Point

CANONICAL = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FIRST_IDS, MORE_IDS = 10, 1000
"""So many ids are read at once; few at first, because the first one alone says that an index answers."""
TIE_MARGIN = 16
"""How many points more than asked for are fetched, so that ties at the last rank can be broken by id."""


def describe(specs: Sequence[Channel]) -> str:
    """Return specs as one canonical text; two indexes fit together when these are equal.

    >>> describe([Channel("adapter", "dense", dim=384)])
    '[["adapter", "dense", 384, false]]'
    """
    rows = [(spec.name, spec.kind, spec.dim if spec.kind == "dense" else 0, spec.has_idf) for spec in specs]
    return json.dumps(sorted(rows), ensure_ascii=False)


def canonical_id(passage_id: str) -> str:
    """Return a passage id as lower-case UUID text.

    Raises:
        InputError: it is no UUID.

    >>> canonical_id("D469FBFB-B469-59BD-B109-0AA052084B09")
    'd469fbfb-b469-59bd-b109-0aa052084b09'
    """
    if isinstance(passage_id, str) and CANONICAL.fullmatch(passage_id):
        return passage_id
    try:
        return str(uuid.UUID(passage_id))
    except (ValueError, AttributeError, TypeError):
        raise InputError(f"{passage_id!r:.80} is no passage id.", "Passage ids are UUIDs.") from None


def spec_named(specs: Sequence[Channel], name: str) -> Channel:
    """Return the spec of a named vector.

    Raises:
        InputError: no vector has this name.
    """
    for spec in specs:
        if spec.name == name:
            return spec
    names = ", ".join(spec.name for spec in specs)
    raise InputError(f"The index has no vectors named {name!r:.80}.", f"It has: {names}.")


def unit_vector(spec: Channel, vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a dense vector (dim,) float32 scaled to length 1.

    Raises:
        InputError: wrong width, not finite, or zero.

    >>> unit_vector(Channel("adapter", "dense", dim=2), np.array([3.0, 4.0])).tolist()
    [0.6000000238418579, 0.800000011920929]
    """
    values = np.asarray(vector, dtype=np.float32)
    if values.shape != (spec.dim,):
        raise InputError(f"Vector {spec.name!r} has shape {values.shape}, not ({spec.dim},).")
    length = float(np.linalg.norm(values))
    if not math.isfinite(length) or length == 0.0:
        raise InputError(f"Vector {spec.name!r} is zero or not finite.")
    return values / np.float32(length)


def sorted_sparse(spec: Channel, vector: SparseVector) -> SparseVector:
    """Return a sparse vector with ascending terms, those of weight 0 left out.

    Raises:
        InputError: a term twice, a negative or infinite weight, or not as many weights as terms.

    >>> sorted_sparse(Channel("words", "sparse"), SparseVector([7, 3, 5], [1.0, 0.5, 0.0])).indices.tolist()
    [3, 7]
    """
    terms, weights = np.asarray(vector.indices), np.asarray(vector.values, dtype=np.float32)
    if terms.ndim != 1 or terms.shape != weights.shape:
        raise InputError(f"Vector {spec.name!r} has terms {terms.shape} and weights {weights.shape}.")
    if len(terms) and (terms.min() < 0 or terms.max() > np.iinfo(np.uint32).max):
        raise InputError(f"Vector {spec.name!r} has a term number outside 0 to 2^32 - 1.")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise InputError(f"Vector {spec.name!r} has a weight that is negative or not finite.")
    order = np.argsort(terms, kind="stable")
    terms, weights = terms[order].astype(np.uint32), weights[order]
    if (terms[1:] == terms[:-1]).any():
        raise InputError(f"Vector {spec.name!r} has a term twice.")
    return SparseVector(terms[weights > 0], weights[weights > 0])


def written_payload(payload: Payload) -> dict[str, Any]:
    """Return a payload as Qdrant takes it.

    >>> written_payload({"speaker": ("Ada", "Bob"), "start_s": 1.5})
    {'speaker': ['Ada', 'Bob'], 'start_s': 1.5}
    """
    return {key: list(value) if isinstance(value, tuple) else value for key, value in payload.items()}


def prepared_vector(spec: Channel, vector: Vector) -> Vector:
    """Return a vector checked against its spec, in the form in which it is kept and compared.

    Raises:
        InputError: it does not fit the spec.
    """
    if isinstance(vector, SparseVector) != (spec.kind == "sparse"):
        raise InputError(f"Vector {spec.name!r} must be {spec.kind}.")
    return sorted_sparse(spec, vector) if isinstance(vector, SparseVector) else unit_vector(spec, vector)


def prepared_point(specs: Sequence[Channel], point: Point) -> Point:
    """Return a point checked, with prepared vectors; sparse vectors without terms are left out.

    Raises:
        InputError: its id, a vector or its payload cannot be kept.
    """
    vectors = {}
    for name, vector in point.vectors.items():
        prepared = prepared_vector(spec_named(specs, name), vector)
        if not isinstance(prepared, SparseVector) or len(prepared.indices):
            vectors[name] = prepared
    for key, value in point.payload.items():
        if not is_keepable(value):
            raise InputError(f"The value of {key!r} cannot be kept in the index: {value!r:.80}")
    return Point(canonical_id(point.passage_id), vectors, dict(point.payload))


def is_keepable(value: object) -> bool:
    r"""Return whether a payload value is finite, or text or texts that every backend can write.

    >>> [is_keepable(value) for value in ("Żółw", 1.5, ("a", "b"), "\ud800", ("a", 1), float("nan"), None)]
    [True, True, True, False, False, False, False]
    """
    if isinstance(value, tuple):
        return all(isinstance(one, str) and is_keepable(one) for one in value)
    if isinstance(value, str):
        return not any("\ud800" <= character <= "\udfff" for character in value)
    return isinstance(value, (int, float)) and math.isfinite(value)


def ranked(scores: Iterable[tuple[str, float]], limit: int) -> list[ScoredPassage]:
    """Return the best ``limit`` of (id, score), best first, ties by id.

    >>> [hit.passage_id for hit in ranked([("c", 1.0), ("b", 2.0), ("a", 1.0)], 2)]
    ['b', 'a']
    """
    best = sorted(scores, key=lambda pair: (-pair[1], pair[0]))[:limit]
    return [ScoredPassage(passage_id, score) for passage_id, score in best]


def checked_limit(limit: int) -> int:
    """Return how many points a search may return.

    Raises:
        InputError: a negative limit.
    """
    if limit < 0:
        raise InputError(f"A search cannot return {limit} passages.")
    return min(limit, LARGEST_LIMIT)


def best_of(fetch: Callable[[int], Sequence[tuple[str, float]]], limit: int) -> list[ScoredPassage]:
    """Return the best ``limit`` of a backend that breaks ties in its own order.

    ``fetch(count)`` returns the backend's best ``count`` as (id, score). While the last one fetched still has the
    score of the last rank, there may be an equal one with a lower id beyond it, and twice as many are fetched.
    """
    count = limit + TIE_MARGIN
    while True:
        found = fetch(count)
        is_all = len(found) < count or count >= 2 * LARGEST_LIMIT
        if is_all or found[-1][1] < found[limit - 1][1]:
            return ranked(found, limit)
        count = min(2 * count, 2 * LARGEST_LIMIT)
