"""Who says which words: the transcript of a passage, cut where another voice goes on. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from speechsearch.domain.speakers import Turn
from speechsearch.domain.values import Span, Transcript, Word

SHORTEST_S, SMALLEST_PART = 1.0, 0.3
"""A voice speaks in a passage where it is heard for so many seconds of it, or for so large a part."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What is said in a row; ``voices``: the numbers of those who say it, most first, nobody where it is not known.

    There is one voice, or the words have no times and several speak in the passage.
    """

    span: Span
    voices: tuple[int, ...]
    transcript: Transcript


def heard_s(span: Span, turns: Sequence[Turn]) -> dict[int, float]:
    """Return voice -> for how many seconds it speaks in a span, who speaks most first.

    >>> heard_s(Span(4.0, 10.0), [Turn(Span(0.0, 5.0), 1), Turn(Span(5.0, 9.0), 2)])
    {2: 4.0, 1: 1.0}
    """
    found: dict[int, float] = {}
    for one in turns:
        shared_s = min(span.end_s, one.span.end_s) - max(span.start_s, one.span.start_s)
        if shared_s > 0:
            found[one.voice] = found.get(one.voice, 0.0) + shared_s
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))


def voices_in(span: Span, turns: Sequence[Turn]) -> tuple[int, ...]:
    """Return the voices that speak in a passage, who speaks most first; short words in between do not count.

    >>> voices_in(Span(0.0, 10.0), [Turn(Span(0.0, 9.2), 1), Turn(Span(9.2, 10.0), 2)])
    (1,)
    """
    enough_s = min(SHORTEST_S, SMALLEST_PART * span.duration_s)
    return tuple(voice for voice, found_s in heard_s(span, turns).items() if found_s >= enough_s)


def spoken(span: Span, transcript: Transcript, turns: Sequence[Turn]) -> list[Spoken]:
    """Return a passage's transcript in pieces, each with who says it; one piece where its words have no times.

    A word belongs to the voice that is heard most in it; where none is, to that of the word before.

    >>> words = (Word("Hello", 0.0, 1.0), Word("Ann", 1.0, 2.0), Word("hello", 2.0, 3.0))
    >>> turns = [Turn(Span(10.0, 12.0), 1), Turn(Span(12.0, 13.0), 2)]
    >>> [(one.voices, one.transcript.text) for one in spoken(Span(10.0, 13.0), Transcript("", "r", words), turns)]
    [((1,), 'Hello Ann'), ((2,), 'hello')]
    """
    here = [one for one in turns if one.span.start_s < span.end_s and one.span.end_s > span.start_s]
    if not transcript.words or len({one.voice for one in here}) < 2:
        return [Spoken(span, voices_in(span, here), transcript)]
    pieces: list[tuple[int, list[Word]]] = []
    for word in transcript.words:
        said = Span(span.start_s + word.start_s, max(span.start_s + word.end_s, span.start_s + word.start_s + 0.01))
        voice = next(iter(heard_s(said, here)), pieces[-1][0] if pieces else here[0].voice)
        if not pieces or pieces[-1][0] != voice:
            pieces.append((voice, []))
        pieces[-1][1].append(word)
    return [_piece(span, voice, words, transcript.recognizer) for voice, words in pieces]


def _piece(passage: Span, voice: int, words: list[Word], recognizer: str) -> Spoken:
    """Return words in a row; their times count from the piece's start."""
    start_s = words[0].start_s
    own = tuple(Word(one.text, one.start_s - start_s, one.end_s - start_s) for one in words)
    span = Span(passage.start_s + start_s, passage.start_s + max(words[-1].end_s, start_s + 0.001))
    return Spoken(span, (voice,), Transcript(" ".join(one.text for one in words), recognizer, own))


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
