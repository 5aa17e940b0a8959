"""From what is heard in overlapping windows to turns: who speaks in every tenth of a second."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from speechsearch.diarization.windows import STEP_S, WINDOW_S
from speechsearch.domain.speakers import Diarization, Turn, Voice
from speechsearch.domain.values import FloatMatrix, Span

FRAME_S = 0.1
CHANGE_COST, CHANGE_AT_PAUSE_COST = 1.0, 0.1
"""What a change of voices costs, in cosine summed over frames: in the middle of speech, and at a pause."""
OVERLAP_S = 0.3
"""Where voices change without a pause, both are taken to speak for so long before and after."""
LONGEST_PAUSE_S = 0.3
"""Within a turn."""


def stretches(similarity: FloatMatrix, ends_s: Sequence[float]) -> list[tuple[float, float, int]]:
    """Return the stretches in which one voice speaks, (start, end, voice from 0 on); their times do not count pauses.

    Where voices change without a pause, the next is taken to begin a little earlier, the last to end a little later.

    ``similarity``: (windows, voices) float32, how much each window sounds like each voice; ``ends_s``: when speech ends
    for a pause, and at last.
    """
    frames = max(1, round(ends_s[-1] / FRAME_S))
    times_s = (np.arange(frames) + 0.5) * FRAME_S
    middles_s = np.arange(len(similarity)) * STEP_S + WINDOW_S / 2
    scores = np.stack([np.interp(times_s, middles_s, column) for column in similarity.T], axis=1)
    after_pause = np.minimum(np.round(np.array(ends_s[:-1]) / FRAME_S).astype(np.intp), frames - 1)
    costs = np.full(frames, CHANGE_COST)
    costs[after_pause] = CHANGE_AT_PAUSE_COST
    voices = viterbi(scores, costs)
    changes = (np.flatnonzero(np.diff(voices)) + 1).tolist()
    pauses = dict(zip(after_pause.tolist(), ends_s, strict=False))
    edges_s = [0.0, *(pauses.get(change, change * FRAME_S) for change in changes), ends_s[-1]]
    more_s = [0.0, *(0.0 if change in pauses else OVERLAP_S for change in changes), 0.0]
    return [
        (edges_s[place] - more_s[place], edges_s[place + 1] + more_s[place + 1], int(voices[frame]))
        for place, frame in enumerate([0, *changes])
    ]


def viterbi(scores: NDArray[np.float64], costs: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the best state of every frame, (frames,), where a change before frame i costs ``costs[i]``.

    ``scores``: (frames, states); ``costs``: (frames,).

    >>> scores = np.array([[1, 0], [0, 0.5], [1, 0], [0, 1], [0, 1.0]])
    >>> viterbi(scores, np.full(5, 0.6)).tolist()
    [0, 0, 0, 1, 1]
    """
    states = np.arange(scores.shape[1])
    total = scores[0].copy()
    came = np.zeros(scores.shape, np.intp)
    for frame in range(1, len(scores)):
        best = int(total.argmax())
        changed = total[best] - costs[frame]
        came[frame] = np.where(total >= changed, states, best)
        total = np.maximum(total, changed) + scores[frame]
    path = np.zeros(len(scores), np.intp)
    path[-1] = int(total.argmax())
    for frame in range(len(scores) - 1, 0, -1):
        path[frame - 1] = came[frame, path[frame]]
    return path


def spans_in(speech: Sequence[Span], ends_s: Sequence[float], begin_s: float, end_s: float) -> list[Span]:
    """Return where a stretch of the speech lies in the recording; its times do not count pauses.

    ``ends_s``: where the spans of ``speech`` end, if pauses are not counted.

    >>> spans_in([Span(1.0, 2.0), Span(5.0, 7.0)], [1.0, 3.0], 0.5, 2.0)
    [Span(start_s=1.5, end_s=2.0), Span(start_s=5.0, end_s=6.0)]
    """
    found = []
    for place in range(bisect_right(ends_s, begin_s), len(speech)):
        span = speech[place]
        offset_s = ends_s[place] - span.duration_s
        if offset_s >= end_s:
            break
        start_s, stop_s = max(0.0, begin_s - offset_s), min(span.duration_s, end_s - offset_s)
        if stop_s > start_s:
            found.append(Span(span.start_s + start_s, span.start_s + stop_s))
    return found


def numbered(turns: Iterable[Turn], vectors: FloatMatrix) -> Diarization:
    """Return turns and voices, numbered in the order in which they first speak; who never speaks is left out.

    ``turns``: of voices from 1 on, in any order, their times are rounded to milliseconds, so that they meet exactly;
    ``vectors``: (voices, dim) float32.
    """
    rounded = (Turn(Span(round(one.span.start_s, 3), round(one.span.end_s, 3)), one.voice) for one in turns)
    ordered = marked(joined(one for one in rounded if one.span.duration_s > 0))
    numbers = {voice: number for number, voice in enumerate(dict.fromkeys(turn.voice for turn in ordered), start=1)}
    spoken_s = dict.fromkeys(numbers, 0.0)
    for turn in ordered:
        spoken_s[turn.voice] += turn.span.duration_s
    return Diarization(
        tuple(Turn(turn.span, numbers[turn.voice], turn.is_overlap) for turn in ordered),
        tuple(Voice(number, vectors[voice - 1], spoken_s[voice]) for voice, number in numbers.items()),
    )


def joined(turns: Iterable[Turn]) -> list[Turn]:
    """Return turns by their starts, those of one voice put together where only a short pause is between.

    >>> found = joined([Turn(Span(0, 1), 1), Turn(Span(1.2, 2), 1), Turn(Span(2, 3), 2)])
    >>> [(turn.span.start_s, turn.span.end_s, turn.voice) for turn in found]
    [(0, 2, 1), (2, 3, 2)]
    """
    found: list[Turn] = []
    last: dict[int, int] = {}
    for turn in sorted(turns):
        place = last.get(turn.voice)
        if place is not None and turn.span.start_s - found[place].span.end_s <= LONGEST_PAUSE_S:
            end_s = max(found[place].span.end_s, turn.span.end_s)
            found[place] = Turn(Span(found[place].span.start_s, end_s), turn.voice)
        else:
            last[turn.voice] = len(found)
            found.append(turn)
    return found


def marked(turns: Sequence[Turn]) -> list[Turn]:
    """Return turns, cut where another voice begins or ends; what lies in both is marked as overlap.

    >>> found = marked([Turn(Span(0, 3), 1), Turn(Span(2, 5), 2)])
    >>> [(turn.span.start_s, turn.span.end_s, turn.voice, turn.is_overlap) for turn in found]
    [(0, 2, 1, False), (2, 3, 1, True), (2, 3, 2, True), (3, 5, 2, False)]
    """
    edges = sorted({edge for turn in turns for edge in (turn.span.start_s, turn.span.end_s)})
    found: list[Turn] = []
    places: dict[int, int] = {}
    coming = list(turns)[::-1]
    speaking: list[Turn] = []
    for start_s, end_s in pairwise(edges):
        while coming and coming[-1].span.start_s <= start_s:
            speaking.append(coming.pop())
        speaking = [turn for turn in speaking if turn.span.end_s > start_s]
        voices = sorted({turn.voice for turn in speaking})
        for voice in voices:
            last = found[places[voice]] if voice in places else None
            if last and last.span.end_s == start_s and last.is_overlap == (len(voices) > 1):
                found[places[voice]] = Turn(Span(last.span.start_s, end_s), voice, last.is_overlap)
            else:
                places[voice] = len(found)
                found.append(Turn(Span(start_s, end_s), voice, len(voices) > 1))
    return found
