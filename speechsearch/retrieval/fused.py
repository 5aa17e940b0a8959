"""Several channels as one engine: candidates of each, scored by all, normalised, weighted, summed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence

from speechsearch.domain.errors import EmptyQueryError
from speechsearch.domain.values import ChannelRank, Query, Vector
from speechsearch.retrieval.fusion import Scale, scales_of, weighted_sum
from speechsearch.retrieval.retriever import RankedPassage, Ranking
from speechsearch.retrieval.vector import VectorRetriever

CANDIDATES = 100
BACKGROUND = 400


class FusedRetriever:
    """Ranks passages by a weighted sum of channels' normalised scores; each hit says which channel found it where."""

    def __init__(
        self,
        name: str,
        channels: Sequence[VectorRetriever],
        weights: Mapping[str, float],
        sample: Callable[[], Sequence[str]],
        typical: Mapping[str, Scale],
        confidence_threshold: float = float("-inf"),
        calibration: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """``sample`` gives the ids of some passages: the background against which scores are normalised.

        ``typical``: each channel's usual mean and deviation, for libraries that are too small to tell.
        """
        self.name, self.channels, self.weights = name, channels, weights
        self.sample, self.typical = sample, typical
        self.confidence_threshold, self.calibration = confidence_threshold, calibration

    def retrieve(self, query: Query, limit: int) -> Ranking:
        """Return at most ``limit`` passages, best first.

        Raises:
            EmptyQueryError: no channel can look for anything in the query.
        """
        started = time.perf_counter()
        vectors: dict[str, Vector] = {}
        for channel in self.channels:
            try:
                vectors[channel.name] = channel.encoder.encode_query(query)
            except EmptyQueryError as error:
                empty = error  # another channel may still have something to look for
        if not vectors:
            raise empty
        encoded = time.perf_counter()
        active = [channel for channel in self.channels if channel.name in vectors]
        found = {
            channel.name: channel.search(vectors[channel.name], query, max(limit, CANDIDATES)) for channel in active
        }
        others = self.sample()
        wanted = sorted({one.passage_id for scored in found.values() for one in scored} | set(others))
        scores = {
            channel.name: {one.passage_id: one.score for one in channel.scores(vectors[channel.name], wanted)}
            for channel in active
        }
        ranks = {name: {one.passage_id: rank for rank, one in enumerate(scored, 1)} for name, scored in found.items()}
        candidates = {passage_id for table in ranks.values() for passage_id in table}
        fused = weighted_sum(scores, self.weights, scales_of(scores, others, self.typical), candidates)[:limit]
        passages = tuple(
            RankedPassage(
                passage_id,
                score,
                tuple(
                    ChannelRank(name, table[passage_id], scores[name].get(passage_id, 0.0))
                    for name, table in ranks.items()
                    if passage_id in table
                ),
            )
            for passage_id, score in fused
        )
        search_ms = (time.perf_counter() - encoded) * 1000
        return Ranking(passages, (encoded - started) * 1000, search_ms, self.confidence_threshold, self.calibration)


def draw_sample(passage_ids: Sequence[str], size: int = BACKGROUND, seed: int = 1) -> list[str]:
    """Return at most ``size`` of the ids, the same ones every time."""
    ordered = sorted(passage_ids)
    return ordered if len(ordered) <= size else sorted(random.Random(seed).sample(ordered, size))
