"""Several retrievers as one engine: candidates of each, fused by learnt weights over scores, or by ranks."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from speechsearch.domain.errors import EmptyQueryError
from speechsearch.domain.values import ChannelRank, Query
from speechsearch.retrieval.calibration import Fusion
from speechsearch.retrieval.fusion import channel_weights, reciprocal_ranks, scales_of, weighted_sum
from speechsearch.retrieval.retriever import RankedPassage, Ranking, Retriever, Scorer
from speechsearch.text.common import features

CANDIDATES = 100
BACKGROUND = 128


class FusedRetriever:
    """Ranks passages by what several retrievers make of them; each hit says which of them found it where.

    Where weights were learnt for its models and every part can score, by a weighted sum of normalised scores; else by
    reciprocal ranks.

    Args:
        name: the engine's.
        parts: the retrievers; those that find nothing to look for in a query are left out of its answer.
        fusion: what was learnt about their scores; None: nothing.
        words: says which words a question has, which the weights depend on.
        sample: gives the ids of some passages: the background against which scores are normalised.
        witness: the part, if any, whose scores say how much of the question is heard in a passage.
    """

    def __init__(
        self,
        name: str,
        parts: Sequence[Retriever],
        fusion: Fusion | None,
        words: Callable[[Query], Sequence[str]],
        sample: Callable[[], Sequence[str]],
        witness: str = "",
    ) -> None:
        self.name, self.parts, self.words, self.sample, self.witness = name, parts, words, sample, witness
        can_score = all(isinstance(part, Scorer) for part in parts)
        is_learnt = fusion is not None and all(part.name in fusion.coefficients for part in parts)
        self.fusion = fusion if can_score and is_learnt else None

    def retrieve(self, query: Query, limit: int) -> Ranking:
        """Return at most ``limit`` passages, best first.

        Raises:
            EmptyQueryError: no part can look for anything in the query.
        """
        started = time.perf_counter()
        found: dict[str, Ranking] = {}
        active: list[Retriever] = []
        for part in self.parts:
            try:
                found[part.name] = part.retrieve(query, max(limit, CANDIDATES))
                active.append(part)
            except EmptyQueryError as error:
                empty = error  # another part may still have something to look for
        if not found:
            raise empty
        ranks = {
            name: {one.passage_id: rank for rank, one in enumerate(ranking.passages, 1)}
            for name, ranking in found.items()
        }
        like: tuple[float, ...] = ()
        if self.fusion is None:
            scores = {name: {one.passage_id: one.score for one in ranking.passages} for name, ranking in found.items()}
            fused = reciprocal_ranks(ranks)
        else:
            candidates = {passage_id for table in ranks.values() for passage_id in table}
            others = self.sample()
            wanted = sorted(candidates | set(others))
            scores = {part.name: dict(part.score(query, wanted)) for part in active if isinstance(part, Scorer)}
            scales = scales_of(scores, others, self.fusion.typical)
            said = scores.get(self.witness, {})
            heard = max((said[one] for one in candidates if one in said), default=0.0)
            like = features(self.words(query), heard)
            weights = channel_weights(self.fusion.coefficients, like, scores)
            fused = weighted_sum(scores, weights, scales, candidates)
        passages = tuple(
            RankedPassage(
                passage_id,
                score,
                tuple(
                    ChannelRank(name, table[passage_id], scores[name].get(passage_id, 0.0))
                    for name, table in ranks.items()
                    if passage_id in table
                ),
                scores.get(self.witness, {}).get(passage_id, 0.0),
            )
            for passage_id, score in fused[:limit]
        )
        encode_ms = sum(ranking.encode_ms for ranking in found.values())
        return Ranking(passages, encode_ms, (time.perf_counter() - started) * 1000 - encode_ms, like)


def draw_sample(passage_ids: Sequence[str], size: int = BACKGROUND, seed: int = 1) -> list[str]:
    """Return at most ``size`` of the ids, the same ones every time."""
    ordered = sorted(passage_ids)
    return ordered if len(ordered) <= size else sorted(random.Random(seed).sample(ordered, size))
