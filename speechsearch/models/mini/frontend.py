"""Turn 16 kHz sound into the log-mel frames that the speech encoder reads.

Source: Radford et al., 2022, Whisper (arXiv 2212.04356): 25 ms / 10 ms frames, 80 bins on Slaney's mel scale, limited
to 8 decades below the sound's loudest bin.
Differs: the sound is not padded to 30 s.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from speechsearch.domain.values import SAMPLE_RATE_HZ

WINDOW_SAMPLES = 400
HOP_SAMPLES = 160
MEL_BINS = 80
DECADES = 8.0


def mel_filterbank(mel_bins: int = MEL_BINS) -> Tensor:
    """Return Whisper's triangular mel filters, (WINDOW_SAMPLES // 2 + 1, mel_bins) float32, each row a frequency bin.

    >>> tuple(mel_filterbank().shape)
    (201, 80)
    """
    from transformers.audio_utils import mel_filter_bank

    filters = mel_filter_bank(
        WINDOW_SAMPLES // 2 + 1, mel_bins, 0.0, SAMPLE_RATE_HZ / 2, SAMPLE_RATE_HZ, norm="slaney", mel_scale="slaney"
    )
    return torch.from_numpy(filters).float()


def frame_count(samples: int) -> int:
    """Return how many 10 ms frames ``LogMel`` makes of that many samples.

    >>> frame_count(16_000), frame_count(1)
    (100, 1)
    """
    return max(1, samples // HOP_SAMPLES)


class LogMel(nn.Module):
    """Log-mel frames as Whisper's; holds no learnt weight."""

    window: Tensor
    filters: Tensor

    def __init__(self, mel_bins: int = MEL_BINS) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(WINDOW_SAMPLES), persistent=False)
        self.register_buffer("filters", mel_filterbank(mel_bins), persistent=False)

    def forward(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return (frames, counts): (batch, time, mel_bins) float32 and each row's own frames, (batch,) int64.

        ``samples``: (batch, samples) float32 in [-1, 1], at least 201, zero behind a row's end; ``lengths``: (batch,)
        int64 samples. Frames behind a row's end are zero.
        """
        spectrum = torch.stft(
            samples,
            WINDOW_SAMPLES,
            HOP_SAMPLES,
            window=self.window,
            center=True,
            pad_mode="constant",
            return_complex=True,
        )
        power = torch.view_as_real(spectrum).square().sum(-1).transpose(1, 2)
        frames = (power @ self.filters).clamp(min=1e-10).log10()
        counts = (lengths // HOP_SAMPLES).clamp(min=1)
        keep = (torch.arange(frames.shape[1], device=frames.device)[None] < counts[:, None])[..., None]
        loudest = frames.masked_fill(~keep, -10.0).amax((1, 2), keepdim=True)
        frames = (torch.maximum(frames, loudest - DECADES) + 4.0) / 4.0
        return (frames * keep)[:, : int(counts.max())], counts
