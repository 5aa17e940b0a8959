"""A transcript of sound that still comes in: guessed while somebody speaks, final when he pauses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speechsearch.audio.utterances import Edge, Utterances
from speechsearch.domain.segments import Segment
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, Span, Transcript, Word
from speechsearch.models.base import Recognizer
from speechsearch.service.agreement import Agreement, timed

GUESS_EVERY_S = 1.0
"""So much new speech is worth a further guess."""
LONG_S = 12.0
"""From here on what is certain becomes final, so that a guess takes no longer the longer somebody speaks."""
LONGEST_S = 24.0
"""What was guessed becomes final, certain or not."""
MARGIN_S = 0.2
KEPT_S = 0.5
"""Of what comes before speech: it is told a little after it has begun."""
SENTENCE_ENDS = (".", "!", "?", "…")


@dataclass(frozen=True, slots=True)
class Partial:
    """What is guessed of the segment that is being spoken; ``stable`` only grows, ``open`` may change."""

    number: int
    stable: str
    open: str
    span: Span


@dataclass(frozen=True, slots=True)
class Final:
    """A segment that is written down; its text begins with all that was stable."""

    number: int
    segment: Segment


Heard = Edge | Partial | Final
"""What there is to tell of a stream."""


class LiveTranscript:
    """Writes down a stream. Not for several threads at once.

    Args:
        recognizer: writes windows down.
        language: what is spoken, as ISO 639 writes it; None: what the recogniser detects.
    """

    def __init__(self, recognizer: Recognizer, language: str | None = None) -> None:
        self._recognizer, self._language = recognizer, language
        self._utterances, self._agreement = Utterances(), Agreement()
        self._samples = np.zeros(0, np.float32)
        self._kept_s = 0.0  # where the kept samples begin
        self._begin_s: float | None = None  # where the open segment begins
        self._guessed_s = 0.0
        self._last_end_s = 0.0
        self._number = 0

    @property
    def heard_s(self) -> float:
        """How much of the stream has been heard, in seconds."""
        return self._kept_s + len(self._samples) / SAMPLE_RATE_HZ

    def hear(self, samples: NDArray[np.float32]) -> Iterator[Heard]:
        """Yield what a further piece, (n,) float32, has to tell; the work is done while it is asked for."""
        self._samples = np.concatenate([self._samples, samples])
        for edge in self._utterances.hear(samples):
            if edge.kind == "began":
                self._begin_s = max(self._kept_s, self._last_end_s, edge.at_s - MARGIN_S)
                self._guessed_s = self._begin_s
                yield edge
            else:
                yield from self._finished(edge.at_s + MARGIN_S)
                yield edge
                self._begin_s = None
        if self._begin_s is not None and self.heard_s - self._guessed_s >= GUESS_EVERY_S:
            yield from self._guess(self._begin_s)
        self._forget()

    def finish(self) -> Iterator[Heard]:
        """Yield what there is to tell when nothing more comes."""
        if self._begin_s is not None:
            end_s = self.heard_s
            yield from self._finished(end_s)
            yield Edge("ended", end_s)
            self._begin_s = None

    def _guess(self, begin_s: float) -> Iterator[Heard]:
        """Yield what is guessed of the open segment, and what of it becomes final because it is long."""
        self._guessed_s = end_s = self.heard_s
        said = self._said(begin_s, end_s)
        self._agreement.guess(timed(said, begin_s, end_s - begin_s))
        if end_s - begin_s > LONGEST_S:
            self._begin_s = end_s
            yield from self._final(self._agreement.finish(self._agreement.open), begin_s, end_s, said)
            return
        if end_s - begin_s > LONG_S and (count := settled(self._agreement.certain)):
            done = self._agreement.cut(count)
            self._begin_s = min(done[-1].end_s, end_s)  # a recogniser may give a word a longer time than was heard
            yield from self._final(done, begin_s, self._begin_s, said, goes_on=True)
        agreement = self._agreement
        if agreement.certain or agreement.open:
            span = Span(round(self._begin_s or begin_s, 3), round(end_s, 3))
            yield Partial(self._number, written(agreement.certain), written(agreement.open), span)

    def _finished(self, end_s: float) -> Iterator[Final]:
        """Yield the open segment, which ends there."""
        assert self._begin_s is not None
        begin_s, end_s = self._begin_s, min(end_s, self.heard_s)
        said = self._said(begin_s, end_s)
        yield from self._final(self._agreement.finish(timed(said, begin_s, end_s - begin_s)), begin_s, end_s, said)

    def _final(
        self, words: Sequence[Word], begin_s: float, end_s: float, said: Transcript, goes_on: bool = False
    ) -> Iterator[Final]:
        """Yield a segment of words, if there are any; ``goes_on``: the same window goes on after it."""
        self._last_end_s = end_s
        if not goes_on:
            self._agreement = Agreement()
        if words:
            span = Span(round(begin_s, 3), round(end_s, 3))
            rounded = tuple(Word(one.text, round(one.start_s, 3), round(one.end_s, 3)) for one in words)
            yield Final(self._number, Segment(span, written(words), rounded, said.language, said.confidence))
            self._number += 1

    def _said(self, begin_s: float, end_s: float) -> Transcript:
        first, last = (round((at_s - self._kept_s) * SAMPLE_RATE_HZ) for at_s in (begin_s, end_s))
        (said,) = self._recognizer.transcribe([Audio(self._samples[max(0, first) : last])], self._language)
        return said

    def _forget(self) -> None:
        """Let go of samples that no segment needs any more."""
        keep_s = self.heard_s - KEPT_S if self._begin_s is None else self._begin_s - MARGIN_S
        count = max(0, round((keep_s - self._kept_s) * SAMPLE_RATE_HZ))
        self._samples = self._samples[count:]
        self._kept_s += count / SAMPLE_RATE_HZ


def settled(certain: Sequence[Word]) -> int:
    """Return how many certain words become final: up to the last sentence's end, else all of them.

    >>> settled([Word("So.", 0, 1), Word("Then", 1, 2)]), settled([Word("so", 0, 1)])
    (1, 1)
    """
    ends = [place for place, word in enumerate(certain, 1) if word.text.endswith(SENTENCE_ENDS)]
    return ends[-1] if ends else len(certain)


def written(words: Sequence[Word]) -> str:
    """Return words as a text.

    >>> written([Word("Hi,", 0, 1), Word("you.", 1, 2)])
    'Hi, you.'
    """
    return " ".join(word.text for word in words)
