"""Turn blocks of any rate and channel count into one stream of 16 kHz mono samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import soxr
from numpy.typing import NDArray

from speechsearch.domain.errors import DecodeError
from speechsearch.domain.values import SAMPLE_RATE_HZ

CANCELLED = 0.5
"""Channels that have nothing to do with each other leave 1 / channels of their power in the mean; half of it or less is
left where they cancel."""


def to_mono(block: NDArray[np.float32], name: str = "The recording") -> NDArray[np.float32]:
    """Return the mean of the channels, (samples,) float32 in [-1, 1], from (samples, channels) float32.

    Where channels cancel each other, those of opposite phase are turned over first: a balanced line that was taken for
    stereo is silent in the mean.

    >>> to_mono(np.array([[0.5, 0.0], [4.0, 4.0]], np.float32)).tolist()
    [0.25, 1.0]
    >>> to_mono(np.array([[0.5, -0.5], [-0.25, 0.25]], np.float32)).tolist()
    [0.5, -0.25]

    Raises:
        DecodeError: a sample is not a finite number.
    """
    # Products with a vector are several times faster than a mean over a short axis.
    channels = block.shape[1]
    mono = block[:, 0] if channels == 1 else block @ np.full(channels, 1 / channels, np.float32)
    if not np.isfinite(mono).all():
        raise DecodeError(
            f"{name} holds samples that are not numbers (NaN or infinite).", "Export it again as 16-bit sound."
        )
    if channels > 1 and len(block):
        alike = block.T @ block  # (channels, channels)
        if mono @ mono < CANCELLED / channels * np.trace(alike) / channels:
            signs = np.where(alike[np.argmax(np.diag(alike))] < 0, -1, 1).astype(np.float32)
            mono = block @ (signs / channels)
    return np.clip(mono, -1.0, 1.0)


def resample(
    blocks: Iterable[NDArray[np.float32]], rate_hz: int, name: str = "The recording"
) -> Iterator[NDArray[np.float32]]:
    """Yield 16 kHz mono samples, (n,) float32 in [-1, 1]; output sample i lies at i / 16000 s of the input.

    ``blocks``: (samples, channels) float32 at ``rate_hz``. ``name``: how messages call where they come from.

    Raises:
        DecodeError: a sample is not a finite number.
    """
    if rate_hz == SAMPLE_RATE_HZ:
        yield from (to_mono(block, name) for block in blocks)
        return
    resampler = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32")
    for block in blocks:
        yield np.clip(resampler.resample_chunk(to_mono(block, name)), -1.0, 1.0)
    yield np.clip(resampler.resample_chunk(np.zeros(0, np.float32), last=True), -1.0, 1.0)
