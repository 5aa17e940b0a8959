"""The reference: every vector compared with plain NumPy, in memory. The other indexes are tested against it."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.values import Channel, Filters, ScoredPassage, SparseVector, Vector
from speechsearch.index.prepare import canonical_id, checked_limit, prepared_point, prepared_vector, ranked, spec_named
from speechsearch.index.vector_index import FILTER_FIELDS, Point


def inverse_document_frequency(points: int, points_with_term: int) -> float:
    """Return how much a term tells, as Qdrant computes it.

    >>> round(inverse_document_frequency(10, 1), 4), round(inverse_document_frequency(10, 10), 4)
    (1.9924, 0.0465)
    """
    return math.log((points - points_with_term + 0.5) / (points_with_term + 0.5) + 1)


class ExactIndex:
    """A vector index in memory; see ``VectorIndex``."""

    def __init__(self, specs: Sequence[Channel]) -> None:
        self._specs = tuple(specs)
        self._points: dict[str, Point] = {}
        self._lock = threading.Lock()

    def upsert(self, points: Sequence[Point]) -> None:
        """Write points, over older ones of the same id."""
        prepared = {point.passage_id: point for point in (prepared_point(self._specs, point) for point in points)}
        with self._lock:
            self._points = {**self._points, **prepared}

    def delete(self, passage_ids: Sequence[str]) -> None:
        """Remove points; unknown ids are ignored."""
        gone = {canonical_id(passage_id) for passage_id in passage_ids}
        with self._lock:
            self._points = {key: point for key, point in self._points.items() if key not in gone}

    def search(
        self, name: str, vector: Vector, limit: int, filters: Filters | None = None, only: Sequence[str] | None = None
    ) -> list[ScoredPassage]:
        """Return the best points by one named vector, best first, ties by id."""
        limit, spec = checked_limit(limit), spec_named(self._specs, name)
        query = prepared_vector(spec, vector)
        points = [point for point in self._points.values() if name in point.vectors]
        if isinstance(query, SparseVector):
            scores = _sparse_scores(query, [point.vectors[name] for point in points], spec.has_idf)
        else:
            scores = {row: float(np.dot(query, np.asarray(point.vectors[name]))) for row, point in enumerate(points)}
        wanted = None if only is None else {canonical_id(passage_id) for passage_id in only}
        allowed = (row for row in scores if _is_allowed(points[row], filters or Filters(), wanted))
        return ranked(((points[row].passage_id, scores[row]) for row in allowed), limit)

    def ids(self) -> Iterator[str]:
        """Yield the ids of all points."""
        yield from sorted(self._points)

    def close(self) -> None:
        """Do nothing: there are no files and no connections."""


def _sparse_scores(query: SparseVector, vectors: Sequence[Vector], has_idf: bool) -> dict[int, float]:
    """Return row -> dot product of the rows that share a term with the query."""
    weights: dict[int, NDArray[np.float32]] = {}
    counts = np.zeros(len(query.indices), np.int64)
    for row, vector in enumerate(vectors):
        if not isinstance(vector, SparseVector):
            continue
        _, ours, theirs = np.intersect1d(query.indices, vector.indices, assume_unique=True, return_indices=True)
        if len(ours):
            weights[row] = np.zeros(len(query.indices), np.float32)
            weights[row][ours] = vector.values[theirs]
            counts[ours] += 1
    idf = [inverse_document_frequency(len(vectors), int(count)) if has_idf else 1.0 for count in counts]
    return {row: float(row_weights @ (query.values * idf)) for row, row_weights in weights.items()}


def _is_allowed(point: Point, filters: Filters, wanted: set[str] | None) -> bool:
    """Return whether filters and wanted ids let a point be found."""
    if wanted is not None and point.passage_id not in wanted:
        return False
    restrictions = ((key, getattr(filters, field)) for key, field in FILTER_FIELDS.items())
    return all(point.payload.get(key) in values for key, values in restrictions if values)
