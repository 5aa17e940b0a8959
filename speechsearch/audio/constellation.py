"""The loudest points of a sound in time and frequency: what stays of a recording through copies, noise and codecs.

Source: Wang (2003), "An Industrial-Strength Audio Search Algorithm": a constellation of spectral peaks.
Differs: a peak is the greatest value of a neighbourhood of fixed size, so that it does not depend on where a recording
begins, and has to stand out from what is around it; only what lies below 4 kHz counts, because telephones and codecs of
few bits leave no more.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.alike import HOP, WINDOW, Constellation
from speechsearch.domain.values import Audio

BINS = 256
"""So many frequencies count, from 0 to 4 kHz."""
REACH_FRAMES, REACH_BINS = 7, 9
"""A peak is the greatest value among so many frames before and after it, and so many bins above and below it."""
STANDS_OUT = 1.0
"""By so much (in nepers) it is louder than the mean of its neighbourhood."""
QUIETEST = 1e-4
"""A peak of less, on a scale where a full tone has about 256, is the rounding of an encoder."""
BLOCK_FRAMES = 1024
"""So many frames are looked at together; memory does not grow with the recording."""
VERSION = "1"
"""Raised when the same sound would give other peaks."""


class ConstellationBuilder:
    """Finds the peaks of a sound that comes in blocks; what it holds of the sound is a minute at most."""

    def __init__(self) -> None:
        self._samples = np.zeros(0, np.float32)
        self._first = 0  # the frame that the samples begin with
        self._done = 0  # peaks of the frames before it are found
        self._frames: list[NDArray[np.uint32]] = []
        self._bins: list[NDArray[np.uint8]] = []

    def add(self, samples: NDArray[np.float32]) -> None:
        """Take the next samples, (n,) float32 at 16 kHz."""
        self._samples = np.concatenate([self._samples, samples])
        while _frames_in(len(self._samples)) >= BLOCK_FRAMES + 2 * REACH_FRAMES:
            self._find(BLOCK_FRAMES + 2 * REACH_FRAMES, is_last=False)

    def finish(self) -> Constellation:
        """Return the constellation of all that was added."""
        count = _frames_in(len(self._samples))
        length = self._first + count
        if count:
            self._find(count, is_last=True)
        frames = np.concatenate([np.zeros(0, np.uint32), *self._frames])
        return Constellation(frames, np.concatenate([np.zeros(0, np.uint8), *self._bins]), length)

    def _find(self, count: int, *, is_last: bool) -> None:
        """Find the peaks of the first frames that there are, but not of those whose neighbourhood is not all there."""
        frames, bins = _peaks(_spectrogram(self._samples, count))
        until = self._first + count - (0 if is_last else REACH_FRAMES)
        frames = frames + self._first
        wanted = (frames >= self._done) & (frames < until)
        self._frames.append(frames[wanted].astype(np.uint32))
        self._bins.append(bins[wanted].astype(np.uint8))
        self._done = until
        step = max(0, until - REACH_FRAMES - self._first)
        self._samples = self._samples[step * HOP :]
        self._first += step


def constellation(sound: Audio, late_samples: int = 0) -> Constellation:
    """Return the peaks of a sound, heard from some samples on: frames then lie between those of the whole."""
    builder = ConstellationBuilder()
    builder.add(sound.samples[late_samples:])
    return builder.finish()


def constellation_of(blocks: Iterable[Audio]) -> Constellation:
    """Return the peaks of a recording that is read block by block."""
    builder = ConstellationBuilder()
    for block in blocks:
        builder.add(block.samples)
    return builder.finish()


def _frames_in(samples: int) -> int:
    """Return how many whole frames so many samples have.

    >>> [_frames_in(samples) for samples in (0, WINDOW - 1, WINDOW, WINDOW + HOP)]
    [0, 0, 1, 2]
    """
    return max(0, 1 + (samples - WINDOW) // HOP)


def _spectrogram(samples: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return the magnitudes of the first frames, (count, BINS) float32."""
    framed = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP][:count]
    window = np.hanning(WINDOW).astype(np.float32)
    return np.abs(np.fft.rfft(framed * window, axis=1)[:, :BINS]).astype(np.float32)


def _peaks(magnitudes: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the frames and bins of the peaks of a spectrogram, in order of time."""
    from scipy.ndimage import maximum_filter, uniform_filter

    levels = np.log(np.maximum(magnitudes, QUIETEST))
    size = (2 * REACH_FRAMES + 1, 2 * REACH_BINS + 1)
    around = maximum_filter(levels, size, mode="nearest")
    mean = uniform_filter(levels, size, mode="nearest")
    is_peak = (levels >= around) & (levels > mean + STANDS_OUT) & (magnitudes > QUIETEST)
    is_peak[:, 0] = False  # the lowest bin is no frequency but an offset of the recording
    frames, bins = np.nonzero(is_peak)
    return frames, bins
