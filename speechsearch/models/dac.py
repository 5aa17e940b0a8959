"""DAC, the Descript Audio Codec: 50 frames a second of 16 kHz, 75 of 24 kHz, 86 of 44.1 kHz.

Source: Kumar et al., 2023, High-Fidelity Audio Compression with Improved RVQGAN (arXiv 2306.06546); the network is that
of transformers.
"""

from __future__ import annotations

from torch import Tensor

from speechsearch.models.codec import CodecTokenizer, open_codec
from speechsearch.models.codec_cards import MOST_QUANTIZERS
from speechsearch.models.load import Located


def load(located: Located) -> CodecTokenizer:
    """Return the tokenizer of a folder's files. Raises ModelUnavailableError."""
    network = open_codec(located, "DacModel")
    config = network.config
    quantizers = min(MOST_QUANTIZERS, config.n_codebooks)

    def encode(samples: Tensor) -> Tensor:
        found: Tensor = network.encode(samples, n_quantizers=quantizers).audio_codes
        return found[0]

    return CodecTokenizer(located, encode, config.sampling_rate, config.hop_length, config.codebook_size)
