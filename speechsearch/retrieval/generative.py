"""The engine whose answers are written, not looked up: only passages that a model was trained on can be found.

The index is asked for nothing but which of those passages are still there and allowed by filters; only their addresses
can then be written.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from speechsearch.domain.errors import CapabilityError
from speechsearch.domain.values import Channel, ChannelRank, Filters, Query
from speechsearch.domain.visitors import shown_name
from speechsearch.index.vector_index import VectorIndex
from speechsearch.models.base import PassageGenerator
from speechsearch.models.generative_cards import training_command
from speechsearch.retrieval.engines import EngineParts, parts_of
from speechsearch.retrieval.retriever import RankedPassage, Ranking


def generative(parts: EngineParts) -> GenerativeRetriever:
    """Return the engine over the models that were trained on collections."""
    dense = next(one.channel for one in parts_of(parts) if one.channel.kind == "dense")
    return GenerativeRetriever(parts.card.name, parts.generators, parts.index, dense)


class GenerativeRetriever:
    """Ranks passages by how likely their addresses are to be written for a question.

    Args:
        name: what hits call it.
        generators: each trained on a collection; all whose passages are allowed are asked.
        index: knows which passages there are and what filters allow.
        channel: a dense one that every passage has which can be learnt.
    """

    def __init__(self, name: str, generators: Sequence[PassageGenerator], index: VectorIndex, channel: Channel) -> None:
        self.name, self.generators, self.index = name, generators, index
        self._channel = channel.name
        self._any = np.eye(1, channel.dim, dtype=np.float32)[0]

    def retrieve(self, query: Query, limit: int) -> Ranking:
        """Return at most ``limit`` passages, best first; the score is the log-probability of the address.

        Raises:
            EmptyQueryError: there is nothing in the question.
            CapabilityError: nothing of what is to be searched was learnt.
        """
        started = time.perf_counter()
        allowed = [(one, self._allowed(one, query.filters)) for one in self.generators]
        if not any(ids for _, ids in allowed):
            raise self._refusal(query.filters)
        found = [each for one, ids in allowed if ids for each in one.generate(query, limit, ids)]
        best = sorted(found, key=lambda each: (-each.score, each.passage_id))[:limit]
        passages = tuple(
            RankedPassage(one.passage_id, one.score, (ChannelRank(self.name, rank, one.score),))
            for rank, one in enumerate(best, 1)
        )
        return Ranking(passages, 0.0, (time.perf_counter() - started) * 1000)

    def learnt(self, filters: Filters) -> list[str]:
        """Return the ids of the passages that it can find, of those that filters allow."""
        return [one for generator in self.generators for one in self._allowed(generator, filters)]

    def _allowed(self, generator: PassageGenerator, filters: Filters) -> list[str]:
        """Return which passages of a model are there and allowed, whatever they are near to."""
        ids = sorted(generator.passage_ids)
        return [one.passage_id for one in self.index.search(self._channel, self._any, len(ids), filters, only=ids)]

    def _refusal(self, filters: Filters) -> CapabilityError:
        """Return the error of a search in what nobody has learnt."""
        names = filters.collections or tuple(one.collection for one in self.generators)
        asked = ", ".join(f"'{shown_name(name)}'" for name in names)
        return CapabilityError(
            f"The engine '{self.name}' has learnt nothing of what is to be searched in {asked:.300}.",
            f"Choose another engine, or run: {training_command(names[0])}",
        )
