"""What ranks passages for a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from speechsearch.domain.values import ChannelRank, Filters, Query


@dataclass(frozen=True, slots=True)
class RankedPassage:
    """A passage in a retriever's answer: its score (higher is better) and the channels that found it.

    ``heard``: how much of the question is heard in it, 0 to 1; 0 where nothing listened for its words.
    """

    passage_id: str
    score: float
    channels: tuple[ChannelRank, ...]
    heard: float = 0.0


@dataclass(frozen=True, slots=True)
class Ranking:
    """A retriever's answer, best first, and the time it took; ``features``: the question's, where they were asked for.

    The names of the features are ``text.common.FEATURES``.
    """

    passages: tuple[RankedPassage, ...]
    encode_ms: float
    search_ms: float
    features: tuple[float, ...] = ()


@runtime_checkable
class Retriever(Protocol):
    """One engine, or one channel of it: ranks the passages of an index for a query."""

    @property
    def name(self) -> str:
        """Its name: an engine's in the catalog, or a channel's title."""

    def retrieve(self, query: Query, limit: int) -> Ranking:
        """Return at most ``limit`` passages that the query's filters allow, best first.

        Raises:
            EmptyQueryError: nothing in the query can be looked for.
        """


@runtime_checkable
class Learner(Retriever, Protocol):
    """A retriever that can only find passages that a model was trained on."""

    def learnt(self, filters: Filters) -> Sequence[str]:
        """Return the ids of the passages that it can find, of those that filters allow."""


@runtime_checkable
class Scorer(Retriever, Protocol):
    """A retriever that can also say what it makes of given passages: all that fusion by scores needs."""

    def score(self, query: Query, passage_ids: Sequence[str]) -> Mapping[str, float]:
        """Return passage id -> score; those that share nothing with the query may be left out.

        Raises:
            EmptyQueryError: nothing in the query can be looked for.
        """
