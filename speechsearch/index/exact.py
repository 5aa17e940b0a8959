"""The reference: every vector compared with plain NumPy, in memory. The other indexes are tested against it.

A search sees the points as they were when it began: the tables that it reads are never changed, only left for new ones.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.values import Channel, Filters, FloatMatrix, ScoredPassage, SparseVector, Vector
from speechsearch.index.prepare import canonical_id, checked_limit, prepared_point, prepared_vector, spec_named
from speechsearch.index.vector_index import FILTER_FIELDS, Point

if TYPE_CHECKING:
    from scipy.sparse import csc_array

Places = NDArray[np.intp]
"""Where points stand in a snapshot, (n,), ascending and so in the order of their ids."""
Flags = NDArray[np.bool_]
Scores = NDArray[np.floating]


def inverse_document_frequency(points: int, points_with_term: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return how much each term tells, as Qdrant computes it: (terms,) float64, all above 0.

    >>> inverse_document_frequency(10, np.array([1, 10])).round(4).tolist()
    [1.9924, 0.0465]
    """
    result: NDArray[np.float64] = np.log((points - points_with_term + 0.5) / (points_with_term + 0.5) + 1)
    return result


def best_places(scores: Scores, limit: int) -> NDArray[np.intp]:
    """Return where the ``limit`` highest scores stand, highest first, equal ones in their order.

    >>> best_places(np.array([1.0, 3.0, 2.0, 3.0, 2.0]), 3).tolist()
    [1, 3, 2]
    """
    if not 0 < limit < len(scores):
        return np.argsort(-scores, kind="stable")[:limit]
    last = len(scores) - limit
    reached = np.flatnonzero(scores >= np.partition(scores, last)[last])
    return reached[np.argsort(-scores[reached], kind="stable")][:limit]


class ExactIndex:
    """A vector index in memory; see ``VectorIndex``."""

    def __init__(self, specs: Sequence[Channel]) -> None:
        self._specs = tuple(specs)
        self._points: dict[str, Point] = {}
        self._snapshot: _Snapshot | None = None
        self._lock = threading.Lock()

    def upsert(self, points: Sequence[Point]) -> None:
        """Write points, over older ones of the same id."""
        prepared = {point.passage_id: point for point in (prepared_point(self._specs, point) for point in points)}
        with self._lock:
            self._points.update(prepared)
            self._snapshot = None

    def delete(self, passage_ids: Sequence[str]) -> None:
        """Remove points; unknown ids are ignored."""
        gone = {canonical_id(passage_id) for passage_id in passage_ids}
        with self._lock:
            for passage_id in gone & self._points.keys():
                del self._points[passage_id]
            self._snapshot = None

    def search(
        self, name: str, vector: Vector, limit: int, filters: Filters | None = None, only: Sequence[str] | None = None
    ) -> list[ScoredPassage]:
        """Return the best points by one named vector, best first, ties by id."""
        limit, spec = checked_limit(limit), spec_named(self._specs, name)
        query = prepared_vector(spec, vector)
        with self._lock:
            snapshot = self._snapshot = self._snapshot or _Snapshot(self._points)
            table = snapshot.table(spec)
        places, scores = table.found(query, snapshot.allowed(filters or Filters(), only))
        best = best_places(scores, limit)
        ids = map(snapshot.ids.__getitem__, places[best].tolist())
        return list(map(ScoredPassage, ids, scores[best].tolist()))

    def ids(self, among: Sequence[str] | None = None) -> Iterator[str]:
        """Yield the ids of all points, or of those among some."""
        asked = None if among is None else {canonical_id(one) for one in among}
        with self._lock:
            ids = sorted(self._points if asked is None else asked & self._points.keys())
        yield from ids

    def close(self) -> None:
        """Do nothing: there are no files and no connections."""


