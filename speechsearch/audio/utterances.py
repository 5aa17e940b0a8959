"""Where somebody begins to speak and stops again, told while the sound still comes in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from speechsearch.audio.voice_activity import ENTER, LEAVE, SHORTEST_SPEECH_S, WINDOW_SAMPLES, SpeechDetector
from speechsearch.domain.values import SAMPLE_RATE_HZ

PAUSE_S = 0.7
"""So long a pause ends an utterance; people breathe in less."""
WINDOW_S = WINDOW_SAMPLES / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Edge:
    """Somebody begins to speak, or has stopped, at ``at_s`` seconds from the start of the sound."""

    kind: Literal["began", "ended"]
    at_s: float


class Utterances:
    """Hears where utterances begin and end: by the thresholds of ``voice_activity``, which go for recordings."""

    def __init__(self) -> None:
        self._detector = SpeechDetector()
        self._windows = 0
        self._start: int | None = None
        self._quiet: int | None = None  # where the open utterance may have ended
        self._is_told = False

    def hear(self, samples: NDArray[np.float32]) -> list[Edge]:
        """Return the edges that are certain now; ``samples``: (n,) float32, what comes after all heard before.

        A beginning is certain after a quarter of a second of speech, an end after PAUSE_S without.
        """
        return self.judge(self._detector.hear(samples))

    def judge(self, probabilities: NDArray[np.float32]) -> list[Edge]:
        """Return the edges that further windows show, (windows,) float32.

        >>> Utterances().judge(np.repeat(np.float32([0, 1, 0]), (10, 20, 30)))
        [Edge(kind='began', at_s=0.32), Edge(kind='ended', at_s=0.96)]
        """
        edges = []
        for value in probabilities.tolist():
            if value >= ENTER:
                self._quiet = None
                self._start = self._windows if self._start is None else self._start
            elif value < LEAVE and self._start is not None and self._quiet is None:
                self._quiet = self._windows
            self._windows += 1
            if self._start is None:
                continue
            speech_s = ((self._quiet or self._windows) - self._start) * WINDOW_S
            if not self._is_told and speech_s > SHORTEST_SPEECH_S:
                edges.append(Edge("began", self._start * WINDOW_S))
                self._is_told = True
            if self._quiet is not None and (self._windows - self._quiet) * WINDOW_S >= PAUSE_S:
                if self._is_told:
                    edges.append(Edge("ended", self._quiet * WINDOW_S))
                self._start = self._quiet = None
                self._is_told = False
        return edges
