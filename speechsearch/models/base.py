"""What turns sound and words into the vectors that passages are found by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from speechsearch.domain.values import Audio, PhonemeTrack, Query, Transcript, Vector, Vectors


class PassageEncoder(Protocol):
    """Turns passages of sound into named vectors."""

    @property
    def vector_names(self) -> tuple[str, ...]:
        """The names of the vectors that ``encode`` gives for every passage."""

    @property
    def fingerprint(self) -> str:
        """A short text that changes when the same sound would give other vectors."""

    def encode(self, passages: Sequence[Audio]) -> list[Vectors]:
        """Return one set of named vectors a passage, in order."""

    def tracks(self, passages: Sequence[Audio]) -> list[PhonemeTrack]:
        """Return the phonemes heard in each passage, in order; cheap after ``encode`` of the same passages."""


class QueryEncoder(Protocol):
    """Turns a typed or spoken query into the vector of one channel."""

    def encode_query(self, query: Query) -> Vector:
        """Return the query's vector.

        Raises:
            EmptyQueryError: nothing in the query can be looked for.
        """


class Recognizer(Protocol):
    """Turns passages of sound into text."""

    @property
    def name(self) -> str:
        """The catalog name of the recogniser."""

    @property
    def fingerprint(self) -> str:
        """A short text that changes when the same sound would give another transcript."""

    def transcribe(self, passages: Sequence[Audio]) -> list[Transcript]:
        """Return one transcript a passage, in order; the text is empty where nothing was understood."""
