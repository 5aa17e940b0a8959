"""The one retriever of every vector channel: encode the query, ask the index for the nearest passages."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache

from speechsearch.domain.values import Channel, ChannelRank, Query, Vector
from speechsearch.index.vector_index import VectorIndex
from speechsearch.retrieval.retriever import RankedPassage, Ranking

KEPT_QUERIES = 4
"""A fused engine asks twice with the same query: for the nearest passages, then for the scores of some."""


class VectorRetriever:
    """Ranks passages by one named vector.

    Args:
        name: what hits call it.
        channel: which vector.
        encode: gives a query's vector in the channel; raises EmptyQueryError.
        index: where the passages' vectors are.
    """

    def __init__(self, name: str, channel: Channel, encode: Callable[[Query], Vector], index: VectorIndex) -> None:
        self.name, self.channel, self.index = name, channel, index
        self._encode = lru_cache(KEPT_QUERIES)(encode)

    def retrieve(self, query: Query, limit: int) -> Ranking:
        """Return at most ``limit`` passages, best first.

        Raises:
            EmptyQueryError: nothing in the query can be looked for.
        """
        started = time.perf_counter()
        vector = self._encode(query)
        encoded = time.perf_counter()
        found = self.index.search(self.channel.name, vector, limit, query.filters)
        passages = tuple(
            RankedPassage(one.passage_id, one.score, (ChannelRank(self.name, rank, one.score),))
            for rank, one in enumerate(found, 1)
        )
        return Ranking(passages, (encoded - started) * 1000, (time.perf_counter() - encoded) * 1000)

    def score(self, query: Query, passage_ids: Sequence[str]) -> dict[str, float]:
        """Return passage id -> score; without a common term it is 0, without a dense vector there is none.

        Raises:
            EmptyQueryError: nothing in the query can be looked for.
        """
        if not passage_ids:
            return {}
        found = self.index.search(self.channel.name, self._encode(query), len(passage_ids), only=passage_ids)
        scores = dict.fromkeys(passage_ids, 0.0) if self.channel.kind == "sparse" else {}
        return scores | {one.passage_id: one.score for one in found}
