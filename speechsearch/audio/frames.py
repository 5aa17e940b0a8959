"""From the frames of ffmpeg to arrays: all sample formats, rates and numbers of channels."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

UNSAFE_CHANNELS = 8
"""From so many planes on, looking at a frame, and PyAV's own resampler, end the process (PyAV 18)."""


class Converted:
    """Turns frames into (samples, channels) float32 of one rate, also when their format changes on the way."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._kind = (rate_hz, 0)
        self._resampler: soxr.ResampleStream | None = None
        self._graph: Any = None

    def __call__(self, frame: Any) -> Iterator[NDArray[np.float32]]:
        """Yield the samples of a frame."""
        channels = frame.layout.nb_channels
        kind = (frame.sample_rate, channels)
        if kind != self._kind:
            yield from self.rest()
            self._kind = kind
            is_dangerous = frame.format.is_planar and channels >= UNSAFE_CHANNELS
            self._graph = _packing(frame) if is_dangerous else None
            if frame.sample_rate != self._rate_hz:
                self._resampler = soxr.ResampleStream(frame.sample_rate, self._rate_hz, channels, dtype="float32")
        if self._graph is not None:
            self._graph.push(frame)
            frame = self._graph.pull()
        samples = _floats(frame.to_ndarray())
        samples = samples.T if frame.format.is_planar else samples.reshape(-1, channels)
        yield samples if self._resampler is None else self._resampler.resample_chunk(np.ascontiguousarray(samples))

    def rest(self) -> Iterator[NDArray[np.float32]]:
        """Yield what is still under way."""
        if self._resampler is not None:
            yield self._resampler.resample_chunk(np.zeros((0, self._kind[1]), np.float32), last=True)
            self._resampler = None


def _packing(frame: Any) -> Any:
    """Return a filter that puts the samples of all channels into one plane."""
    from av.filter import Graph

    graph = Graph()
    source = graph.add_abuffer(sample_rate=frame.sample_rate, format=frame.format, layout=frame.layout,
                               time_base=frame.time_base or Fraction(1, frame.sample_rate))  # fmt: skip
    packed, end = graph.add("aformat", "sample_fmts=flt"), graph.add("abuffersink")
    source.link_to(packed)
    packed.link_to(end)
    graph.configure()
    return graph


def _floats(samples: NDArray[Any]) -> NDArray[np.float32]:
    """Return samples of any kind as numbers in [-1, 1].

    >>> _floats(np.uint8([0, 128])).tolist(), _floats(np.int16([-32768])).tolist()
    ([-1.0, 0.0], [-1.0])
    """
    if samples.dtype.kind == "f":
        return samples.astype(np.float32, copy=False)
    half = 1 << 8 * samples.dtype.itemsize - 1
    floats: NDArray[np.float32] = samples.astype(np.float32) / np.float32(half)
    return floats - np.float32(1) if samples.dtype.kind == "u" else floats
