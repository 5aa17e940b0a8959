"""When the words of a known text are said: the best path of their phonemes through what was heard.

Source: Graves et al., 2006, CTC; its Viterbi path for a given label sequence.
Differs: of a frame only the likeliest symbols are known, and frames that are surely blank are left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.values import PhonemeTrack
from speechsearch.text.keywords import FLOOR, SYMBOLS

FAR = np.float32(1e9)


def symbol_places(track: PhonemeTrack, symbols: Sequence[int]) -> NDArray[np.int64]:
    """Return for each symbol the frame of the track in which it begins, (symbols,) int64, ascending.

    Raises:
        ValueError: there are more symbols than frames, or none.

    >>> heard = PhonemeTrack(
    ...     np.array([[5, 0], [5, 0], [0, 5], [7, 0]], np.uint8), np.array([[0, 90]] * 4, np.uint8), np.zeros(4)
    ... )
    >>> symbol_places(heard, [5, 7]).tolist()
    [0, 3]
    """
    frames = len(track.symbols)
    if not 0 < len(symbols) <= frames:
        raise ValueError(f"{len(symbols)} symbols cannot lie in {frames} frames")
    losses = np.full((frames, SYMBOLS), FLOOR, np.float32)
    for rank in range(track.symbols.shape[1] - 1, -1, -1):
        losses[np.arange(frames), track.symbols[:, rank]] = track.losses[:, rank]
    states = np.zeros(2 * len(symbols) + 1, np.int64)  # blank, symbol, blank, symbol, ..., blank
    states[1::2] = symbols
    may_skip = np.zeros(len(states), bool)
    may_skip[3::2] = states[3::2] != states[1:-2:2]
    best = np.full(len(states), FAR, np.float32)
    best[:2] = losses[0, states[:2]]
    came = np.zeros((frames, len(states)), np.int8)
    for frame in range(1, frames):
        stay = best
        one = np.concatenate([[FAR], best[:-1]])
        two = np.where(may_skip, np.concatenate([[FAR, FAR], best[:-2]]), FAR)
        ways = np.stack([stay, one, two])
        came[frame] = ways.argmin(0)
        best = ways.min(0) + losses[frame, states]
    state = len(states) - 1 if best[-1] <= best[-2] else len(states) - 2
    starts = np.zeros(len(symbols), np.int64)
    for frame in range(frames - 1, -1, -1):
        if state % 2:
            starts[state // 2] = frame
        state -= int(came[frame, state])
    return starts


def word_spans(track: PhonemeTrack, words: Sequence[Sequence[int]]) -> NDArray[np.float32]:
    """Return when each word is said, (words, 2) float32: start and end in seconds; a word ends where the next begins,
    but at most half a second after its last sound. ``words``: the symbols of each. Raises ValueError as above.
    """
    lengths = np.array([len(word) for word in words])
    if not len(words) or not lengths.all():
        raise ValueError("a word without a sound cannot be found")
    places = symbol_places(track, [symbol for word in words for symbol in word])
    firsts = np.cumsum(lengths) - lengths
    starts_s = track.starts_s[places[firsts]]
    last_s = track.starts_s[places[firsts + lengths - 1]]
    ends_s = np.minimum(np.append(starts_s[1:], np.inf), last_s + 0.25)
    return np.stack([starts_s, np.maximum(ends_s, last_s + 0.02)], 1).astype(np.float32)