class _Snapshot:
    """The points at one moment, in the order of their ids, and the tables of their vectors, made when first asked."""

    def __init__(self, points: Mapping[str, Point]) -> None:
        self.ids = sorted(points)
        self._points = [points[passage_id] for passage_id in self.ids]
        self._places = {passage_id: place for place, passage_id in enumerate(self.ids)}
        self._payloads = {key: _Payload([point.payload.get(key) for point in self._points]) for key in FILTER_FIELDS}
        self._tables: dict[str, _DenseTable | _SparseTable] = {}

    def table(self, spec: Channel) -> _DenseTable | _SparseTable:
        """Return the vectors of one name; one thread at a time may ask."""
        if spec.name not in self._tables:
            places = np.array([p for p, point in enumerate(self._points) if spec.name in point.vectors], np.intp)
            vectors = [self._points[place].vectors[spec.name] for place in places]
            if spec.kind == "dense":
                matrix = np.array(vectors, np.float32).reshape(len(vectors), spec.dim)
                self._tables[spec.name] = _DenseTable(places, matrix)
            else:
                self._tables[spec.name] = _sparse_table(places, cast(list[SparseVector], vectors), spec.has_idf)
        return self._tables[spec.name]

    def allowed(self, filters: Filters, only: Sequence[str] | None) -> Flags | None:
        """Return which points may be found, (points,) bool; None: all.

        Raises:
            InputError: ``only`` holds something that is no passage id.
        """
        wanted = [(key, values) for key, field in FILTER_FIELDS.items() if (values := getattr(filters, field))]
        if only is None and not wanted:
            return None
        flags = np.ones(len(self.ids), np.bool_)
        if only is not None:
            known = self._places
            found = {known[one] if one in known else known.get(canonical_id(one)) for one in only}
            flags = np.zeros(len(self.ids), np.bool_)
            flags[[place for place in found if place is not None]] = True
        for key, values in wanted:
            flags &= self._payloads[key].is_among(values)
        return flags


class _Payload:
    """One payload field of all points: each of a point's values as a number, and the place of the point."""

    def __init__(self, values: Sequence[str | float | tuple[str, ...] | None]) -> None:
        self._points = len(values)
        pairs = [
            (place, one)
            for place, value in enumerate(values)
            for one in (value if isinstance(value, tuple) else [value])
        ]
        self._numbers = {value: number for number, value in enumerate(dict.fromkeys(value for _, value in pairs))}
        self._places = np.array([place for place, _ in pairs], np.intp)
        self._column = np.array([self._numbers[value] for _, value in pairs], np.intp)

    def is_among(self, values: Sequence[str]) -> Flags:
        """Return which points have one of the values, (points,) bool."""
        flags = np.zeros(self._points, np.bool_)
        wanted = [self._numbers[value] for value in values if value in self._numbers]
        flags[self._places[np.isin(self._column, wanted)]] = True
        return flags


@dataclass(frozen=True, slots=True, eq=False)
class _DenseTable:
    """Dense vectors: ``matrix`` (rows, dim) float32 of unit length, row by row of the points at ``places``."""

    places: Places
    matrix: FloatMatrix

    def found(self, query: Vector, allowed: Flags | None) -> tuple[Places, Scores]:
        """Return the places of the points that may be found and their scores, (n,) float32."""
        vector = cast(FloatMatrix, query)
        if allowed is None:
            return self.places, np.vecdot(self.matrix, vector)  # unlike @, gives equal rows equal scores
        rows = np.flatnonzero(allowed[self.places])
        return self.places[rows], np.vecdot(self.matrix[rows], vector)


@dataclass(frozen=True, slots=True, eq=False)
class _SparseTable:
    """Sparse vectors: ``matrix`` (rows, terms) as columns of ``terms``, row by row of the points at ``places``."""

    places: Places
    terms: NDArray[np.uint32]
    matrix: csc_array
    has_idf: bool

    def found(self, query: Vector, allowed: Flags | None) -> tuple[Places, Scores]:
        """Return the places of the points that share a term and may be found, and their scores, (n,) float64."""
        asked = cast(SparseVector, query)
        columns = np.searchsorted(self.terms, asked.indices)
        is_known = np.searchsorted(self.terms, asked.indices, side="right") > columns
        chosen = self.matrix[:, columns[is_known]]
        weights = asked.values[is_known].astype(np.float64)
        if self.has_idf:
            weights *= inverse_document_frequency(len(self.places), np.diff(chosen.indptr))
        scores = chosen @ weights
        is_found = scores > 0  # no weight of a term is 0 or less
        if allowed is not None:
            is_found &= allowed[self.places]
        return self.places[is_found], scores[is_found]


def _sparse_table(places: Places, vectors: Sequence[SparseVector], has_idf: bool) -> _SparseTable:
    """Return the table of sparse vectors, none of them without terms."""
    from scipy.sparse import csr_array

    indices = [vector.indices for vector in vectors] or [np.zeros(0, np.uint32)]
    values = [vector.values for vector in vectors] or [np.zeros(0, np.float32)]
    terms, columns = np.unique(np.concatenate(indices), return_inverse=True)
    starts = np.cumsum([0, *(len(vector.indices) for vector in vectors)])
    matrix = csr_array((np.concatenate(values), columns, starts), shape=(len(vectors), len(terms)))
    return _SparseTable(places, terms, matrix.tocsc(), has_idf)
