"""What the tiny speech encoders of one dense channel beside a text encoder have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from torch import nn

from speechsearch.domain.errors import CapabilityError, EmptyQueryError
from speechsearch.domain.values import Audio, Query, SpokenWord, Vector
from speechsearch.models.base import EncodedPassage, TextEncoder
from speechsearch.models.load import Located
from tests.tiny.saving import read_weights


class DenseSpeechEncoder(ABC):
    """Encodes sound by its network and typed words by the text encoder."""

    def __init__(self, located: Located, network: nn.Module, text_encoder: TextEncoder) -> None:
        self.channels, self.fingerprint = located.card.channels, located.card.fingerprint
        self.text_encoder, self.device = text_encoder, located.device
        read_weights(located, network)

    @abstractmethod
    def encode_passages(self, sounds: Sequence[Audio]) -> list[EncodedPassage]:
        """One vector a passage, in order; zeros where there is no sound."""

    def encode_query(self, query: Query, channel: str) -> Vector:
        """Words through the text encoder, sound as a passage."""
        if channel != self.channels[0].name:
            raise CapabilityError(f"There is no channel '{channel}'.")
        if query.audio is None and query.text.strip():
            return np.asarray(self.text_encoder.encode_queries([query.text])[0])
        if query.audio is None or not len(query.audio.samples):
            raise EmptyQueryError("The question is empty.", "Type some words or record a question.")
        return np.asarray(self.encode_passages([query.audio])[0].vectors[channel])

    def pronounce(self, query: Query) -> list[SpokenWord]:
        """Nothing: no phonemes are heard."""
        return []
