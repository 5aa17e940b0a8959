"""MOSS-Audio-Tokenizer: 12.5 frames a second of 24 kHz, 1.6 thousand million parameters.

Source: OpenMOSS, 2026 (github.com/OpenMOSS/MOSS-Audio-Tokenizer).
Differs: its network is code that lies beside the weights; here that runs only for models that the setting
``models.trusted_code`` names. The code's files are hashed like the weights.
"""

from __future__ import annotations

from torch import Tensor

from speechsearch.domain.errors import CapabilityError
from speechsearch.models.codec import CodecTokenizer, open_codec
from speechsearch.models.load import Located

CODES = 1024
"""Of a codebook, where its ``config.json`` does not say."""


def load(located: Located) -> CodecTokenizer:
    """Return the tokenizer of a folder's files.

    Raises:
        CapabilityError: nobody has said that its code may run.
        ModelUnavailableError: it cannot be loaded.
    """
    name = located.card.name
    if not located.may_run_code:
        raise CapabilityError(
            f"The audio tokenizer '{name}' is code of its own, which is not run unless you say so.",
            f"""Read the .py files in its folder, then set SPEECHSEARCH_MODELS__TRUSTED_CODE='["{name}"]'.""",
        )
    network = open_codec(located, "AutoModel", trust_remote_code=True)
    config = network.config
    sizes = getattr(config, "quantizer_kwargs", None) or {}

    def encode(samples: Tensor) -> Tensor:
        found: Tensor = network.encode(samples, return_dict=True).audio_codes
        return found[:, 0]

    codes = int(sizes.get("codebook_size", CODES))
    return CodecTokenizer(located, encode, int(config.sampling_rate), int(config.downsample_rate), codes)
