"""What keeps vectors and finds the nearest: one collection of points, each with named dense and sparse vectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from speechsearch.domain.values import Filters, ScoredPassage, Vector, Vectors

FILTER_FIELDS = {
    "collection": "collections",
    "recording_id": "recording_ids",
    "speaker": "speakers",
    "language": "languages",
}
"""Payload key of a point -> the field of ``Filters`` that restricts it."""

LARGEST_LIMIT = 100_000
"""No search returns more points than this, whatever it is asked for."""

REBUILD_HINT = "Make the index anew with: python -m speechsearch rebuild"


Payload = Mapping[str, str | float | tuple[str, ...]]
"""What a point can be filtered by, by key: a filter allows a value that has several texts if it allows one of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """A passage in the index: its id, its vectors and what it can be filtered by.

    ``payload`` has the keys collection, recording_id, language (text), speaker (texts) and start_s (float).
    A point may lack some of the named vectors; a search by one of those does not find it.
    """

    passage_id: str
    vectors: Vectors
    payload: Payload


class VectorIndex(Protocol):
    """Keeps points and ranks them. Upserts are idempotent by id; ties are broken by id, ascending.

    Every method raises InputError for what cannot be indexed or searched (an id that is no UUID, an unknown vector
    name, a wrong width, NaN, a zero dense vector) and IndexUnavailableError when the backend fails.
    One writer and any number of searches may work at once.
    """

    def upsert(self, points: Sequence[Point]) -> None:
        """Write points, over older ones of the same id; durable when it returns."""

    def delete(self, passage_ids: Sequence[str]) -> None:
        """Remove points; unknown ids are ignored.

        What an embedded index held of them is gone from its files some minutes later or, from a large one, when it is
        closed or opened again.
        """

    def search(
        self, name: str, vector: Vector, limit: int, filters: Filters | None = None, only: Sequence[str] | None = None
    ) -> list[ScoredPassage]:
        """Return the best points by one named vector, best first; ``only`` restricts to those passage ids.

        A sparse search returns only points that share a term with the query.
        """

    def ids(self, among: Sequence[str] | None = None) -> Iterator[str]:
        """Yield the ids of all points, or of those among some, once each."""

    def close(self) -> None:
        """Write everything and let go of files and connections; closing twice is fine."""
