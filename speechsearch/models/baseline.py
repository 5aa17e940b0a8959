"""A baseline: a recogniser together with what makes its transcripts searchable."""

from __future__ import annotations

from dataclasses import dataclass

from speechsearch.domain.captions import GIVEN
from speechsearch.models.base import Recognizer
from speechsearch.models.transcripts import TranscriptEncoder


@dataclass(frozen=True, slots=True)
class Baseline:
    """One recogniser of a library, and the encoder of its transcripts."""

    recognizer: Recognizer
    encoder: TranscriptEncoder

    @property
    def name(self) -> str:
        """The recogniser's name in the catalog."""
        return self.recognizer.name

    @property
    def is_given(self) -> bool:
        """Whether its transcripts come with the recordings; then it writes none."""
        return self.name == GIVEN

    @property
    def made_by(self) -> dict[str, str]:
        """The channels of the transcripts -> the fingerprint of what makes them."""
        maker = f"{self.recognizer.fingerprint}+{self.encoder.fingerprint}"
        return {channel.name: maker for channel in self.encoder.channels}

    @property
    def models(self) -> dict[str, str]:
        """Task -> fingerprint of the models that it consists of."""
        return {"recognizer": self.recognizer.fingerprint, "text encoder": self.encoder.text_encoder.fingerprint}
