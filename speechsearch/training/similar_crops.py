"""What a training step of a sound embedder sees: pairs of crops of codes that are of the same recording or piece.

Two views of a recording, about the same seconds of it; of music now and then two renderings of a piece, the same bars.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speechsearch.domain.values import Audio
from speechsearch.models.base import AudioTokenizer
from speechsearch.models.similar_mini import STEP_FRAMES, UNKNOWN
from speechsearch.training.similar_recordings import Kind
from speechsearch.training.similar_views import Views

OTHER_RENDERING_SHARE = 0.4
"""Of the pairs of music."""
APART_S = 3.0
"""So much later or earlier the second crop of a recording may begin."""
DROPPED_SHARE, DROPPED_FRAMES = 0.12, 6
"""How many frames of a crop are forgotten, in stretches of up to so many."""
COARSE_SHARE = 0.3
"""Of the crops lose codes of the fine quantizers."""


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """The views of a recording in codes: (quantizers, frames) int16 each, the first of the recording as it is."""

    name: str
    piece: str
    kind: Kind
    tempo_bpm: float
    codes: tuple[NDArray[np.int16], ...]
    speeds: tuple[float, ...]
    how: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Crops, (pairs, quantizers, frames) int64; what stands at one place of both is alike; ``pieces``: of what."""

    first: Tensor
    second: Tensor
    pieces: tuple[str, ...]


def coded(found: Iterable[Views], tokenizer: AudioTokenizer) -> list[Coded]:
    """Return the codes of views, made recording by recording."""
    made = list[Coded]()
    for views in found:
        sounds = [Audio(one.astype(np.float32) / np.float32(32768)) for one in views.sounds]
        codes = tuple(one.codes for one in tokenizer.tokenize(sounds))
        made.append(Coded(views.name, views.piece, views.kind, views.tempo_bpm, codes, views.speeds, views.how))
    return made


def crop(codes: NDArray[np.int16], begin: int, frames: int) -> NDArray[np.int16]:
    """Return so many frames of codes from one on, UNKNOWN where there are none.

    >>> crop(np.array([[1, 2, 3]], np.int16), 1, 3).tolist(), crop(np.array([[1, 2, 3]], np.int16), -1, 2).tolist()
    ([[2, 3, -1]], [[-1, 1]])
    """
    first, last = max(0, begin), min(codes.shape[1], begin + frames)
    found = np.full((codes.shape[0], frames), UNKNOWN, np.int16)
    if last > first:
        found[:, first - begin : last - begin] = codes[:, first:last]
    return found


class Drawer:
    """Draws pairs of crops by chance."""

    def __init__(self, recordings: Sequence[Coded], frame_hz: float, rng: random.Random) -> None:
        """Raises ValueError: there is none of a kind."""
        self.rng, self.frame_hz = rng, frame_hz
        self.kinds = [[one for one in recordings if one.kind == kind] for kind in ("speech", "music")]
        if not all(self.kinds):
            raise ValueError("Views of speech and of music are needed.")
        self.renderings: dict[str, list[Coded]] = {}
        for one in recordings:
            self.renderings.setdefault(one.piece, []).append(one)

    def pairs(self, count: int, frames: tuple[int, int]) -> Pairs:
        """Return so many pairs of crops of so many frames each, speech and music in turn."""
        drawn = [self._pair(self.rng.choice(self.kinds[number % 2]), frames) for number in range(count)]
        first, second = (np.stack([pair[side] for pair, _ in drawn]) for side in (0, 1))
        pieces = tuple(piece for _, piece in drawn)
        return Pairs(torch.from_numpy(first).long(), torch.from_numpy(second).long(), pieces)

    def _pair(self, one: Coded, frames: tuple[int, int]) -> tuple[tuple[NDArray[np.int16], NDArray[np.int16]], str]:
        """Return two crops of a recording, or of it and of another rendering of its piece."""
        rng, others = self.rng, [other for other in self.renderings[one.piece] if other is not one]
        if others and rng.random() < OTHER_RENDERING_SHARE:
            other = rng.choice(others)
            view, other_view = rng.randrange(len(one.codes)), rng.randrange(len(other.codes))
            later = one.tempo_bpm / other.tempo_bpm  # the same bars: half as fast is twice as late
        else:
            other, later = one, 1.0
            view, other_view = rng.sample(range(len(one.codes)), 2)
        last_s = min(self._last_s(one, frames[0]), self._last_s(other, frames[1]) / later)
        begin_s = rng.uniform(0, last_s)
        other_begin_s = (begin_s + rng.uniform(-APART_S, APART_S)) * later
        first = self._crop(one, view, begin_s, frames[0])
        return (first, self._crop(other, other_view, other_begin_s, frames[1])), one.piece

    def _last_s(self, one: Coded, frames: int) -> float:
        """Return the last second at which a crop of a recording may begin."""
        return max(0.0, float((one.codes[0].shape[1] - frames) / self.frame_hz))

    def _crop(self, one: Coded, view: int, begin_s: float, frames: int) -> NDArray[np.int16]:
        """Return a crop of a view that begins at a second of the recording, or as near as it has so many frames."""
        codes = one.codes[view]
        begin = round(begin_s / one.speeds[view] * self.frame_hz)
        whole = crop(codes, max(0, min(begin, codes.shape[1] - frames)), frames)
        return self._forgotten(whole)

    def _forgotten(self, codes: NDArray[np.int16]) -> NDArray[np.int16]:
        """Return codes some of which are UNKNOWN: stretches of frames, and maybe the fine quantizers."""
        rng, frames = self.rng, codes.shape[1]
        for _ in range(round(frames * DROPPED_SHARE / (DROPPED_FRAMES / 2 + 0.5))):
            begin = rng.randrange(frames)
            codes[:, begin : begin + rng.randint(1, DROPPED_FRAMES)] = UNKNOWN
        if rng.random() < COARSE_SHARE:
            codes[rng.randint(2, max(2, len(codes) - 1)) :] = UNKNOWN
        return codes


def whole_windows(codes: NDArray[np.int16], frames: int, step: int) -> NDArray[np.int16]:
    """Return the windows of a recording's codes, (windows, quantizers, frames); at least one, filled up if need be.

    >>> whole_windows(np.arange(6, dtype=np.int16)[None], 4, 2).tolist()
    [[[0, 1, 2, 3]], [[2, 3, 4, 5]]]
    """
    last = max(0, codes.shape[1] - frames)
    return np.stack([crop(codes, begin, frames) for begin in range(0, last + 1, step)])


def in_steps(frames: int) -> int:
    """Return a number of frames in whole steps of the network, at least one.

    >>> in_steps(3), in_steps(9)
    (4, 8)
    """
    return max(STEP_FRAMES, frames // STEP_FRAMES * STEP_FRAMES)
