"""A Qdrant server, reached through qdrant-client; the collection is made when it is absent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from speechsearch.domain.errors import FingerprintMismatchError, IndexUnavailableError, SpeechSearchError
from speechsearch.domain.values import Channel, Filters, ScoredPassage, SparseVector, Vector
from speechsearch.index.prepare import (
    FIRST_IDS,
    MORE_IDS,
    best_of,
    canonical_id,
    checked_limit,
    describe,
    prepared_point,
    prepared_vector,
    spec_named,
    written_payload,
)
from speechsearch.index.vector_index import FILTER_FIELDS, REBUILD_HINT, Point

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

BATCH_POINTS = 256
OVERSAMPLING = 2.0
TIMEOUT_S = 60


def connect(url: str, api_key: str = "") -> QdrantClient:
    """Return a client of the server at ``url``; it connects with the first request.

    Raises:
        IndexUnavailableError: the URL cannot be one of a server.
    """
    from qdrant_client import QdrantClient

    try:
        return QdrantClient(url=url, api_key=api_key or None, timeout=TIMEOUT_S, check_compatibility=False)
    except ValueError as error:
        raise IndexUnavailableError(f"{url!r:.200} is no URL of a Qdrant server: {error}") from error


@dataclass(frozen=True, slots=True)
class Layout:
    """How a collection is laid out when it is made; an existing one stays as it is.

    ``on_disk``: vectors are read from the disk, only their int8 copies stay in memory. ``shards``, ``replicas``: over
    the nodes of a cluster. ``hnsw_m``: links of a point in the graph by which large collections are searched; 0: none,
    every point is compared.
    """

    on_disk: bool = False
    shards: int = 1
    replicas: int = 1
    hnsw_m: int = 0


class ServerIndex:
    """A vector index on a Qdrant server; see ``VectorIndex``. ``is_new`` drops what the collection held.

    Raises:
        FingerprintMismatchError: the collection has other named vectors.
        IndexUnavailableError: the server cannot be reached or refuses.
    """

    def __init__(
        self,
        specs: Sequence[Channel],
        client: QdrantClient,
        name: str = "speechsearch",
        exact_points: int = 50_000,
        is_new: bool = False,
        layout: Layout = Layout(),
    ) -> None:
        self._specs = tuple(specs)
        self._client = client
        self._name = name
        with server_errors():
            if is_new:
                client.delete_collection(name)
            if not client.collection_exists(name):
                self._create(exact_points, layout)
            self._check()

    def upsert(self, points: Sequence[Point]) -> None:
        """Write points, over older ones of the same id; durable when it returns.

        With replicas, writes go through one leader: of two writers of one point, all replicas keep the same.
        """
        prepared = [_server_point(prepared_point(self._specs, point)) for point in points]
        with server_errors():
            for start in range(0, len(prepared), BATCH_POINTS):
                batch = prepared[start : start + BATCH_POINTS]
                self._client.upsert(self._name, batch, wait=True, ordering=_strong())

    def delete(self, passage_ids: Sequence[str]) -> None:
        """Remove points; unknown ids are ignored."""
        from qdrant_client import models

        gone: list[Any] = [canonical_id(passage_id) for passage_id in passage_ids]
        if gone:
            with server_errors():
                points = models.PointIdsList(points=gone)
                self._client.delete(self._name, points, wait=True, ordering=_strong())

    def search(
        self, name: str, vector: Vector, limit: int, filters: Filters | None = None, only: Sequence[str] | None = None
    ) -> list[ScoredPassage]:
        """Return the best points by one named vector, best first, ties by id."""
        limit, spec = checked_limit(limit), spec_named(self._specs, name)
        query = prepared_vector(spec, vector)
        wanted = None if only is None else {canonical_id(passage_id) for passage_id in only}
        if limit == 0 or wanted == set() or (isinstance(query, SparseVector) and not len(query.indices)):
            return []
        conditions = _server_filter(filters or Filters(), wanted)
        params = _search_params(spec)

        def fetch(count: int) -> list[tuple[str, float]]:
            response = self._client.query_points(
                self._name,
                query=_server_vector(query),
                using=name,
                query_filter=conditions,
                search_params=params,
                limit=count,
                with_payload=False,
            )
            return [(str(point.id), point.score) for point in response.points]

        with server_errors():
            return best_of(fetch, limit)

    def ids(self, among: Sequence[str] | None = None) -> Iterator[str]:
        """Yield the ids of all points, or of those among some."""
        if among is not None:
            asked = sorted({canonical_id(one) for one in among})
            for start in range(0, len(asked), BATCH_POINTS):
                with server_errors():
                    found = self._client.retrieve(self._name, asked[start : start + BATCH_POINTS], with_payload=False)
                yield from (str(record.id) for record in found)
            return
        offset: Any = None
        page = FIRST_IDS
        while True:
            with server_errors():
                records, offset = self._client.scroll(self._name, limit=page, offset=offset, with_payload=False)
            yield from (str(record.id) for record in records)
            if offset is None:
                return
            page = MORE_IDS

    def close(self) -> None:
        """Let go of the connection."""
        with server_errors():
            self._client.close()

    def _create(self, exact_points: int, layout: Layout) -> None:
        """Make the collection with its payload indexes; another process may just have done so."""
        from qdrant_client import models
        from qdrant_client.http.exceptions import UnexpectedResponse

        dense = [spec for spec in self._specs if spec.kind == "dense"]
        widest_dim = max((spec.dim for spec in dense), default=1)
        try:
            self._client.create_collection(
                self._name,
                vectors_config={
                    spec.name: models.VectorParams(size=spec.dim, distance=models.Distance.DOT, on_disk=layout.on_disk)
                    for spec in dense
                },
                sparse_vectors_config={
                    spec.name: models.SparseVectorParams(
                        modifier=models.Modifier.IDF if spec.has_idf else None,
                        index=models.SparseIndexParams(on_disk=layout.on_disk),
                    )
                    for spec in self._specs
                    if spec.kind == "sparse"
                },
                shard_number=layout.shards,
                replication_factor=layout.replicas,
                write_consistency_factor=layout.replicas // 2 + 1,
                hnsw_config=models.HnswConfigDiff(m=layout.hnsw_m),
                quantization_config=models.ScalarQuantization(
                    scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
                ),
                optimizers_config=models.OptimizersConfigDiff(
                    indexing_threshold=max(1, exact_points * widest_dim * 4 // 1024)
                ),
            )
        except UnexpectedResponse:
            if not self._client.collection_exists(self._name):
                raise
        for field in FILTER_FIELDS:
            self._client.create_payload_index(self._name, field, models.PayloadSchemaType.KEYWORD, wait=True)

    def _check(self) -> None:
        """Compare the collection's named vectors with the specs.

        Raises:
            FingerprintMismatchError: they differ.
        """
        from qdrant_client import models

        params = self._client.get_collection(self._name).config.params
        dense = params.vectors if isinstance(params.vectors, dict) else {}
        kept = [Channel(name, "dense", vector.size) for name, vector in dense.items()]
        kept += [
            Channel(name, "sparse", has_idf=vector.modifier == models.Modifier.IDF)
            for name, vector in (params.sparse_vectors or {}).items()
        ]
        if describe(kept) != describe(self._specs):
            raise FingerprintMismatchError(f"The collection {self._name!r} was made for other vectors.", REBUILD_HINT)


@contextmanager
def server_errors() -> Iterator[None]:
    """Turn qdrant-client's errors into ours."""
    from httpx import HTTPError
    from qdrant_client.common.client_exceptions import QdrantException
    from qdrant_client.http.exceptions import ApiException

    try:
        yield
    except SpeechSearchError:
        raise
    except (ApiException, QdrantException, HTTPError, OSError, RuntimeError) as error:
        raise IndexUnavailableError(
            f"The Qdrant server did not do what it was asked: {error!s:.300}", "Is it running, and the URL right?"
        ) from error


