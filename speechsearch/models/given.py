"""The recogniser that hears nothing: its transcripts came with the recordings (``library/given_transcripts.py``)."""

from __future__ import annotations

from collections.abc import Sequence

from speechsearch.domain.captions import GIVEN
from speechsearch.domain.errors import CapabilityError
from speechsearch.domain.values import Audio, Transcript
from speechsearch.models.card import ModelCard
from speechsearch.models.load import Located

CARD = ModelCard(
    name=GIVEN,
    task="recognizer",
    factory="speechsearch.models.given:load",
    summary="no model: the transcripts that come beside the recordings (SRT, WebVTT, JSON)",
    licence="as the recording",
    revision="1",
)


def load(located: Located) -> GivenTranscripts:
    """Return the recogniser."""
    return GivenTranscripts(located.card)


class GivenTranscripts:
    """Stands for those who wrote the transcripts."""

    def __init__(self, card: ModelCard) -> None:
        self.name, self.fingerprint = card.name, card.fingerprint

    def transcribe(
        self, sounds: Sequence[Audio], language: str | None = None, hotwords: Sequence[str] = ()
    ) -> list[Transcript]:
        """Return nothing for nothing.

        Raises:
            CapabilityError: there are sounds to be written down.
        """
        if sounds:
            raise CapabilityError(
                "Given transcripts come with recordings; nothing can be written down by them.",
                "Choose an engine over a recogniser's transcripts, or type the question.",
            )
        return []
