"""PocketSphinx with the US English model and trigram language model of its wheel."""

from __future__ import annotations

import importlib.metadata
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from speechsearch.domain.errors import MissingDependencyError
from speechsearch.domain.values import Audio, Transcript, Word

FRAMES_A_SECOND = 100
MOST_ACTIVE_HMMS = 3_000
"""A frame; 1.5 times as fast as the default at the same word error rate (docs/training-log.md)."""


def fingerprint() -> str:
    """Return a text that changes with the package and with how its decoder is set."""
    return f"pocketsphinx-{importlib.metadata.version('pocketsphinx')}-{MOST_ACTIVE_HMMS}"


class PocketSphinxRecognizer:
    """Hidden Markov models and a trigram language model (Huggins-Daines et al., 2006)."""

    name = "pocketsphinx"

    def __init__(self) -> None:
        """Load the decoder.

        Raises:
            MissingDependencyError: pocketsphinx is not installed.
        """
        try:
            import pocketsphinx
        except ImportError as error:
            raise MissingDependencyError("pocketsphinx is not installed.", "Run: pip install pocketsphinx") from error
        self.fingerprint = fingerprint()
        self._decoder: Any = pocketsphinx.Decoder(samprate=16_000, loglevel="FATAL", maxhmmpf=MOST_ACTIVE_HMMS)
        self._lock = threading.Lock()

    def transcribe(self, passages: Sequence[Audio]) -> list[Transcript]:
        """Return one transcript a passage, in order, with word times."""
        return [self._transcribe_one(passage) for passage in passages]

    def _transcribe_one(self, passage: Audio) -> Transcript:
        pcm = (passage.samples.clip(-1, 1) * 32767).astype(np.int16).tobytes()
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
        return Transcript(" ".join(word.text for word in words), self.name, words)
