"""Pieces of a file's transcript, as they are made one after the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from speechsearch.domain.values import Span, Transcript, Word


@dataclass(frozen=True, slots=True)
class Segment:
    """What is said in a stretch of a recording, as a recogniser wrote it.

    ``words``: with times from the recording's start; none where the recogniser gives no times. ``language``: what was
    heard, as ISO 639 writes it; empty where it does not say. ``confidence``: the mean probability of what it wrote, 0
    to 1; None where it does not say. ``speaker``: who says it; empty where nobody listened for that.
    """

    span: Span
    text: str
    words: tuple[Word, ...] = ()
    language: str = ""
    confidence: float | None = None
    speaker: str = ""


def segment_of(span: Span, said: Transcript) -> Segment:
    """Return a passage's transcript as a segment: the times of its words count from the recording's start.

    >>> segment_of(Span(10.0, 12.0), Transcript("Hi.", "r", (Word("Hi.", 0.5, 1.0),), "en")).words
    (Word(text='Hi.', start_s=10.5, end_s=11.0),)
    """
    start_s = span.start_s
    words = tuple(Word(word.text, start_s + word.start_s, start_s + word.end_s) for word in said.words)
    return Segment(span, said.text, words, said.language, said.confidence)


def language_of(segments: Iterable[Segment]) -> str:
    """Return the language in which most is said, as ISO 639 writes it; empty where no recogniser says.

    >>> language_of([Segment(Span(0, 1), "Ja.", language="de"), Segment(Span(1, 9), "Why?", language="en")])
    'en'
    """
    spoken_s: defaultdict[str, float] = defaultdict(float)
    for one in segments:
        spoken_s[one.language] += one.span.duration_s
    return max(spoken_s, key=spoken_s.__getitem__, default="")
