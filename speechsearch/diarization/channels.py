"""Calls with a person on each channel: where the sound comes from tells who speaks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, tee

import numpy as np
from numpy.typing import NDArray

from speechsearch.audio.decode import regrouped
from speechsearch.audio.voice_activity import ENTER, WINDOW_SAMPLES, spans_of, speech_probabilities
from speechsearch.diarization.windows import BATCH_WINDOWS, WINDOW_S, Encode, undelayed
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, FloatMatrix, Span

BLOCK_SAMPLES = round(WINDOW_S * SAMPLE_RATE_HZ)
"""A block is one window of a voice, and a whole number of the voice activity's windows."""
LOOKED_AT_S = 300.0
"""So much of a recording tells whether its channels hold different voices."""
CROSSTALK_DB = 10.0
"""Speech that is so much quieter on a channel than on the other at the same time is that of the other."""
SMOOTHED_FRAMES = 9
"""Over so many frames the levels of both are compared."""
LEAST_SHARE, MOST_OVERLAP = 0.05, 0.5
"""Of all speech: channels hold different voices if each has this much, and both at once no more than that."""
CLEAR_SHARE = 0.6
"""A window in which so much is speech, and nothing of the other, is an example of a voice."""
QUIETEST = 1e-10
"""Of the mean square: what is below is silence."""


def pairs(blocks: Iterable[Sequence[Audio]]) -> Iterator[tuple[Audio, Audio]]:
    """Yield stereo blocks of any length as blocks of one window, the last one shorter."""
    left, right = tee(blocks)
    both = regrouped(_samples(left, 0), BLOCK_SAMPLES), regrouped(_samples(right, 1), BLOCK_SAMPLES)
    return ((Audio(one), Audio(other)) for one, other in zip(*both, strict=True))


def speech_of_channels(
    blocks: Iterable[tuple[Audio, Audio]], encode: Encode
) -> list[tuple[list[Span], NDArray[np.float32]]]:
    """Return when the person of each channel speaks, and the vector of that voice, (dim,); no channel without speech.

    ``blocks``: as ``pairs`` gives them. Only numbers are kept, and a block of each channel.
    """
    examples = Examples(encode), Examples(encode)
    probabilities: list[NDArray[np.float32]] = []
    for block, probability in own_speech(blocks):
        probabilities.append(probability)
        shares = (probability >= ENTER).mean(axis=1)
        for side in range(2):
            examples[side].add(block[side], float(shares[side]), is_alone=not shares[1 - side])
    spans = [[undelayed(span) for span in spans_of(one[side] for one in probabilities)] for side in range(2)]
    return [(spans[side], examples[side].mean()) for side in range(2) if spans[side]]


class Examples:
    """Windows of a voice, of which the mean vector is wanted; where none is clear, the best there is."""

    def __init__(self, encode: Encode) -> None:
        self._encode = encode
        self._waiting: list[Audio] = []
        self._vectors: list[FloatMatrix] = []
        self._best, self._best_share = Audio(np.zeros(0, np.float32)), 0.0

    def add(self, window: Audio, share: float, *, is_alone: bool) -> None:
        """Look at a window of which such a share is speech; ``is_alone``: nobody else speaks in it."""
        if share > self._best_share:
            self._best, self._best_share = window, share
        if share >= CLEAR_SHARE and is_alone:
            self._waiting.append(window)
        if len(self._waiting) >= BATCH_WINDOWS:
            self._vectors.append(self._encode(self._waiting))
            self._waiting = []

    def mean(self) -> NDArray[np.float32]:
        """Return the mean vector, (dim,) float32 of unit length."""
        if self._waiting or not self._vectors:
            self._vectors.append(self._encode(self._waiting or [self._best]))
        total = np.concatenate(self._vectors).sum(axis=0)
        found: NDArray[np.float32] = total / max(float(np.linalg.norm(total)), 1e-12)
        return found


def hold_different_voices(blocks: Iterable[tuple[Audio, Audio]]) -> bool:
    """Return whether each of two channels has a voice of its own."""
    speech = [probability >= ENTER for _, probability in own_speech(blocks)]
    if not speech:
        return False
    whole = np.concatenate(speech, axis=1)
    any_frames = int(whole.any(axis=0).sum())
    if not any_frames:
        return False
    is_each_heard = whole.sum(axis=1).min() >= LEAST_SHARE * any_frames
    return bool(is_each_heard and whole.all(axis=0).sum() <= MOST_OVERLAP * any_frames)


def own_speech(
    blocks: Iterable[tuple[Audio, Audio]],
) -> Iterator[tuple[tuple[Audio, Audio], NDArray[np.float32]]]:
    """Yield each block and how probably each channel's own person speaks, (2, frames) float32; crosstalk counts 0."""
    whole, left, right = tee(blocks, 3)
    heard = speech_probabilities(one for one, _ in left), speech_probabilities(other for _, other in right)
    for block, *probabilities in zip(whole, *heard, strict=False):
        own = np.stack(probabilities)
        levels_db = np.stack([levels_of(side, own.shape[1]) for side in block])
        own[levels_db < levels_db[::-1] - CROSSTALK_DB] = 0.0
        yield block, own


def levels_of(sound: Audio, frames: int) -> NDArray[np.float64]:
    """Return the level of every frame of 32 ms in decibels, (frames,), over its neighbours.

    >>> levels_of(Audio(np.full(1024, 0.1, np.float32)), 2).round(1).tolist()
    [-20.0, -20.0]
    """
    from scipy.ndimage import uniform_filter1d

    samples = np.pad(sound.samples, (0, max(0, frames * WINDOW_SAMPLES - len(sound.samples))))
    power = np.square(samples[: frames * WINDOW_SAMPLES].reshape(frames, WINDOW_SAMPLES)).mean(axis=1)
    smooth = uniform_filter1d(power.astype(np.float64), min(SMOOTHED_FRAMES, frames), mode="nearest")
    levels_db: NDArray[np.float64] = 10 * np.log10(np.maximum(smooth, QUIETEST))
    return levels_db


def looked_at(
    blocks: Iterator[tuple[Audio, Audio]],
) -> tuple[list[tuple[Audio, Audio]], Iterator[tuple[Audio, Audio]]]:
    """Return the beginning of a recording, and all of it."""
    beginning = list(islice(blocks, round(LOOKED_AT_S / WINDOW_S)))
    return beginning, chain(beginning, blocks)


def _samples(blocks: Iterable[Sequence[Audio]], side: int) -> Iterator[NDArray[np.float32]]:
    return (block[side].samples for block in blocks)
