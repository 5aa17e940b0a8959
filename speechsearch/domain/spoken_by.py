"""Join what is said with who speaks. Pure functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from speechsearch.domain.segments import Segment
from speechsearch.domain.speakers import Turn, TurnTable, voices_in
from speechsearch.domain.values import Span


def with_speakers(
    segments: Sequence[Segment], turns: Sequence[Turn], names: Mapping[int, str] | None = None
) -> list[Segment]:
    """Return the segments with who says them, cut between words where the voice changes.

    A word is said by who speaks longest in it, or nearest to it; a segment without times of words is left whole.
    ``turns``: by their starts; without any, nothing is known. ``names``: of the voices; "Speaker 1" where none is.

    >>> from speechsearch.domain.values import Word
    >>> said = Segment(Span(0, 3), "Who? I.", (Word("Who?", 0, 1), Word("I.", 2, 3)))
    >>> turns = [Turn(Span(0, 1.4), 1), Turn(Span(1.6, 3), 2)]
    >>> [(one.speaker, one.text, one.span.end_s) for one in with_speakers([said], turns, {2: "Ann"})]
    [('Speaker 1', 'Who?', 1), ('Ann', 'I.', 3)]
    """
    speaking = Speaking(turns)
    known = names or {}
    return [
        replace(part, speaker=known.get(voice) or label_of(voice)) if voice else part
        for segment in segments
        for voice, part in _parts(segment, speaking)
    ]


def label_of(voice: int) -> str:
    """Return how a voice of a recording is called where nobody knows the name.

    >>> label_of(2)
    'Speaker 2'
    """
    return f"Speaker {voice}"


class Speaking:
    """Finds who speaks in a stretch of time."""

    def __init__(self, turns: Iterable[Turn]) -> None:
        self._table = TurnTable(turns)

    def voice(self, span: Span) -> int:
        """Return the voice that speaks longest in a stretch, or nearest to it; 0 where there are no turns.

        >>> Speaking([Turn(Span(0, 2), 1), Turn(Span(1, 4), 2)]).voice(Span(1.5, 3.0))
        2
        """
        heard_s: dict[int, float] = defaultdict(float)
        for turn in self._table.within(span):
            heard_s[turn.voice] += turn.span.shared_s(span)
        if heard_s:
            return max(heard_s, key=lambda voice: heard_s[voice])
        nearest = max(self._table.turns, key=lambda turn: turn.span.shared_s(span), default=None)
        return nearest.voice if nearest else 0

    def voices(self, span: Span) -> tuple[int, ...]:
        """Return the voices that speak in a stretch, who speaks most first, as ``voices_in`` counts them.

        >>> Speaking([Turn(Span(0, 2), 1), Turn(Span(2, 9), 2)]).voices(Span(0, 6))
        (2, 1)
        """
        return tuple(voices_in(span, self._table.within(span)))


def _parts(segment: Segment, speaking: Speaking) -> Iterator[tuple[int, Segment]]:
    """Yield who says which part of a segment."""
    groups = [
        (voice, tuple(words))
        for voice, words in groupby(segment.words, lambda word: speaking.voice(Span(word.start_s, word.end_s)))
    ]
    if len(groups) < 2:
        yield groups[0][0] if groups else speaking.voice(segment.span), segment
        return
    for voice, words in groups:
        span = Span(words[0].start_s, words[-1].end_s)
        yield voice, replace(segment, span=span, text=" ".join(word.text for word in words), words=words)
