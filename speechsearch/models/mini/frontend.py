"""Turn 16 kHz sound into the log-mel frames that the speech encoder reads.

Source: the usual 25 ms / 10 ms mel filterbank of speech recognition (Davis and Mermelstein, 1980; HTK mel scale).
Differs: mean and variance are normalised per passage and mel bin, so level and a fixed channel drop out.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from speechsearch.domain.values import SAMPLE_RATE_HZ

WINDOW_SAMPLES = 400
HOP_SAMPLES = 160
FFT_SAMPLES = 512
MEL_BINS = 80


def hz_to_mel(frequency_hz: float) -> float:
    """Return the HTK mel value of a frequency.

    >>> round(hz_to_mel(1000.0))
    1000
    """
    return 2595.0 * math.log10(1.0 + frequency_hz / 700.0)


def mel_filterbank(warp: float = 1.0, low_hz: float = 20.0, high_hz: float = 7600.0) -> Tensor:
    """Return triangular mel filters, (FFT_SAMPLES // 2 + 1, MEL_BINS) float32, each row a frequency bin.

    ``warp`` moves the filters' centres by a factor: below 1 sounds like a longer vocal tract, above 1 like a shorter
    one (vocal tract length perturbation, Jaitly and Hinton, 2013); 1 for inference.

    >>> tuple(mel_filterbank().shape)
    (257, 80)
    """
    mels = torch.linspace(hz_to_mel(low_hz), hz_to_mel(high_hz), MEL_BINS + 2)
    edges_hz = 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    edges_hz = (edges_hz / warp).clamp(max=SAMPLE_RATE_HZ / 2)
    bins_hz = torch.linspace(0, SAMPLE_RATE_HZ / 2, FFT_SAMPLES // 2 + 1)[:, None]
    left, centre, right = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    rising = (bins_hz - left) / (centre - left).clamp(min=1e-3)
    falling = (right - bins_hz) / (right - centre).clamp(min=1e-3)
    return torch.minimum(rising, falling).clamp(min=0.0)


def frame_count(samples: int) -> int:
    """Return how many 10 ms frames ``log_mel`` makes of that many samples.

    >>> frame_count(16_000)
    101
    """
    return samples // HOP_SAMPLES + 1


class LogMel(nn.Module):
    """Log-mel frames with per-passage normalisation; holds no learnt weight."""

    window: Tensor
    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(WINDOW_SAMPLES), persistent=False)
        self.register_buffer("filters", mel_filterbank(), persistent=False)

    def forward(self, samples: Tensor, lengths: Tensor, filters: Tensor | None = None) -> Tensor:
        """Return frames (batch, time, MEL_BINS) float32, normalised over each row's own ``frame_count(length)`` frames.

        ``samples``: (batch, samples) float32 in [-1, 1], zero-padded at the end; ``lengths``: (batch,) int64 samples.
        Frames past a row's end are zero.
        """
        filters = self.filters if filters is None else filters
        spectrum = torch.stft(
            samples,
            FFT_SAMPLES,
            HOP_SAMPLES,
            WINDOW_SAMPLES,
            self.window,
            center=True,
            pad_mode="constant",
            return_complex=True,
        )
        power = torch.view_as_real(spectrum).square().sum(-1).transpose(1, 2)
        frames = (power @ filters + 1e-8).log()
        counts = lengths // HOP_SAMPLES + 1
        mask = (torch.arange(frames.shape[1], device=frames.device)[None] < counts[:, None])[..., None]
        total = counts[:, None, None]
        frames = frames * mask
        mean = frames.sum(1, keepdim=True) / total
        centred = (frames - mean) * mask
        deviation = (centred.square().sum(1, keepdim=True) / total).sqrt()
        return centred / (deviation + 0.1)
