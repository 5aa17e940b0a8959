"""The compiled part of ``keywords``: Viterbi over phoneme, blank, phoneme, ... with free start and end.

Compiled by numba when first imported, and kept on disk where that may be written.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from speechsearch.text.keywords import FLOOR, SYMBOLS

WAIT = SYMBOLS
FAR = 1 << 28


@njit(cache=True, nogil=True)
def least(states, is_again, lasts, symbols, losses, is_after_gap, bounds, best):  # type: ignore[no-untyped-def]
    """Fill ``best`` (passages, words) int32 with each word's least loss, and say nothing of where that is.

    ``states`` (n,) uint8: the words' symbols behind each other, before every word WAIT, which costs nothing;
    ``is_again`` (n,) int32: FAR where a symbol is that before; ``lasts`` (words,) uint32: the place of a word's last
    symbol. Written so that a frame is one run over all states, which the compiler does several at a time.
    """
    count = len(states)
    spoken, after, moved = np.empty(count, np.int32), np.empty(count, np.int32), np.empty(count, np.int32)
    heard = np.empty(count, np.int32)
    frame = np.empty(SYMBOLS + 1, np.int32)
    for passage in range(len(bounds) - 1):
        best[passage] = FAR
        spoken[:] = FAR
        after[:] = np.where(states == WAIT, 0, FAR)
        for place in range(bounds[passage], bounds[passage + 1]):
            for is_frame in range(0 if is_after_gap[place] else 1, 2):
                frame[:] = FLOOR
                frame[WAIT] = 0
                if is_frame:
                    for rank in range(symbols.shape[1] - 1, -1, -1):
                        frame[symbols[place, rank]] = losses[place, rank]
                else:
                    frame[0] = 0
                for state in range(count):
                    heard[state] = frame[states[state]]
                blank = frame[0]
                for state in range(1, count):
                    enter = np.int32(min(after[state - 1], np.int32(spoken[state - 1] + is_again[state])))
                    moved[state] = np.int32(min(spoken[state], enter) + heard[state])
                for state in range(1, count):
                    after[state] = np.int32(min(after[state], spoken[state]) + blank)
                moved[0] = FAR
                for state in range(count):
                    spoken[state] = min(moved[state], np.int32(FAR))
                for state in range(count):
                    if states[state] == WAIT:
                        after[state] = 0
                for word in range(len(lasts)):
                    best[passage, word] = min(best[passage, word], spoken[lasts[word]])


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
