"""The small audio tokenizer of our own: log-mel patches of 80 ms, each as eight codes of 256; for speech and music.

Source: Zeghidour et al., 2021, SoundStream (arXiv 2107.03312), for the quantizers.
Differs: it codes spectra and not waves, patch by patch, so it is small and fast; it cannot be played back. A patch
knows nothing of the others: a cut of a recording that begins with a patch has the codes of the recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers.audio_utils import mel_filter_bank

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio
from speechsearch.models.base import AudioTokens
from speechsearch.models.load import Located
from speechsearch.models.mini.packed import unpacked
from speechsearch.models.residual_quantizer import ResidualVectorQuantizer

PATCH_SAMPLES = 1280
FRAME_HZ = SAMPLE_RATE_HZ / PATCH_SAMPLES
WINDOW_SAMPLES, STEP_SAMPLES, SPECTRUM_SAMPLES = 400, 125, 512
PATCH_FRAMES, MEL_BINS = 8, 64
"""Windows of 25 ms, so many of which lie within a patch."""
LEAST_POWER = 1e-7
MEAN, SCALE = -10.0, 3.0
"""Of the natural logarithm of mel power in usual sound; only so that the network sees numbers around 1."""
WIDTH, DIM = 512, 64
QUANTIZERS, CODEBOOK_SIZE = 8, 256
AT_ONCE = 4096
"""Patches: five and a half minutes."""


class RvqNetwork(nn.Module):
    """Patches -> vectors -> codes -> patches, each (n, PATCH_FRAMES * MEL_BINS) float32."""

    def __init__(self) -> None:
        super().__init__()
        size = PATCH_FRAMES * MEL_BINS
        normed = nn.LayerNorm(DIM, elementwise_affine=False)  # without it vectors grow until training breaks
        self.encoder = nn.Sequential(nn.Linear(size, WIDTH), nn.GELU(), nn.Linear(WIDTH, DIM), normed)
        self.quantizer = ResidualVectorQuantizer(QUANTIZERS, CODEBOOK_SIZE, DIM)
        self.decoder = nn.Sequential(nn.Linear(DIM, WIDTH), nn.GELU(), nn.Linear(WIDTH, size))


class RvqTokenizer:
    """Turns sounds into codes of 12.5 frames a second."""

    def __init__(self, fingerprint: str, network: RvqNetwork) -> None:
        self.fingerprint = fingerprint
        self.network = network.train(False).requires_grad_(False)

    @torch.inference_mode()
    def tokenize(self, sounds: Sequence[Audio]) -> list[AudioTokens]:
        """Return the codes of each sound, in order, (QUANTIZERS, frames) int16."""
        device = self.network.quantizer.codebooks.device
        found = []
        for sound in sounds:
            codes = [
                self.network.quantizer.codes_of(self.network.encoder(some.to(device))).cpu()
                for some in torch.split(patches_of(torch.from_numpy(sound.samples)), AT_ONCE)
            ]
            whole = torch.cat(codes).T.to(torch.int16).contiguous().numpy()
            found.append(AudioTokens(whole, CODEBOOK_SIZE, FRAME_HZ))
        return found


def load(located: Located) -> RvqTokenizer:
    """Return the tokenizer of ``model.safetensors``.

    Raises:
        ModelUnavailableError: the file does not fit this version of the program.
    """
    network = RvqNetwork()
    try:
        network.load_state_dict(unpacked(load_file(located.files["model.safetensors"])))
    except (OSError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelUnavailableError(
            f"The audio tokenizer '{located.card.name}' cannot be loaded: {error}.", "Install speechsearch again."
        ) from error
    return RvqTokenizer(located.card.fingerprint, network.to(located.device.torch_device))


def patches_of(samples: Tensor) -> Tensor:
    """Return the patches of a sound (n,) float32 in [-1, 1], (patches, PATCH_FRAMES * MEL_BINS) float32, about 0.

    A last one that is half there is filled up with silence, one that is less is left out; there is always one.

    >>> [len(patches_of(torch.zeros(size))) for size in (0, 1919, 1920)]
    [1, 1, 2]
    """
    count = max(1, (len(samples) + PATCH_SAMPLES // 2) // PATCH_SAMPLES)
    whole = samples[: count * PATCH_SAMPLES]
    whole = nn.functional.pad(whole, (0, count * PATCH_SAMPLES - len(whole))).reshape(count, PATCH_SAMPLES)
    windows = whole.unfold(1, WINDOW_SAMPLES, STEP_SAMPLES)[:, :PATCH_FRAMES] * torch.hann_window(WINDOW_SAMPLES)
    power = torch.view_as_real(torch.fft.rfft(windows, SPECTRUM_SAMPLES)).square().sum(-1) @ mel_filters()
    return ((power.clamp(min=LEAST_POWER).log() - MEAN) / SCALE).flatten(1)


@cache
def mel_filters() -> Tensor:
    """Return triangular filters on Slaney's mel scale, (frequencies, MEL_BINS) float32."""
    filters = mel_filter_bank(
        SPECTRUM_SAMPLES // 2 + 1, MEL_BINS, 0.0, SAMPLE_RATE_HZ / 2, SAMPLE_RATE_HZ, norm="slaney", mel_scale="slaney"
    )
    return torch.from_numpy(filters).float()
