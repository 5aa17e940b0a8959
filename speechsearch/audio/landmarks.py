"""Where a sound stands in recordings: pairs of spectral peaks are looked up, and those that agree on an offset counted.

Source: Wang (2003), "An Industrial-Strength Audio Search Algorithm": pairs of peaks as hashes, histogram of offsets.
Differs: a question is heard four times, a quarter of a frame later each time, and pairs more peaks than recordings do,
because noise puts peaks of its own between theirs (as in Ellis's audfprint, 2014); recordings stand one after the other
on one line of time, so that a place is one number; what counts is how many different moments of a recording agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speechsearch.audio.constellation import BINS, constellation
from speechsearch.domain.alike import FRAME_S, HOP, Constellation
from speechsearch.domain.values import Audio

FARTHEST_FRAMES, FARTHEST_BINS = 63, 63
"""How far apart the two peaks of a pair may be."""
PAIRS_KEPT, PAIRS_ASKED = 4, 8
"""With so many of those that come next a peak is paired, in recordings and in questions."""
LOOKED_AT = 24
"""So many of the following peaks are looked at for that."""
HASHES = BINS * 128 * 64
SHIFTS = 4
"""So many times a question is heard, each a part of a frame later."""
CROWDED = 40
"""Pairs that recordings have so many times more often than the mean tell nothing."""
GAP_FRAMES = 128
"""So much silence stands between two recordings on the line: no question can lie across."""
MOST_ASKED = 40_000
"""Of a long question's pairs so many are looked up, evenly taken."""
MOST_PLACES = 64
"""So many of the offsets on which most pairs agree are counted exactly, more where more recordings are wanted."""

Hashes = tuple[NDArray[np.uint32], NDArray[np.int64]]
"""The hashes of pairs, and at which frames they begin; (n,) each."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Where a question stands in a recording.

    ``offset_s``: the recording's second at which the question begins, less than 0 where it begins before. ``moments``:
    how many moments of the recording agree on that. ``points``: (n, 2) float32, when a pair that agrees is heard in the
    question and in the recording, in seconds, in order of time.
    """

    name: str
    offset_s: float
    moments: int
    points: NDArray[np.float32]


def pairs(found: Constellation, fan_out: int) -> Hashes:
    """Return the hashes of a constellation's pairs, each peak with ``fan_out`` of those that follow.

    >>> peaks = Constellation(np.array([0, 2, 5], np.uint32), np.array([10, 20, 15], np.uint8), 9)
    >>> hashes, frames = pairs(peaks, 2)
    >>> [(int(one) >> 13, (int(one) >> 6) % 128 - 64, int(one) % 64) for one in hashes], frames.tolist()
    ([(10, 10, 2), (20, -5, 3), (10, 5, 5)], [0, 2, 0])
    """
    frames, bins = found.frames.astype(np.int64), found.bins.astype(np.int64)
    taken = np.zeros(len(frames), np.int64)
    hashes, starts = [np.zeros(0, np.uint32)], [np.zeros(0, np.int64)]
    for step in range(1, min(LOOKED_AT, len(frames) - 1) + 1):
        later, higher = frames[step:] - frames[:-step], bins[step:] - bins[:-step]
        fits = (later > 0) & (later <= FARTHEST_FRAMES) & (abs(higher) <= FARTHEST_BINS) & (taken[:-step] < fan_out)
        first = np.flatnonzero(fits)
        if not len(first):
            continue
        taken[first] += 1
        hashes.append(((bins[first] << 13) | ((higher[first] + 64) << 6) | later[first]).astype(np.uint32))
        starts.append(frames[first])
    return np.concatenate(hashes), np.concatenate(starts)


