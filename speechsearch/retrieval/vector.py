"""The one retriever of every vector engine: encode the query, ask the index for the nearest passages."""

from __future__ import annotations

import time
from collections.abc import Sequence

from speechsearch.domain.values import ChannelRank, Query, ScoredPassage, Vector
from speechsearch.index.vector_index import VectorIndex
from speechsearch.models.base import QueryEncoder
from speechsearch.retrieval.retriever import RankedPassage, Ranking


class VectorRetriever:
    """Ranks passages by one named vector."""

    def __init__(
        self,
        name: str,
        vector_name: str,
        encoder: QueryEncoder,
        index: VectorIndex,
        confidence_threshold: float = float("-inf"),
        calibration: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.name, self.vector_name = name, vector_name
        self.encoder, self.index = encoder, index
        self.confidence_threshold, self.calibration = confidence_threshold, calibration

    def retrieve(self, query: Query, limit: int) -> Ranking:
        """Return at most ``limit`` passages, best first.

        Raises:
            EmptyQueryError: nothing in the query can be looked for.
        """
        started = time.perf_counter()
        vector = self.encoder.encode_query(query)
        encoded = time.perf_counter()
        found = self.search(vector, query, limit)
        passages = tuple(
            RankedPassage(one.passage_id, one.score, (ChannelRank(self.name, rank, one.score),))
            for rank, one in enumerate(found, 1)
        )
        search_ms = (time.perf_counter() - encoded) * 1000
        return Ranking(passages, (encoded - started) * 1000, search_ms, self.confidence_threshold, self.calibration)

    def search(self, vector: Vector, query: Query, limit: int) -> list[ScoredPassage]:
        """Return the nearest passages that the query's filters allow, best first."""
        return self.index.search(self.vector_name, vector, limit, query.filters)

    def scores(self, vector: Vector, passage_ids: Sequence[str]) -> list[ScoredPassage]:
        """Return the scores of these passages, best first; a sparse channel leaves out those without a common term."""
        return self.index.search(self.vector_name, vector, len(passage_ids), only=passage_ids) if passage_ids else []
