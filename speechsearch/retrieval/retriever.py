"""What ranks passages for a query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from speechsearch.domain.values import ChannelRank, Query


@dataclass(frozen=True, slots=True)
class RankedPassage:
    """A passage in a retriever's answer: its score (higher is better) and the channels that found it."""

    passage_id: str
    score: float
    channels: tuple[ChannelRank, ...]


@dataclass(frozen=True, slots=True)
class Ranking:
    """A retriever's answer, best first, the time it took, and how its scores are to be read.

    From ``confidence_threshold`` on a passage is likely an answer; ``calibration`` is the slope and intercept of the
    logistic curve from score to likelihood.
    """

    passages: tuple[RankedPassage, ...]
    encode_ms: float
    search_ms: float
    confidence_threshold: float = float("-inf")
    calibration: tuple[float, float] = (0.0, 0.0)


class Retriever(Protocol):
    """One engine: ranks the passages of an index for a query."""

    @property
    def name(self) -> str:
        """The engine's name in the catalog."""

    def retrieve(self, query: Query, limit: int) -> Ranking:
        """Return at most ``limit`` passages, best first.

        Raises:
            EmptyQueryError: nothing in the query can be looked for.
        """
