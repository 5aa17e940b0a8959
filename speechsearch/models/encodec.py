"""EnCodec: 75 frames a second of 24 kHz.

Source: Défossez et al., 2022, High Fidelity Neural Audio Compression (arXiv 2210.13438); the network is that of
transformers. Differs: only networks for one channel that hear a sound whole, so not the one for 48 kHz.
"""

from __future__ import annotations

from torch import Tensor

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models.codec import CodecTokenizer, open_codec
from speechsearch.models.codec_cards import MOST_QUANTIZERS
from speechsearch.models.load import Located


def load(located: Located) -> CodecTokenizer:
    """Return the tokenizer of a folder's files.

    Raises:
        ModelUnavailableError: they cannot be loaded, or are of the network for two channels in overlapping pieces.
    """
    network = open_codec(located, "EncodecModel")
    config = network.config
    if config.audio_channels != 1 or config.chunk_length is not None:
        raise ModelUnavailableError(
            f"The audio tokenizer '{located.card.name}' hears {config.audio_channels} channels in pieces, "
            "which is not done here.",
            "Take EnCodec for 24 kHz.",
        )

    def quantizers(bandwidth: float) -> int:
        return int(network.quantizer.get_num_quantizers_for_bandwidth(bandwidth))

    offered = sorted(config.target_bandwidths)
    bandwidth = next((one for one in offered if quantizers(one) >= MOST_QUANTIZERS), offered[-1])

    def encode(samples: Tensor) -> Tensor:
        found: Tensor = network.encode(samples, bandwidth=bandwidth).audio_codes
        return found[0, 0]

    return CodecTokenizer(located, encode, config.sampling_rate, config.hop_length, config.codebook_size)
