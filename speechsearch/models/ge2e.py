"""A small speaker encoder: an LSTM that turns a stretch of speech into a vector of the voice.

Source: Wan et al., 2018, Generalized End-to-End Loss for Speaker Verification (arXiv 1710.10467), with the weights and
the reading of sound of Resemblyzer 0.1.4 (github.com/resemble-ai/Resemblyzer): power mel frames without a logarithm,
quiet sound raised to -30 dBFS, the mean over windows of 1.6 s.
Differs: nothing is cut out of the sound here, since it comes cut by a voice activity detector; its package's code and
that of librosa are not used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.audio_utils import mel_filter_bank

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, FloatMatrix
from speechsearch.models.card import ModelCard
from speechsearch.models.load import Located

FRAME_SAMPLES, STEP_SAMPLES = 400, 160
MEL_BINS, WIDTH, LAYERS = 40, 256, 3
WINDOW_FRAMES, WINDOW_STEP_FRAMES = 160, 77
"""Of a longer sound, windows of 1.6 s are heard, 1.3 a second."""
LEAST_COVERED = 0.75
"""A last window with less sound than this part of it is left out."""
LOUDNESS = 10 ** (-30 / 20)
"""What is quieter (root mean square) is raised to it."""
BATCH_WINDOWS = 64


def load(located: Located) -> Ge2eEncoder:
    """Return the speaker encoder of ``pretrained.pt``.

    Raises:
        ModelUnavailableError: the file does not fit this version of the program.
    """
    network = Network()
    try:
        saved = torch.load(located.files["pretrained.pt"], map_location="cpu", weights_only=True)
        network.load_state_dict({name: saved["model_state"][name] for name in network.state_dict()})
    except (OSError, KeyError, ValueError, RuntimeError, TypeError) as error:
        raise ModelUnavailableError(
            f"The speaker encoder '{located.card.name}' cannot be loaded: {error}.", "Install its files again."
        ) from error
    network.to(located.device.torch_device).eval().requires_grad_(False)
    return Ge2eEncoder(located.card, network)


class Network(nn.Module):
    """Mel frames -> a unit vector a window; all its numbers are positive."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(MEL_BINS, WIDTH, LAYERS, batch_first=True)
        self.linear = nn.Linear(WIDTH, WIDTH)

    def forward(self, frames: Tensor) -> Tensor:
        """Return (windows, WIDTH) float32 of unit length for ``frames`` (windows, time, MEL_BINS) float32."""
        _, (hidden, _) = self.lstm(frames)
        return F.normalize(F.relu(self.linear(hidden[-1])), dim=1)


class Ge2eEncoder:
    """Turns stretches of speech into unit vectors without negative numbers."""

    def __init__(self, card: ModelCard, network: Network) -> None:
        self.dim, self.fingerprint = card.dim, card.fingerprint
        self._network = network

    def encode(self, sounds: Sequence[Audio]) -> FloatMatrix:
        """Return one unit vector a sound, (sounds, dim) float32."""
        if not sounds:
            return np.zeros((0, self.dim), np.float32)
        device = self._network.linear.weight.device
        with torch.inference_mode():
            windows = [windows_of(torch.from_numpy(sound.samples)) for sound in sounds]
            batches = torch.split(torch.cat(windows), BATCH_WINDOWS)
            vectors = torch.cat([self._network(batch.to(device)).cpu() for batch in batches])
            means = [own.mean(dim=0) for own in torch.split(vectors, [len(one) for one in windows])]
            found: FloatMatrix = F.normalize(torch.stack(means), dim=1).numpy()
        return found


def windows_of(samples: Tensor) -> Tensor:
    """Return the windows of a sound (n,) float32 as mel frames, (windows, WINDOW_FRAMES, MEL_BINS) float32."""
    starts = starts_of(len(samples))
    covered = (starts[-1] + WINDOW_FRAMES) * STEP_SAMPLES
    frames = mel_frames(F.pad(levelled(samples), (0, covered - len(samples))))
    return torch.stack([frames[start : start + WINDOW_FRAMES] for start in starts])


def starts_of(samples: int) -> list[int]:
    """Return at which frames the windows of a sound of so many samples begin; there is always one.

    >>> starts_of(16_000), starts_of(48_000)
    ([0], [0, 77, 154])
    """
    frames = math.ceil((samples + 1) / STEP_SAMPLES)
    starts = list(range(0, max(1, frames - WINDOW_FRAMES + WINDOW_STEP_FRAMES + 1), WINDOW_STEP_FRAMES))
    covered = (samples / STEP_SAMPLES - starts[-1]) / WINDOW_FRAMES
    return starts[:-1] if len(starts) > 1 and covered < LEAST_COVERED else starts


def levelled(samples: Tensor) -> Tensor:
    """Return sound (n,) float32, raised to ``LOUDNESS`` if it is quieter; silence stays silence.

    >>> [round(float(one), 4) for one in levelled(torch.tensor([0.001, -0.001]))]
    [0.0316, -0.0316]
    """
    loudness = math.sqrt(float(samples.square().mean())) if len(samples) else 0.0
    return samples * (LOUDNESS / loudness) if 0.0 < loudness < LOUDNESS else samples


def mel_frames(samples: Tensor) -> Tensor:
    """Return the power in mel bands every 10 ms of a sound (n,) float32, (n // STEP_SAMPLES + 1, MEL_BINS) float32.

    >>> tuple(mel_frames(torch.zeros(16_000)).shape)
    (101, 40)
    """
    window = torch.hann_window(FRAME_SAMPLES)
    spectrum = torch.stft(
        samples, FRAME_SAMPLES, STEP_SAMPLES, window=window, center=True, pad_mode="constant", return_complex=True
    )
    return torch.view_as_real(spectrum).square().sum(-1).T @ mel_filters()


@cache
def mel_filters() -> Tensor:
    """Return triangular filters on Slaney's mel scale, (frequencies, MEL_BINS) float32."""
    filters = mel_filter_bank(
        FRAME_SAMPLES // 2 + 1, MEL_BINS, 0.0, SAMPLE_RATE_HZ / 2, SAMPLE_RATE_HZ, norm="slaney", mel_scale="slaney"
    )
    return torch.from_numpy(filters).float()
