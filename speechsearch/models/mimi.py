"""Mimi: 12.5 frames a second of 24 kHz, the first quantizer taught by speech.

Source: Défossez et al., 2024, Moshi (arXiv 2410.00037), section 3.3; the network is that of transformers.
"""

from __future__ import annotations

from torch import Tensor

from speechsearch.models.codec import CodecTokenizer, open_codec
from speechsearch.models.codec_cards import MOST_QUANTIZERS
from speechsearch.models.load import Located


def load(located: Located) -> CodecTokenizer:
    """Return the tokenizer of a folder's files. Raises ModelUnavailableError."""
    network = open_codec(located, "MimiModel")
    config = network.config
    quantizers = min(MOST_QUANTIZERS, config.num_quantizers)

    def encode(samples: Tensor) -> Tensor:
        found: Tensor = network.encode(samples, num_quantizers=quantizers).audio_codes
        return found[0]

    frame_samples = round(config.sampling_rate / config.frame_rate)
    return CodecTokenizer(located, encode, config.sampling_rate, frame_samples, config.codebook_size)
