"""The compiled part of ``keywords``: Viterbi over phoneme, blank, phoneme, ... with free start and end.

Compiled by numba when first imported, and kept on disk where that may be written.
"""

from __future__ import annotations

import numpy as np
from numba import njit

FLOOR = 255
SYMBOLS = 40
FAR = 1 << 28


@njit(cache=True, nogil=True)
def step(words, lengths, frame, place, spoken, after, spoken_from, after_from):  # type: ignore[no-untyped-def]
    """Move every word's paths by one frame, whose loss by symbol is ``frame`` (SYMBOLS,).

    ``spoken`` and ``after`` (words, longest) int32: the least loss of a path that is in a phoneme, or in the blank
    after it; ``spoken_from``, ``after_from``: where that path began.
    """
    for word in range(len(lengths)):
        for state in range(lengths[word] - 1, -1, -1):  # from the last: those before are still the old ones
            symbol = words[word, state]
            value, source = spoken[word, state], spoken_from[word, state]
            if after[word, state] > value:
                after[word, state], after_from[word, state] = value, source
            after[word, state] = min(after[word, state] + frame[0], FAR)
            if state == 0:
                if value > 0:
                    value, source = 0, place
            else:
                if after[word, state - 1] < value:
                    value, source = after[word, state - 1], after_from[word, state - 1]
                if words[word, state - 1] != symbol and spoken[word, state - 1] < value:
                    value, source = spoken[word, state - 1], spoken_from[word, state - 1]
            spoken[word, state], spoken_from[word, state] = min(value + frame[symbol], FAR), source


@njit(cache=True, nogil=True)
def align(words, lengths, symbols, losses, is_after_gap, bounds, best, starts, ends):  # type: ignore[no-untyped-def]
    """Fill ``best``, ``starts`` and ``ends`` (passages, words) int32: a word's least loss and where it lies.

    ``words`` (words, longest) int32 with ``lengths``; the others as in ``keywords.Tracks``.
    """
    shape = words.shape
    spoken, after = np.empty(shape, np.int32), np.empty(shape, np.int32)
    spoken_from, after_from = np.empty(shape, np.int32), np.empty(shape, np.int32)
    frame, silence = np.empty(SYMBOLS, np.int32), np.full(SYMBOLS, FLOOR, np.int32)
    silence[0] = 0
    for passage in range(len(bounds) - 1):
        best[passage] = FAR
        spoken[:] = FAR
        after[:] = FAR
        for place in range(bounds[passage], bounds[passage + 1]):
            if is_after_gap[place]:  # what was left out counts as one frame that is surely blank
                step(words, lengths, silence, place, spoken, after, spoken_from, after_from)
            frame[:] = FLOOR
            for rank in range(symbols.shape[1] - 1, -1, -1):  # the first last: tracks of fewer ranks are filled up
                frame[symbols[place, rank]] = losses[place, rank]
            step(words, lengths, frame, place, spoken, after, spoken_from, after_from)
            for word in range(len(lengths)):
                last = lengths[word] - 1
                if last >= 0 and spoken[word, last] < best[passage, word]:
                    best[passage, word] = spoken[word, last]
                    starts[passage, word] = spoken_from[word, last]
                    ends[passage, word] = place
