"""What a speech adapter reads: the states of a speech encoder's network, one for every 20 or 40 ms of sound.

A family (``whisper_frames``, ``wave_frames``, ``wav2vec2_bert_frames``, ``mini_frames``) says what comes before its
layers, what they are given beside the states, and what comes after them. So the last layers of any of them can be
computed apart from the others, which is what training needs: below, all is frozen and can be kept on disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from speechsearch.models.device import Device

Samples = NDArray[np.float32]


class Family(Protocol):
    """The network of a speech encoder in three parts; ``network`` holds all weights, ``layers`` are some of it."""

    @property
    def network(self) -> nn.Module:
        """All of it."""

    @property
    def layers(self) -> nn.ModuleList:
        """Those that can be trained, in order."""

    @property
    def frame_s(self) -> float:
        """How much sound a state stands for."""

    @property
    def hears_together(self) -> bool:
        """Whether several sounds can be heard at once without changing each other."""

    def front(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return (states, counts): (sounds, frames, width) before the layers, and the frames of each sound.

        ``samples``: (sounds, samples) float32 in [-1, 1], zero behind each end; ``lengths``: (sounds,) int64 samples.
        """

    def context(self, states: Tensor, inside: Tensor) -> Mapping[str, Any]:
        """Return what every layer gets beside the states; ``inside``: (sounds, frames) bool."""

    def finish(self, states: Tensor) -> Tensor:
        """Return the states after what follows the last layer."""


class FrameEncoder:
    """Turns sound into states; its last ``top`` layers can be computed apart."""

    def __init__(self, family: Family, fingerprint: str, device: Device, width: int) -> None:
        self.family, self.fingerprint, self.width = family, fingerprint, width
        self.frame_s = family.frame_s
        self.device, self.dtype = device.torch_device, device.torch_dtype
        self.network = family.network.train(False).requires_grad_(False).to(self.device, self.dtype)

    @property
    def layers(self) -> nn.ModuleList:
        """The layers that can be trained, in order."""
        return self.family.layers

    @torch.no_grad()
    def below(self, sounds: Sequence[Samples], top: int = 0) -> list[Tensor]:
        """Return each sound's states before the last ``top`` layers, (frames, width); without any, its last states.

        A sound alone gives what it gives beside others.
        """
        if not self.family.hears_together and len(sounds) > 1:
            return [self.below([sound], top)[0] for sound in sounds]
        samples = torch.zeros(len(sounds), max(map(len, sounds)))
        for row, sound in zip(samples, sounds, strict=True):
            row[: len(sound)] = torch.from_numpy(sound)
        lengths = torch.tensor([len(sound) for sound in sounds])
        states, counts = self.family.front(samples.to(self.device), lengths.to(self.device))
        kept = len(self.layers) - top
        states = self._through(self.layers[:kept], states, counts)
        if not top:
            states = self.family.finish(states)
        return [row[:count] for row, count in zip(states, counts.tolist(), strict=True)]

    def above(self, states: Tensor, counts: Tensor, top: int) -> Tensor:
        """Return the last states, (sounds, frames, width), of those before the last ``top`` layers."""
        if not top:
            return states
        return self.family.finish(self._through(self.layers[len(self.layers) - top :], states, counts))

    def _through(self, layers: nn.ModuleList, states: Tensor, counts: Tensor) -> Tensor:
        inside = inside_of(counts, states.shape[1])
        context = self.family.context(states, inside) if len(layers) else {}
        for layer in layers:
            found = layer(states, **context)
            states = found[0] if isinstance(found, tuple) else found
        return states


def inside_of(counts: Tensor, length: int) -> Tensor:
    """Return which frames belong to their sounds, (sounds, length) bool.

    >>> inside_of(torch.tensor([1, 3]), 3).tolist()
    [[True, False, False], [True, True, True]]
    """
    return torch.arange(length, device=counts.device)[None] < counts[:, None]


def additive_mask(inside: Tensor, dtype: torch.dtype) -> Tensor:
    """Return what attention adds to its scores, (sounds, 1, 1, frames): the lowest number where no sound is.

    >>> additive_mask(torch.tensor([[True, False]]), torch.float16).flatten().tolist()
    [0.0, -65504.0]
    """
    lowest = torch.finfo(dtype).min
    return torch.zeros(inside.shape, dtype=dtype, device=inside.device).masked_fill(~inside, lowest)[:, None, None]


def padded_states(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return (states, counts): (rows, longest, width), zero behind each end, and (rows,) int64."""
    counts = torch.tensor([len(row) for row in rows], device=rows[0].device)
    return nn.utils.rnn.pad_sequence(list(rows), batch_first=True), counts
