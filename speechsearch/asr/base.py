"""What writes down speech: the baseline that the audio engines are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from speechsearch.datatypes import Audio, Transcript


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
