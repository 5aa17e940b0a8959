"""How well words fit what was heard: the best place of each word's phonemes in a passage's posteriors.

Source: Rohlicek et al., 1989, and Zhuang et al., 2016, keyword spotting by the ratio of a word's best path to the best
path of all; Graves et al., 2006, the CTC paths.
Differs: a frame's score is the symbol's log-probability less the frame's highest, so a path needs no filler model; the
likeliest symbols of a frame are kept as bytes, frames that are surely blank not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.values import PhonemeTrack
from speechsearch.text.lexicon import Pronunciation

ALTERNATIVES = 8
"""So many symbols of a frame are kept."""
SURELY_BLANK = 0.99
UNIT = 32
"""A byte of loss is 1 / UNIT nat."""
FLOOR = 255
"""The loss of a symbol that is not among those kept: 8 nats."""
WORST = 6.0
"""A word's loss is at most so many nats a phoneme."""
GAP_STEPS = 1.5
"""Frames further apart than so many of a track's steps have others left out between them."""
SYMBOLS = 40


def track_of(log_probs: NDArray[np.float32], frame_s: float) -> PhonemeTrack:
    """Return what is kept of a passage's log-probabilities (frames, 40) float32; symbol 0 is the blank.

    >>> log_probs = np.log(np.array([[0.995, 0.005, 0.0], [0.1, 0.8, 0.1]], np.float32) + 1e-9)
    >>> track = track_of(log_probs, 0.04)
    >>> track.symbols.tolist(), track.losses.tolist(), track.starts_s.tolist()
    ([[1, 0, 2]], [[0, 67, 67]], [0.03999999910593033])
    """
    is_kept = log_probs[:, 0] < np.log(SURELY_BLANK)
    kept = log_probs[is_kept]
    symbols = np.argsort(-kept, axis=1, kind="stable")[:, :ALTERNATIVES]
    ranked = np.take_along_axis(kept, symbols, axis=1)
    losses = np.minimum(np.round((ranked[:, :1] - ranked) * UNIT), FLOOR)
    starts_s = np.flatnonzero(is_kept) * np.float32(frame_s)
    return PhonemeTrack(symbols.astype(np.uint8), losses.astype(np.uint8), starts_s.astype(np.float32))


def is_after_gap(starts_s: NDArray[np.float32], bounds: Sequence[int] | NDArray[np.int64] = ()) -> NDArray[np.bool_]:
    """Return before which frames of tracks others were left out, (frames,) bool.

    Args:
        starts_s: when the frames of a track, or of several behind each other, begin, (frames,).
        bounds: of several: where each begins, and where the last ends.

    >>> is_after_gap(np.array([0.04, 0.08, 0.2], np.float32)).tolist()
    [True, False, True]
    >>> is_after_gap(np.array([0.04, 0.08, 0.2, 0.04, 0.3, 0.56], np.float32), [0, 3, 3, 6]).tolist()
    [True, False, True, True, False, False]
    """
    ends = np.array(bounds[1:] if len(bounds) else [len(starts_s)], np.int64)
    lengths = np.diff(ends, prepend=0)
    firsts, lengths = (ends - lengths)[lengths > 0], lengths[lengths > 0]
    if not len(firsts):
        return np.zeros(0, bool)
    steps_s = np.diff(starts_s, prepend=np.float32(0))
    steps_s[firsts] = np.inf
    longest_s = GAP_STEPS * np.repeat(np.minimum.reduceat(steps_s, firsts), lengths)
    found: NDArray[np.bool_] = steps_s > longest_s
    found[firsts] = True
    return found


def heard_symbols(track: PhonemeTrack) -> list[int]:
    """Return the phonemes of the likeliest path: repeats merged, blanks dropped.

    >>> symbols = np.array([[5, 0], [5, 0], [0, 5], [5, 0]], np.uint8)
    >>> track = PhonemeTrack(symbols, np.zeros((4, 2), np.uint8), np.array([0.0, 0.04, 0.08, 0.12], np.float32))
    >>> heard_symbols(track)
    [5, 5]
    """
    best = track.symbols[:, 0].astype(np.int64)
    is_new = is_after_gap(track.starts_s)
    is_new[1:] |= best[1:] != best[:-1]
    symbols: list[int] = best[is_new & (best > 0)].tolist()
    return symbols


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """The tracks of several passages behind each other.

    ``symbols`` and ``losses`` (frames, ALTERNATIVES) uint8, ``is_after_gap`` (frames,) bool, whether frames that are
    surely blank were left out before; ``bounds`` (passages + 1,) int64; ``starts_s`` (frames,) float32.
    """

    symbols: NDArray[np.uint8]
    losses: NDArray[np.uint8]
    is_after_gap: NDArray[np.bool_]
    starts_s: NDArray[np.float32]
    bounds: NDArray[np.int64]


