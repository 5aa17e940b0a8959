"""Our values, settings and errors as Qdrant Edge takes and raises them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from speechsearch.domain.errors import IndexUnavailableError, SpeechSearchError
from speechsearch.domain.values import Channel, Filters, SparseVector, Vector
from speechsearch.index.prepare import written_payload
from speechsearch.index.vector_index import FILTER_FIELDS, REBUILD_HINT, Point

OVERSAMPLING = 2.0


@contextmanager
def edge_errors(path: Path) -> Iterator[None]:
    """Turn Qdrant Edge's errors into ours. It raises plain ``Exception``, so that is what is caught here."""
    try:
        yield
    except SpeechSearchError:
        raise
    except Exception as error:
        raise IndexUnavailableError(f"The index in {path} cannot be used: {error}", REBUILD_HINT) from error


def edge_config(specs: Sequence[Channel], exact_points: int, most_deleted: float | None = None) -> Any:
    """Return the shard's configuration: int8 without a graph for segments above ``exact_points``.

    ``most_deleted``: from which share of deleted points on a segment is made anew; Edge's own if None.
    """
    import qdrant_edge as edge

    widest_dim = max((spec.dim for spec in specs if spec.kind == "dense"), default=1)
    return edge.EdgeConfig(
        vectors={
            spec.name: edge.EdgeVectorParams(spec.dim, edge.Distance.Dot) for spec in specs if spec.kind == "dense"
        },
        sparse_vectors={
            spec.name: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf if spec.has_idf else None)
            for spec in specs
            if spec.kind == "sparse"
        },
        hnsw_config=edge.HnswIndexConfig(m=0, ef_construct=100, full_scan_threshold=10),
        quantization_config=edge.ScalarQuantizationConfig(edge.ScalarType.Int8, quantile=0.99, always_ram=True),
        optimizers=edge.EdgeOptimizersConfig(
            indexing_threshold=max(1, exact_points * widest_dim * 4 // 1024),
            default_segment_number=1,
            deleted_threshold=most_deleted,
            vacuum_min_vector_number=None if most_deleted is None else 1,
        ),
        wal_enabled=True,
    )


def search_params(spec: Channel) -> Any:
    """Return how to search: quantised candidates compared exactly, term frequencies counted over living points."""
    import qdrant_edge as edge

    if spec.kind == "dense":
        return edge.SearchParams(quantization=edge.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING))
    # Without a corpus, deleted points would be counted until the next optimisation.
    return edge.SearchParams(idf=edge.IdfParams(corpus=edge.Filter()) if spec.has_idf else None)


def edge_filter(filters: Filters, wanted: set[str] | None) -> Any:
    """Return filters as Qdrant Edge's conditions, or None."""
    import qdrant_edge as edge

    conditions: list[Any] = [
        edge.FieldCondition(key, match=edge.MatchAny(list(getattr(filters, field))))
        for key, field in FILTER_FIELDS.items()
        if getattr(filters, field)
    ]
    if wanted is not None:
        conditions.append(edge.HasIdCondition({*wanted}))
    return edge.Filter(must=conditions) if conditions else None


def edge_vector(vector: Vector) -> Any:
    """Return a vector as Qdrant Edge takes it."""
    from qdrant_edge import SparseVector as EdgeSparseVector

    if isinstance(vector, SparseVector):
        return EdgeSparseVector(vector.indices.tolist(), vector.values.tolist())
    return vector.tolist()


def edge_point(point: Point) -> Any:
    """Return a prepared point as Qdrant Edge takes it."""
    from qdrant_edge import Point as EdgePoint

    vectors = {name: edge_vector(vector) for name, vector in point.vectors.items()}
    return EdgePoint(point.passage_id, vectors, written_payload(point.payload))
