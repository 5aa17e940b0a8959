"""The shipped model as a recogniser: the same network decoded to words, so only the deciding differs."""

from __future__ import annotations

from collections.abc import Sequence

from speechsearch.domain.values import Audio, Transcript
from speechsearch.models.mini.network import MiniModel


class MiniRecognizer:
    """Writes down the likeliest word pieces of the shipped model."""

    name = "mini"

    def __init__(self, model: MiniModel) -> None:
        self.model = model
        self.fingerprint = f"mini-{model.fingerprint}"

    def transcribe(self, passages: Sequence[Audio]) -> list[Transcript]:
        """Return one transcript a passage, in order, with word times."""
        transcripts = []
        for heard in self.model.hear(passages):
            words = tuple(self.model.words(heard))
            transcripts.append(Transcript(" ".join(word.text for word in words), self.name, words))
        return transcripts
