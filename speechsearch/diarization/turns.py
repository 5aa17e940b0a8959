"""From windows that overlap to turns: who speaks in every tenth of a second."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.speakers import Turn
from speechsearch.domain.values import Span

FRAME_S = 0.1
CHANGE_COST = 1.5
"""What a change of voices costs, in units of cosine summed over frames."""


def frame_voices(speech: Span, windows: Sequence[Span], similarity: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the voice of every frame of a stretch of speech, by the likeliest way through it.

    ``similarity``: (windows, voices) float32, of the windows in this stretch.
    """
    count = max(1, round(speech.duration_s / FRAME_S))
    centres = speech.start_s + (np.arange(count) + 0.5) * FRAME_S
    middles = np.array([(window.start_s + window.end_s) / 2 for window in windows])
    scores = np.stack([np.interp(centres, middles, column) for column in similarity.T], axis=1)
    return viterbi(scores, CHANGE_COST)


def viterbi(scores: NDArray[np.float64], cost: float) -> NDArray[np.intp]:
    """Return the best state of every frame, (frames,), where every change of states costs ``cost``.

    >>> viterbi(np.array([[1, 0], [0, 0.5], [1, 0], [0, 1], [0, 1.0]]), 0.6).tolist()
    [0, 0, 0, 1, 1]
    """
    frames, _ = scores.shape
    total = scores[0].copy()
    came = np.zeros(scores.shape, np.intp)
    for frame in range(1, frames):
        best = int(total.argmax())
        stays = total >= total[best] - cost
        came[frame] = np.where(stays, np.arange(scores.shape[1]), best)
        total = np.where(stays, total, total[best] - cost) + scores[frame]
    path = np.zeros(frames, np.intp)
    path[-1] = int(total.argmax())
    for frame in range(frames - 1, 0, -1):
        path[frame - 1] = came[frame, path[frame]]
    return path


def turns_of(speech: Span, voices: NDArray[np.intp]) -> list[Turn]:
    """Return the turns of a stretch of speech; ``voices``: of its frames, from 0 on.

    >>> [(turn.span.end_s, turn.voice) for turn in turns_of(Span(0.0, 0.5), np.array([0, 0, 1, 1, 1]))]
    [(0.2, 1), (0.5, 2)]
    """
    edges = [0, *(np.flatnonzero(np.diff(voices)) + 1).tolist(), len(voices)]
    found = []
    for begin, end in pairwise(edges):
        end_s = speech.end_s if end == len(voices) else speech.start_s + end * FRAME_S
        found.append(Turn(Span(speech.start_s + begin * FRAME_S, end_s), int(voices[begin]) + 1))
    return found