def question_pairs(sound: Audio) -> Hashes:
    """Return the pairs of a question, of all its shifts; frames are those of the first."""
    parts = [pairs(constellation(sound, shift * HOP // SHIFTS), PAIRS_ASKED) for shift in range(SHIFTS)]
    return np.concatenate([one for one, _ in parts]), np.concatenate([one for _, one in parts])


def asked_pairs(found: Constellation) -> Hashes:
    """Return the pairs of a question that is a recording itself, thinned evenly where it is long."""
    hashes, frames = pairs(found, PAIRS_ASKED)
    step = -(-len(hashes) // MOST_ASKED) or 1
    order = np.argsort(frames, kind="stable")[::step]
    return hashes[order], frames[order]


class LandmarkIndex:
    """The pairs of recordings, found by their hashes; made once and never changed.

    Memory: 4 bytes a pair, about 250 bytes a second of sound, and 8 MB.
    """

    def __init__(self, recordings: Mapping[str, Constellation]) -> None:
        self.names = list(recordings)
        lengths = np.array([one.length + GAP_FRAMES for one in recordings.values()], np.int64)
        self._starts = np.concatenate([[0], np.cumsum(lengths)])
        found = [pairs(one, PAIRS_KEPT) for one in recordings.values()]
        hashes = np.concatenate([np.zeros(0, np.uint32), *(one for one, _ in found)])
        places = [np.zeros(0, np.int64), *(one + start for (_, one), start in zip(found, self._starts, strict=False))]
        order = np.argsort(hashes, kind="stable")
        self._places = np.concatenate(places)[order].astype(np.uint32)
        counts = np.bincount(hashes, minlength=HASHES)
        self._ends = np.cumsum(counts).astype(np.uint32)
        self._crowded = max(CROWDED, CROWDED * round(len(hashes) / max(1, int(np.count_nonzero(counts)))))

    def find(self, asked: Hashes, limit: int, allowed: frozenset[str] | None = None) -> list[Placed]:
        """Return in which recordings a question stands, the surest first, each with its best place.

        ``allowed``: the names of those that may be found; None: all.
        """
        frames, places = self._looked_up(asked)
        numbers = np.searchsorted(self._starts, places, side="right") - 1
        if allowed is not None:
            is_allowed = np.array([name in allowed for name in self.names], np.bool_)
            kept = is_allowed[numbers] if len(numbers) else np.zeros(0, np.bool_)
            frames, places, numbers = frames[kept], places[kept], numbers[kept]
        if not len(places):
            return []
        best: dict[int, Placed] = {}
        offsets = places - frames
        order = np.argsort(offsets, kind="stable")
        offsets = offsets[order]
        for offset in _best_offsets(offsets)[: max(MOST_PLACES, 2 * limit)]:
            near = order[np.searchsorted(offsets, offset - 1) : np.searchsorted(offsets, offset + 2)]
            for number in np.unique(numbers[near]):
                of_it = near[numbers[near] == number]
                moments = len(np.unique(places[of_it]))
                if number not in best or moments > best[number].moments:
                    best[number] = self._placed(int(number), frames[of_it], places[of_it], moments)
        return sorted(best.values(), key=lambda one: (-one.moments, one.name))[:limit]

    def _placed(self, number: int, frames: NDArray[np.int64], places: NDArray[np.int64], moments: int) -> Placed:
        """Return where a question stands in a recording, from the matches that agree."""
        start = int(self._starts[number])
        offset_s = float(np.mean(places - frames) - start) * FRAME_S
        heard = np.stack([frames, places - start], axis=1).astype(np.float32) * np.float32(FRAME_S)
        return Placed(self.names[number], offset_s, moments, np.unique(heard, axis=0))

    def _looked_up(self, asked: Hashes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the frame of the question and the place on the line of every match."""
        hashes, frames = asked
        ends = self._ends[hashes].astype(np.int64)
        counts = ends - np.where(hashes > 0, self._ends[hashes - (hashes > 0)], 0)
        counts = np.where(counts > self._crowded, 0, counts)
        total = int(counts.sum())
        # 0, 1, 2 ... within each hash's places
        within = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
        places = self._places[np.repeat(ends - counts, counts) + within].astype(np.int64)
        return np.repeat(frames, counts), places


def _best_offsets(offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the offsets on which most matches agree, give or take a frame; ``offsets``: of all matches, ascending.

    >>> _best_offsets(np.array([5, 6, 6, 90, 90, 300])).tolist()
    [6, 5, 90, 300]
    """
    values, counts = np.unique(offsets, return_counts=True)
    total, is_next = counts.copy(), np.diff(values) == 1
    total[:-1] += np.where(is_next, counts[1:], 0)
    total[1:] += np.where(is_next, counts[:-1], 0)
    best: NDArray[np.int64] = values[np.lexsort((-counts, -total))]
    return best


def shared(first: Constellation, second: Constellation) -> Placed | None:
    """Return where the second recording stands in the first; None: nothing agrees."""
    found = LandmarkIndex({"": first}).find(asked_pairs(second), 1)
    return found[0] if found else None


def stretches(points: NDArray[np.float32], step_s: float = 5.0) -> int:
    """Return in how many stretches of a question, so long each, something agrees.

    >>> stretches(np.array([[0.1, 9.1], [1.0, 10.0], [12.0, 21.0]], np.float32))
    2
    """
    return len(np.unique(points[:, 0] // step_s)) if len(points) else 0
