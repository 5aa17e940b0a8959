"""The outline of a recording's sound, as a player draws it. Pure: blocks in, numbers out."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio

STEP_SAMPLES = 320
"""A peak for every 20 ms: the six hours that a recording may last take a megabyte."""
STEP_S = STEP_SAMPLES / SAMPLE_RATE_HZ


class Peaks:
    """Gathers the loudest sample of every step while the blocks of a recording pass by."""

    def __init__(self) -> None:
        self._found: list[NDArray[np.uint8]] = []
        self._rest = np.zeros(0, np.float32)

    def add(self, block: Audio) -> None:
        """Take in the next block."""
        samples = np.concatenate([self._rest, block.samples]) if len(self._rest) else block.samples
        whole = len(samples) - len(samples) % STEP_SAMPLES
        self._keep(samples[:whole])
        self._rest = samples[whole:]

    def all(self) -> NDArray[np.uint8]:
        """Return the peaks of what has come in, (steps,) uint8, 255 for a full swing.

        >>> peaks = Peaks()
        >>> peaks.add(Audio(np.float32([0.5] * 320 + [-1.0] * 10)))
        >>> peaks.all().tolist()
        [128, 255]
        """
        if len(self._rest):
            self._keep(np.pad(self._rest, (0, STEP_SAMPLES - len(self._rest))))
            self._rest = self._rest[:0]
        return np.concatenate(self._found) if self._found else np.zeros(0, np.uint8)

    def _keep(self, samples: NDArray[np.float32]) -> None:
        loudest = np.abs(samples).reshape(-1, STEP_SAMPLES).max(axis=1)
        self._found.append((loudest * 255).round().astype(np.uint8))


def peaks_of(blocks: Iterable[Audio]) -> NDArray[np.uint8]:
    """Return the peaks of a whole recording, (steps,) uint8."""
    peaks = Peaks()
    for block in blocks:
        peaks.add(block)
    return peaks.all()


def outline(peaks: NDArray[np.uint8], points: int) -> list[int]:
    """Return ``points`` heights from 0 to 255, each the mean of the peaks in its part of the recording.

    The mean and not the highest: over an hour every part holds a loud moment, and the outline would be a block.

    >>> outline(np.uint8([10, 20, 30, 50]), 2), outline(np.uint8([10, 20]), 4), outline(np.uint8([]), 3)
    ([15, 40], [10, 10, 20, 20], [0, 0, 0])
    """
    if not len(peaks):
        return [0] * points
    edges = np.linspace(0, len(peaks), points + 1)
    starts = edges[:-1].astype(int)
    ends = np.maximum(starts + 1, edges[1:].astype(int))
    sums = np.concatenate([[0], np.cumsum(peaks, dtype=np.int64)])
    heights: list[int] = ((sums[ends] - sums[starts]) / (ends - starts)).round().astype(int).tolist()
    return heights
