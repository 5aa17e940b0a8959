"""Qdrant's ways of indexing on a server, for the trade-off: a collection of its own, deleted at the end."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechsearch.domain.errors import IndexUnavailableError
from speechsearch.domain.values import FloatMatrix
from speechsearch.evaluation.index_edge import CANDIDATES_WHILE_BUILT, LINKS, NAME, NEVER_KB, PART, SETTINGS, TITLES
from speechsearch.evaluation.index_tradeoff import NEIGHBOURS, Built, Method, Parts
from speechsearch.index.server import connect, server_errors

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

ENGINE = "Qdrant server"
PREFIX = "speechsearch-benchmark-"
BATCH_POINTS = 256
MOST_WAIT_S, EVERY_S = 7200.0, 0.5


def server_methods(url: str, api_key: str = "") -> dict[str, Method]:
    """Return short name -> method on the Qdrant server at ``url``. Raises IndexUnavailableError: the URL is none."""
    connect(url, api_key).close()
    return {
        f"server-{kind}": Method(ENGINE, TITLES[kind], settings, _Builder(kind, url, api_key))
        for kind, settings in SETTINGS.items()
    }


class _Builder:
    """Makes a collection on the server out of vectors."""

    def __init__(self, kind: str, url: str, api_key: str) -> None:
        self._kind, self._place = kind, (url, api_key)

    def __call__(self, vectors: FloatMatrix, parts: Parts, folder: Path) -> Built:
        built = BuiltOnServer(connect(*self._place), f"{PREFIX}{uuid.uuid4().hex}")
        try:
            built.write(self._kind, vectors, parts)
        except BaseException:
            built.close()
            raise
        return built


class BuiltOnServer:
    """A collection of this measurement alone; how much it takes, the server does not say."""

    kept_bytes = compared_bytes = None

    def __init__(self, client: QdrantClient, name: str) -> None:
        self._client, self._name = client, name

    def write(self, kind: str, vectors: FloatMatrix, parts: Parts) -> None:
        """Make the collection, write vectors (n, dim) whose ids are their rows, and wait until all is indexed."""
        from qdrant_client import models

        links = LINKS if kind == "hnsw" else 0
        with server_errors():
            self._client.create_collection(
                self._name,
                vectors_config={NAME: models.VectorParams(size=vectors.shape[1], distance=models.Distance.DOT)},
                hnsw_config=models.HnswConfigDiff(m=links, ef_construct=CANDIDATES_WHILE_BUILT),
                quantization_config=_quantization(kind),
                optimizers_config=models.OptimizersConfigDiff(
                    indexing_threshold=NEVER_KB if kind == "flat" else 1,
                    default_segment_number=1,
                    max_segment_size=NEVER_KB,
                ),
            )
            self._client.create_payload_index(self._name, PART, models.PayloadSchemaType.KEYWORD, wait=True)
            for start in range(0, len(vectors), BATCH_POINTS):
                rows = range(start, min(start + BATCH_POINTS, len(vectors)))
                points = [
                    models.PointStruct(id=row, vector={NAME: vectors[row].tolist()}, payload={PART: str(parts[row])})
                    for row in rows
                ]
                self._client.upsert(self._name, points, wait=True, ordering=models.WriteOrdering.STRONG)
            self._wait()

    def _wait(self) -> None:
        from qdrant_client import models

        until_s = time.monotonic() + MOST_WAIT_S
        while self._client.get_collection(self._name).status != models.CollectionStatus.GREEN:
            if time.monotonic() > until_s:
                raise IndexUnavailableError(f"The Qdrant server had not indexed all after {MOST_WAIT_S:.0f} s.")
            time.sleep(EVERY_S)

    def search(self, query: FloatMatrix, setting: Mapping[str, int], part: int | None) -> Sequence[int]:
        """Return the rows of the best vectors; ``ef`` and ``again`` of the setting say how."""
        from qdrant_client import models

        again = setting.get("again")
        quantization = models.QuantizationSearchParams(rescore=True, oversampling=float(again)) if again else None
        wanted = models.FieldCondition(key=PART, match=models.MatchAny(any=[str(part)]))
        with server_errors():
            response = self._client.query_points(
                self._name,
                query=query.tolist(),
                using=NAME,
                limit=NEIGHBOURS,
                search_params=models.SearchParams(hnsw_ef=setting.get("ef"), quantization=quantization),
                query_filter=None if part is None else models.Filter(must=[wanted]),
                with_payload=False,
            )
        return [int(point.id) for point in response.points]

    def close(self) -> None:
        """Delete the collection and let go of the server."""
        with closing(self._client), server_errors():
            self._client.delete_collection(self._name)


def _quantization(kind: str) -> Any:
    """Return a collection's quantisation for a method, None for none."""
    from qdrant_client import models

    makers: dict[str, Any] = {
        "int8": lambda: models.ScalarQuantization(
            scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
        ),
        "binary": lambda: models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True)),
        "pq": lambda: models.ProductQuantization(
            product=models.ProductQuantizationConfig(compression=models.CompressionRatio.X16, always_ram=True)
        ),
        "turbo": lambda: models.TurboQuantization(
            turbo=models.TurboQuantQuantizationConfig(bits=models.TurboQuantBitSize.BITS4, always_ram=True)
        ),
    }
    return makers[kind]() if kind in makers else None