def joined(tracks: Sequence[PhonemeTrack]) -> Tracks:
    """Return tracks as one; an empty sequence gives no passages."""
    bounds = np.cumsum([0, *(len(track.starts_s) for track in tracks)])
    if not tracks:
        nothing = np.zeros((0, ALTERNATIVES), np.uint8)
        return Tracks(nothing, nothing, np.zeros(0, bool), np.zeros(0, np.float32), bounds)
    starts_s = np.concatenate([track.starts_s for track in tracks])
    return Tracks(
        np.concatenate([filled(track.symbols, 0) for track in tracks]),
        np.concatenate([filled(track.losses, FLOOR) for track in tracks]),
        is_after_gap(starts_s, bounds),
        starts_s,
        bounds,
    )


def filled(kept: NDArray[np.uint8], value: int) -> NDArray[np.uint8]:
    """Return what is kept of each frame as (frames, ALTERNATIVES) uint8, filled up with a value.

    >>> filled(np.ones((1, 2), np.uint8), 7).tolist()
    [[1, 1, 7, 7, 7, 7, 7, 7]]
    """
    if kept.shape[1] == ALTERNATIVES:
        return kept
    return np.pad(kept[:, :ALTERNATIVES], ((0, 0), (0, max(0, ALTERNATIVES - kept.shape[1]))), constant_values=value)


def compile_kernels() -> None:
    """Compile what scores words, or read what was compiled before, so that no question waits for it."""
    frame = np.zeros((1, ALTERNATIVES), np.uint8)
    tracks = joined([PhonemeTrack(frame, frame, np.zeros(1, np.float32))])
    least_losses([(1,)], tracks)
    best_places([(1,)], tracks)


def least_losses(pronunciations: Sequence[Pronunciation], tracks: Tracks) -> NDArray[np.float32]:
    """Return what ``best_places`` returns first, (passages, n) float32, some times as fast; no pronunciation is empty.

    >>> sure = np.eye(40, dtype=np.float32)[[0, 7, 0, 8, 9, 0]] * 0.97 + 0.0005
    >>> least_losses([(7, 8), (7, 9)], joined([track_of(np.log(sure), 0.04)])).round(1).max().item()
    3.799999952316284
    """
    count, passages = len(pronunciations), len(tracks.bounds) - 1
    losses = np.full((passages, count), int(WORST * UNIT), np.int32)
    lengths = np.array([len(one) for one in pronunciations], np.int32)
    if count and passages:
        from speechsearch.text.alignment import FAR, WAIT, least  # brings numba, which takes a moment

        states = np.array([symbol for one in pronunciations for symbol in (WAIT, *one)], np.uint8)
        is_again = np.where(np.diff(states, prepend=WAIT) == 0, FAR, 0).astype(np.int32)
        lasts = (np.cumsum(lengths + 1) - 1).astype(np.uint32)
        least(states, is_again, lasts, tracks.symbols, tracks.losses, tracks.is_after_gap, tracks.bounds, losses)
    scaled = losses / (np.float32(UNIT) * np.maximum(lengths, 1).astype(np.float32))
    return np.minimum(scaled, np.float32(WORST)).astype(np.float32)


def best_places(
    pronunciations: Sequence[Pronunciation], tracks: Tracks
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]]:
    """Return (losses, starts, ends) of the best place of each pronunciation in each passage, all (passages, n).

    ``losses``: nats a phoneme, 0 for a word that is what was heard, at most WORST; ``starts``, ``ends``: its first and
    last frame in ``tracks``, -1 where a passage has no frames.

    >>> sure = np.eye(40, dtype=np.float32)[[0, 7, 0, 8, 9, 0]] * 0.97 + 0.0005
    >>> losses, starts, ends = best_places([(7, 8), (7, 9)], joined([track_of(np.log(sure), 0.04)]))
    >>> [round(one, 1) for one in losses[0].tolist()], starts.tolist(), ends.tolist()
    ([0.0, 3.8], [[1, 1]], [[3, 4]])
    """
    count, passages = len(pronunciations), len(tracks.bounds) - 1
    longest = max((len(one) for one in pronunciations), default=1)
    symbols = np.zeros((count, longest), np.int32)
    lengths = np.array([len(one) for one in pronunciations], np.int32)
    for row, one in zip(symbols, pronunciations, strict=True):
        row[: len(one)] = one
    losses = np.full((passages, count), int(WORST * UNIT), np.int32)
    starts, ends = np.full((2, passages, count), -1, np.int32)
    if count and passages:
        from speechsearch.text.alignment import align  # brings numba, which takes a moment

        align(symbols, lengths, tracks.symbols, tracks.losses, tracks.is_after_gap, tracks.bounds, losses, starts, ends)
    scale = np.float32(UNIT) * np.maximum(lengths, 1).astype(np.float32)
    return np.minimum(losses / scale, np.float32(WORST)).astype(np.float32), starts, ends
