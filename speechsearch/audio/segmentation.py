"""Cut speech into passages at its longest pauses. Pure: spans in, spans out, each as soon as it is certain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import ceil

from speechsearch.domain.errors import ConfigurationError
from speechsearch.domain.values import Span

MARGIN_S = 0.2  # kept before and after the speech of a passage where the pause allows
BREAK_S = 2.0  # a pause that ends a passage even if more would fit


def cut(speech: Sequence[Span], duration_s: float, shortest_s: float, longest_s: float) -> list[Span]:
    """Return the passages of a recording: in order, apart, none longer than ``longest_s``, all speech in one of them.

    Short ones are joined to a neighbour where the sum is not too long; speech without a pause is cut into equal parts.

    >>> cut([Span(1, 8), Span(8.5, 16), Span(17, 25)], 30.0, 5.0, 20.0)
    [Span(start_s=0.8, end_s=16.2), Span(start_s=16.8, end_s=25.2)]

    Raises:
        ConfigurationError: ``shortest_s`` exceeds ``longest_s``.
    """
    found = passage_spans(speech, shortest_s, longest_s)
    return [Span(span.start_s, min(span.end_s, duration_s)) for span in found]


def passage_spans(speech: Iterable[Span], shortest_s: float, longest_s: float) -> Iterator[Span]:
    """Yield what ``cut`` returns while the speech still comes in; the last span may end past the recording.

    Raises:
        ConfigurationError: ``shortest_s`` exceeds ``longest_s``.
    """
    if shortest_s > longest_s:
        raise ConfigurationError(
            f"The shortest passage ({shortest_s:g} s) exceeds the longest ({longest_s:g} s).",
            "Change SPEECHSEARCH_SEGMENTATION__SHORTEST_S or __LONGEST_S.",
        )
    margin_s = min(MARGIN_S, longest_s / 10)
    room_s = longest_s - 2 * margin_s
    pieces = _divided(speech, room_s)
    return _with_margins(_joined(_packed(pieces, shortest_s, room_s), shortest_s, room_s), margin_s)


def _divided(speech: Iterable[Span], room_s: float) -> Iterator[Span]:
    """Yield the spans, those longer than ``room_s`` in equal parts."""
    for span in speech:
        parts = max(1, ceil(span.duration_s / room_s))
        edges = [span.start_s + span.duration_s * part / parts for part in range(parts)] + [span.end_s]
        yield from (Span(start_s, end_s) for start_s, end_s in pairwise(edges))


def _packed(pieces: Iterable[Span], shortest_s: float, room_s: float) -> Iterator[Span]:
    """Yield stretches of pieces: as many as fit, ended at the longest pause, or at any pause of ``BREAK_S``."""
    waiting: list[Span] = []
    for piece in pieces:
        if waiting and piece.start_s - waiting[-1].end_s >= BREAK_S:
            yield Span(waiting[0].start_s, waiting[-1].end_s)
            waiting = []
        waiting.append(piece)
        while waiting[-1].end_s - waiting[0].start_s > room_s and len(waiting) > 1:
            count = _best_count(waiting, shortest_s)
            yield Span(waiting[0].start_s, waiting[count - 1].end_s)
            waiting = waiting[count:]
    if waiting:
        yield Span(waiting[0].start_s, waiting[-1].end_s)


def _best_count(pieces: Sequence[Span], shortest_s: float) -> int:
    """Return after how many pieces the longest pause comes, the last of equal ones, once ``shortest_s`` is reached."""
    reached = [
        count for count in range(1, len(pieces)) if pieces[count - 1].end_s - pieces[0].start_s >= shortest_s
    ] or [len(pieces) - 1]
    return max(reached, key=lambda count: (pieces[count].start_s - pieces[count - 1].end_s, count))


def _joined(passages: Iterable[Span], shortest_s: float, room_s: float) -> Iterator[Span]:
    """Yield the passages, short ones joined to a neighbour where both fit into ``room_s``."""
    held: Span | None = None
    for passage in passages:
        if held is None:
            held = passage
        elif min(held.duration_s, passage.duration_s) < shortest_s and passage.end_s - held.start_s <= room_s:
            held = Span(held.start_s, passage.end_s)
        else:
            yield held
            held = passage
    if held is not None:
        yield held


def _with_margins(passages: Iterable[Span], margin_s: float) -> Iterator[Span]:
    """Yield the passages, widened on both sides by ``margin_s`` or half the pause, whichever is less."""
    held: Span | None = None
    for passage in passages:
        before_s = margin_s
        if held is not None:
            before_s = min(margin_s, (passage.start_s - held.end_s) / 2)
            yield Span(held.start_s, held.end_s + before_s)
        held = Span(max(0.0, passage.start_s - before_s), passage.end_s)
    if held is not None:
        yield Span(held.start_s, held.end_s + margin_s)
