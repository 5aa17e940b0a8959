"""The one retriever of every vector channel: encode the query, ask the index for the nearest passages."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from speechsearch.domain.values import Channel, ChannelRank, Filters, Query, Vector
from speechsearch.index.vector_index import VectorIndex
from speechsearch.retrieval.retriever import RankedPassage, Ranking

KEPT_QUERIES = 64
"""A fused engine asks several times with the same query: for the nearest passages, then for the scores of some."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """What was found for a query: passage id -> score; ``is_all``: there are no others that its filters allow."""

    query: Query
    scores: dict[str, float]
    is_all: bool


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
        self._kept: OrderedDict[int, Nearest] = OrderedDict()
        self._lock = threading.Lock()

    def retrieve(self, query: Query, limit: int) -> Ranking:
        """Return at most ``limit`` passages, best first.

        Raises:
            EmptyQueryError: nothing in the query can be looked for.
        """
        started = time.perf_counter()
        vector = self._encode(query)
        encoded = time.perf_counter()
        found = self.index.search(self.channel.name, vector, limit, query.filters)
        self._keep(Nearest(query, {one.passage_id: one.score for one in found}, len(found) < limit))
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
        vector, nearest = self._encode(query), self._kept.get(id(query), Nearest(query, {}, False))
        known = nearest.scores
        is_all = nearest.is_all and query.filters == Filters()
        unknown = [] if is_all else [one for one in passage_ids if one not in known]
        if unknown:
            found = self.index.search(self.channel.name, vector, len(unknown), only=unknown)
            known = known | {one.passage_id: one.score for one in found}
        scores = dict.fromkeys(passage_ids, 0.0) if self.channel.kind == "sparse" else {}
        return scores | {one: known[one] for one in passage_ids if one in known}

    def _keep(self, nearest: Nearest) -> None:
        """Remember what was found for this very query: it stays beside what was found, so no other has its number."""
        with self._lock:
            self._kept[id(nearest.query)] = nearest
            while len(self._kept) > KEPT_QUERIES:
                self._kept.popitem(last=False)
