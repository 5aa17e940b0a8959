"""Passages cut where the speaker changes, and what was written of the old ones brought to the new. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from speechsearch.domain.speakers import HEARD_S, Turn, TurnTable
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, Passage, Span, Transcript, Word

SHORTEST_S = 3.0
"""On both sides of a cut so much of the passage is left."""
ROUNDING_S = 0.05


def parts_at_turns(span: Span, turns: Sequence[Turn]) -> list[Span]:
    """Return a span cut where the speaker changes; somebody who speaks for less than a second changes nothing.

    Between two speakers it is cut in the middle, of the pause or of what both say at once.

    >>> turns = [Turn(Span(0, 9), 1), Turn(Span(4, 4.5), 2, True), Turn(Span(10, 20), 2), Turn(Span(20, 30), 1)]
    >>> parts_at_turns(Span(0, 22), turns)
    [Span(start_s=0, end_s=9.5), Span(start_s=9.5, end_s=22)]
    """
    stretches: list[tuple[Span, int]] = []
    for turn in sorted(turns):
        part = Span(max(span.start_s, turn.span.start_s), min(span.end_s, turn.span.end_s))
        before, voice = stretches[-1] if stretches else (part, 0)
        if voice == turn.voice and part.start_s - before.end_s < HEARD_S:
            stretches[-1] = Span(before.start_s, max(part.end_s, before.end_s)), voice
        elif part.duration_s > 0:
            stretches.append((part, turn.voice))
    spoken = [one for one in stretches if one[0].duration_s >= HEARD_S]
    edges = [span.start_s]
    for (before, voice), (after, other) in pairwise(spoken):
        edge_s = (before.end_s + after.start_s) / 2
        if voice != other and edge_s - edges[-1] >= SHORTEST_S and span.end_s - edge_s >= SHORTEST_S:
            edges.append(edge_s)
    return [Span(start_s, end_s) for start_s, end_s in pairwise([*edges, span.end_s])]


def cut_at_turns(passages: Iterable[tuple[Span, Audio]], turns: Sequence[Turn]) -> Iterator[tuple[Span, Audio]]:
    """Yield passages and their sound, cut where the speaker changes."""
    table = TurnTable(turns)
    for span, sound in passages:
        for part in parts_at_turns(span, table.within(span)):
            begin, end = (round((time_s - span.start_s) * SAMPLE_RATE_HZ) for time_s in (part.start_s, part.end_s))
            yield part, sound if part == span else Audio(sound.samples[begin:end])


def brought(said: Mapping[Passage, Transcript], passages: Sequence[Passage]) -> dict[str, Transcript]:
    """Return passage id -> transcript of passages that are new, from a recogniser's words of those before them.

    Left out are those of which not all was written down, or without the times of words.

    Args:
        said: passage before -> its transcript.
        passages: the new ones.
    """
    found = {}
    for one in passages:
        parts = [(old, text) for old, text in said.items() if old.span.shared_s(one.span) > ROUNDING_S]
        written_s = sum(old.span.shared_s(one.span) for old, _ in parts)
        if written_s < one.span.duration_s - ROUNDING_S or any(text.text and not text.words for _, text in parts):
            continue
        pieces = [part_of(text, old.span, one.span) for old, text in sorted(parts, key=lambda part: part[0].span)]
        text = " ".join(piece.text for piece in pieces if piece.text)
        words = tuple(word for piece in pieces for word in piece.words)
        found[one.passage_id] = replace(parts[0][1], text=text, words=words)
    return found


def part_of(transcript: Transcript, old: Span, new: Span) -> Transcript:
    """Return what a passage's transcript has of another one: the words whose middle lies there, as they are written.

    >>> words = (Word("Well", 0.0, 0.5), Word("no", 1.0, 1.5), Word("Why", 5.0, 6.0))
    >>> part = part_of(Transcript("Well, no. Why?", "mini", words), Span(10, 16), Span(10.8, 14))
    >>> part.text, part.words[0].start_s
    ('no.', 0.2)
    >>> twice = Transcript("no no Why", "mini", (Word("no", 0, 1), Word("no", 1, 2), Word("Why", 2, 3)))
    >>> part_of(twice, Span(0, 3), Span(1, 3)).text, part_of(Transcript("", "mini"), Span(0, 3), Span(1, 3)).text
    ('no Why', '')
    """
    starts, place = [], 0
    for word in transcript.words:
        starts.append(max(place, transcript.text.find(word.text, place)))
        place = starts[-1] + len(word.text) * (transcript.text.startswith(word.text, starts[-1]))
    kept = []
    for word, start, end in zip(transcript.words, starts, [*starts[1:], len(transcript.text)], strict=False):
        middle_s = min(max(old.start_s, old.start_s + (word.start_s + word.end_s) / 2), old.end_s - ROUNDING_S)
        if new.start_s <= middle_s < new.end_s:
            kept.append((word, start, end))
    words = tuple(
        Word(
            word.text,
            round(max(0.0, old.start_s + word.start_s - new.start_s), 3),
            round(min(new.duration_s, old.start_s + word.end_s - new.start_s), 3),
        )
        for word, _, _ in kept
    )
    text = transcript.text[kept[0][1] : kept[-1][2]].strip() if kept else ""
    return replace(transcript, text=text, words=words)