def _strong() -> Any:
    """Return the ordering of all writes."""
    from qdrant_client import models

    return models.WriteOrdering.STRONG


def _search_params(spec: Channel) -> Any:
    """Return how to search: quantised candidates compared exactly, term frequencies counted over living points."""
    from qdrant_client import models

    if spec.kind == "dense":
        quantization = models.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING)
        return models.SearchParams(quantization=quantization)
    # Without a corpus, deleted points would be counted until the next optimisation.
    return models.SearchParams(idf=models.IdfCorpusParams(corpus=models.Filter()) if spec.has_idf else None)


def _server_filter(filters: Filters, wanted: set[str] | None) -> Any:
    """Return filters as the server's conditions, or None."""
    from qdrant_client import models

    conditions: list[Any] = [
        models.FieldCondition(key=key, match=models.MatchAny(any=list(getattr(filters, field))))
        for key, field in FILTER_FIELDS.items()
        if getattr(filters, field)
    ]
    if wanted is not None:
        conditions.append(models.HasIdCondition(has_id=sorted(wanted)))
    return models.Filter(must=conditions) if conditions else None


def _server_vector(vector: Vector) -> Any:
    """Return a vector as the server takes it."""
    from qdrant_client import models

    if isinstance(vector, SparseVector):
        return models.SparseVector(indices=vector.indices.tolist(), values=vector.values.tolist())
    return vector.tolist()


def _server_point(point: Point) -> Any:
    """Return a prepared point as the server takes it."""
    from qdrant_client import models

    vectors = {name: _server_vector(vector) for name, vector in point.vectors.items()}
    return models.PointStruct(id=point.passage_id, vector=vectors, payload=written_payload(point.payload))
