"""Who says what in a passage, and where a voice is heard best. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from speechsearch.domain.speakers import Turn
from speechsearch.domain.spoken_by import Speaking
from speechsearch.domain.values import Span, Transcript, Word


@dataclass(frozen=True, slots=True)
class Spoken:
    """What is said in a row; ``voices``: the numbers of those who say it, most first, nobody where it is not known.

    There is one voice, or the words have no times and several speak in the passage.
    """

    voices: tuple[int, ...]
    text: str


def spoken(span: Span, transcript: Transcript, speaking: Speaking) -> list[Spoken]:
    """Return a passage's transcript in pieces, each with who says it; one piece where its words have no times.

    >>> words = (Word("Hello", 0.0, 1.0), Word("Ann", 1.0, 2.0), Word("hello", 2.0, 3.0))
    >>> speaking = Speaking([Turn(Span(10.0, 12.0), 1), Turn(Span(12.0, 13.0), 2)])
    >>> spoken(Span(10.0, 13.0), Transcript("Hello Ann hello", "r", words), speaking)
    [Spoken(voices=(1,), text='Hello Ann'), Spoken(voices=(2,), text='hello')]
    >>> spoken(Span(10.0, 13.0), Transcript("Hello Ann hello", "r"), speaking)
    [Spoken(voices=(1, 2), text='Hello Ann hello')]
    """
    voices = speaking.voices(span)
    if not transcript.words or len(voices) < 2:
        return [Spoken(voices, transcript.text)]

    def voice(word: Word) -> int:
        return speaking.voice(Span(span.start_s + word.start_s, span.start_s + word.end_s))

    parts = groupby(transcript.words, voice)
    return [Spoken((number,), " ".join(word.text for word in words)) for number, words in parts]


def sample(turns: Sequence[Turn], voice: int, longest_s: float) -> Span | None:
    """Return the beginning of a voice's longest turn, one without others if there is one; None where it has no turn.

    >>> sample([Turn(Span(0.0, 9.0), 1, is_overlap=True), Turn(Span(20.0, 27.0), 1)], 1, 5.0)
    Span(start_s=20.0, end_s=25.0)
    """
    own = [one for one in turns if one.voice == voice]
    if not own:
        return None
    span = max(own, key=lambda one: (not one.is_overlap, one.span.duration_s)).span
    return Span(span.start_s, min(span.end_s, span.start_s + longest_s))
