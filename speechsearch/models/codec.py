"""Audio tokenizers of the library transformers: what the families share. The family's file says how a network is asked.

Sound goes in one at a time, at the network's own rate, in stretches of at most a minute: in a batch some networks see
the silence that fills up the shorter ones. Of many quantizers the first are taken. Always in float32, so that a sound
has the same codes on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import soxr
import torch
import transformers
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio
from speechsearch.models.base import AudioTokens
from speechsearch.models.codec_cards import MOST_QUANTIZERS
from speechsearch.models.files import together
from speechsearch.models.load import Located
from speechsearch.models.transformers_asr import without_progress_bars

STRETCH_S = 60.0
LARGEST_CODE = int(np.iinfo(np.int16).max)

Encode = Callable[[Tensor], Tensor]
"""From samples (1, 1, n) float32, whole frames of them, to codes (quantizers, frames)."""


class CodecTokenizer:
    """Turns sounds into the codes of a network of transformers."""

    def __init__(self, located: Located, encode: Encode, rate_hz: int, frame_samples: int, codebook_size: int) -> None:
        """``encode``: asks the network. ``rate_hz``, ``frame_samples``: of the sound that it takes.

        Raises:
            ModelUnavailableError: there is no such network.
        """
        if not (0 < frame_samples <= rate_hz and 1 < codebook_size <= LARGEST_CODE + 1):
            raise ModelUnavailableError(
                f"The audio tokenizer '{located.card.name}' cannot be used: frames of {frame_samples} samples at "
                f"{rate_hz} Hz, {codebook_size} codes."
            )
        self.fingerprint = located.card.fingerprint
        self._encode, self._device = encode, located.device.torch_device
        self._rate_hz, self._frame_samples, self._codebook_size = rate_hz, frame_samples, codebook_size

    @torch.inference_mode()
    def tokenize(self, sounds: Sequence[Audio]) -> list[AudioTokens]:
        """Return the codes of each sound, in order, (up to MOST_QUANTIZERS, frames) int16."""
        return [
            AudioTokens(self._codes(sound), self._codebook_size, self._rate_hz / self._frame_samples)
            for sound in sounds
        ]

    def _codes(self, sound: Audio) -> NDArray[np.int16]:
        size = self._frame_samples
        samples = torch.from_numpy(soxr.resample(sound.samples, SAMPLE_RATE_HZ, self._rate_hz).astype(np.float32))
        samples = torch.nn.functional.pad(samples, (0, -len(samples) % size if len(samples) else size))
        stretches = torch.split(samples, int(STRETCH_S * self._rate_hz) // size * size)
        codes = [self._encode(one[None, None].to(self._device))[:MOST_QUANTIZERS].cpu() for one in stretches]
        whole: NDArray[np.int16] = torch.cat(codes, 1).to(torch.int16).contiguous().numpy()
        return whole


def open_codec(located: Located, auto: str, **how: Any) -> Any:
    """Return the network of a card's files on its device; ``auto``: the class of transformers that loads it.

    Raises:
        ModelUnavailableError: the files do not fit each other or the class, or weights are missing.
    """
    with together(located.files) as folder, without_progress_bars():
        try:
            network, report = getattr(transformers, auto).from_pretrained(
                folder, use_safetensors=True, local_files_only=True, output_loading_info=True, **how
            )
            if report["missing_keys"]:
                raise ValueError(f"its weights lack {', '.join(sorted(report['missing_keys'])[:3])}")
        except (OSError, ValueError, KeyError, RuntimeError, TypeError, ImportError, SafetensorError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ModelUnavailableError(
                f"The audio tokenizer '{located.card.name}' cannot be loaded: {reason}",
                f"It needs a checkpoint that transformers {transformers.__version__} reads, with model.safetensors.",
            ) from error
    return network.float().to(located.device.torch_device).eval().requires_grad_(False)
