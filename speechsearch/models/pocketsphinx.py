"""PocketSphinx with the US English model and trigram language model of its wheel."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from speechsearch.domain.values import Audio, Transcript, Word
from speechsearch.models.card import ModelCard
from speechsearch.models.load import Located

FRAMES_A_SECOND = 100
MOST_ACTIVE_HMMS = 3_000
"""A frame; 1.5 times as fast as the default at the same word error rate (docs/training-log.md)."""


def load(located: Located) -> PocketSphinxRecognizer:
    """Return the recogniser. Raises ImportError when pocketsphinx is not installed."""
    import pocketsphinx

    decoder = pocketsphinx.Decoder(samprate=16_000, loglevel="FATAL", maxhmmpf=MOST_ACTIVE_HMMS)
    return PocketSphinxRecognizer(located.card, decoder)


class PocketSphinxRecognizer:
    """Hidden Markov models and a trigram language model (Huggins-Daines et al., 2006)."""

    def __init__(self, card: ModelCard, decoder: Any) -> None:
        self.card, self.name, self.fingerprint = card, card.name, card.fingerprint
        self._decoder = decoder
        self._lock = threading.Lock()

    def transcribe(
        self, sounds: Sequence[Audio], language: str | None = None, hotwords: Sequence[str] = ()
    ) -> list[Transcript]:
        """Return one transcript a passage, in order, with word times.

        Raises:
            CapabilityError: the language is not English.
        """
        self.card.check_language(language)
        return [self._transcribe_one(sound) for sound in sounds]

    def _transcribe_one(self, sound: Audio) -> Transcript:
        pcm = (sound.samples.clip(-1, 1) * 32767).astype(np.int16).tobytes()
        if not pcm:
            return Transcript("", self.name)
        with self._lock:
            self._decoder.start_utt()
            self._decoder.process_raw(pcm, no_search=False, full_utt=True)
            self._decoder.end_utt()
            segments = list(self._decoder.seg() or [])
        words = tuple(
            Word(s.word.split("(")[0], s.start_frame / FRAMES_A_SECOND, (s.end_frame + 1) / FRAMES_A_SECOND)
            for s in segments
            if not s.word.startswith(("<", "["))
        )
        return Transcript(" ".join(word.text for word in words), self.name, words, "en")
