"""Qdrant Edge's ways of indexing vectors, for the trade-off: one shard in a folder, one named vector, one filter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from speechsearch.domain.values import FloatMatrix
from speechsearch.evaluation.index_tradeoff import NEIGHBOURS, Built, Method, Parts

ENGINE = "Qdrant Edge"
LINKS, CANDIDATES_WHILE_BUILT = 16, 100
BATCH_POINTS = 500
NEVER_KB = 10**9
"""A size that no segment has: all points stay in one, and it is indexed only where that is wanted."""
NAME, PART = "v", "part"
SETTINGS: Mapping[str, Mapping[str, Mapping[str, int]]] = {
    "flat": {"all compared": {}},
    "hnsw": {f"ef {ef}": {"ef": ef} for ef in (32, 64, 128, 256)},
    "int8": {f"{times}x compared again": {"again": times} for times in (1, 2, 4)},
    "binary": {f"{times}x compared again": {"again": times} for times in (2, 8, 32)},
    "pq": {f"{times}x compared again": {"again": times} for times in (2, 8, 32)},
    "turbo": {f"{times}x compared again": {"again": times} for times in (1, 2, 4)},
}
"""Method -> setting -> its numbers: candidates in a graph (ef), or so many times NEIGHBOURS that are compared again."""
TITLES = {
    "flat": "flat",
    "hnsw": f"HNSW, m {LINKS}",
    "int8": "int8",
    "binary": "binary",
    "pq": "PQ, x16",
    "turbo": "TurboQuant, 4 bits",
}


def edge_methods() -> dict[str, Method]:
    """Return short name -> method."""
    return {
        kind: Method(ENGINE, TITLES[kind], settings, _builder(kind), BuiltEdge) for kind, settings in SETTINGS.items()
    }


def _builder(kind: str) -> Callable[[FloatMatrix, Parts, Path], Built]:
    def build(vectors: FloatMatrix, parts: Parts, folder: Path) -> Built:
        write(vectors, parts, folder, config(kind, vectors.shape[1]))
        return BuiltEdge(folder)

    return build


def config(kind: str, dim: int) -> Any:
    """Return a shard's configuration for a method."""
    import qdrant_edge as edge

    quantization: dict[str, Any] = {
        "int8": edge.ScalarQuantizationConfig(edge.ScalarType.Int8, quantile=0.99, always_ram=True),
        "binary": edge.BinaryQuantizationConfig(always_ram=True),
        "pq": edge.ProductQuantizationConfig(edge.CompressionRatio.X16, always_ram=True),
        "turbo": edge.TurboQuantQuantizationConfig(always_ram=True, bits=edge.TurboQuantBitSize.Bits4),
    }
    return edge.EdgeConfig(
        vectors={NAME: edge.EdgeVectorParams(dim, edge.Distance.Dot)},
        hnsw_config=edge.HnswIndexConfig(
            m=LINKS if kind == "hnsw" else 0, ef_construct=CANDIDATES_WHILE_BUILT, full_scan_threshold=10
        ),
        quantization_config=quantization.get(kind),
        optimizers=edge.EdgeOptimizersConfig(
            indexing_threshold=NEVER_KB if kind == "flat" else 1, default_segment_number=1, max_segment_size=NEVER_KB
        ),
        max_search_threads=1,
        wal_enabled=False,
    )


def write(vectors: FloatMatrix, parts: Parts, folder: Path, configuration: Any) -> None:
    """Make a shard of vectors (n, dim), whose ids are their rows, and index it."""
    from qdrant_edge import EdgeShard, PayloadSchemaType, Point, UpdateOperation

    shard = EdgeShard.create(str(folder), configuration)
    try:
        shard.update(UpdateOperation.create_field_index(PART, PayloadSchemaType.Keyword))
        for start in range(0, len(vectors), BATCH_POINTS):
            rows = range(start, min(start + BATCH_POINTS, len(vectors)))
            points = [Point(row, {NAME: vectors[row].tolist()}, {PART: str(parts[row])}) for row in rows]
            shard.update(UpdateOperation.upsert_points(points))
        while shard.optimize():
            pass
        shard.flush()
    finally:
        shard.close()


class BuiltEdge:
    """A shard that was made by ``write``."""

    def __init__(self, folder: Path) -> None:
        from qdrant_edge import EdgeShard

        self.kept_bytes, self.compared_bytes = sizes_bytes(folder)
        self._shard: Any = EdgeShard.load(str(folder))

    def search(self, query: FloatMatrix, setting: Mapping[str, int], part: int | None) -> Sequence[int]:
        """Return the rows of the best vectors; ``ef`` and ``again`` of the setting say how."""
        import qdrant_edge as edge

        again = setting.get("again")
        quantization = edge.QuantizationSearchParams(rescore=True, oversampling=float(again)) if again else None
        wanted = edge.FieldCondition(PART, match=edge.MatchAny([str(part)]))
        request = edge.QueryRequest(
            limit=NEIGHBOURS,
            query=edge.Query.Nearest(query.tolist(), using=NAME),
            params=edge.SearchParams(hnsw_ef=setting.get("ef"), quantization=quantization),
            filter=None if part is None else edge.Filter(must=[wanted]),
        )
        return [int(point.id) for point in self._shard.query(request)]

    def close(self) -> None:
        """Close the shard."""
        self._shard.close()


def sizes_bytes(folder: Path) -> tuple[int, int]:
    """Return what a shard's vectors and graphs take on the disk, and what of it a search goes through."""
    coarse = links = vectors = 0
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        parts, size_bytes = path.relative_to(folder).parts, path.stat().st_blocks * 512
        if any(part == f"vector_index-{NAME}" for part in parts):
            links += size_bytes
        elif any(part == f"vector_storage-{NAME}" for part in parts):
            if "quantized" in path.name or any("quantized" in part for part in parts):
                coarse += size_bytes
            else:
                vectors += size_bytes
    return coarse + links + vectors, (coarse or vectors) + links
