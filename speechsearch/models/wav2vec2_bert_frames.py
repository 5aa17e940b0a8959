"""wav2vec2-BERT as a frame encoder: a conformer that reads log-mel frames in pairs, of a folder of transformers.

Source: Barrault et al., 2023, Seamless (arXiv 2312.05187): w2v-BERT 2.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor
from transformers import SeamlessM4TFeatureExtractor

from speechsearch.domain.values import SAMPLE_RATE_HZ
from speechsearch.models.frames import FrameEncoder, additive_mask, inside_of
from speechsearch.models.load import Located
from speechsearch.models.transformers_network import open_transformers

SHORTEST_SAMPLES = 1_600
"""Its frames are normalised over time, which needs some."""


def load(located: Located) -> FrameEncoder:
    """Return the encoder of a checkpoint of transformers. Raises ModelUnavailableError."""
    network: Any = open_transformers(located, "AutoModel")
    family = Wav2Vec2BertFrames(network)
    return FrameEncoder(family, located.card.fingerprint, located.device, network.config.hidden_size)


class Wav2Vec2BertFrames:
    """The parts of such a network."""

    frame_s, hears_together = 0.02, True

    def __init__(self, network: Any) -> None:
        self.network, self.layers = network, network.encoder.layers
        stride = 2
        extractor: Any = SeamlessM4TFeatureExtractor
        self.extractor = extractor(
            feature_size=network.config.feature_projection_input_dim // stride,
            num_mel_bins=network.config.feature_projection_input_dim // stride,
            stride=stride,
        )

    def front(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the states before the layers, and the frames of each sound."""
        sounds = [row[:length].numpy() for row, length in zip(samples.cpu(), lengths.tolist(), strict=True)]
        sounds = [np.pad(sound, (0, max(0, SHORTEST_SAMPLES - len(sound)))) for sound in sounds]
        made = self.extractor(sounds, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt", return_attention_mask=True)
        weight = self.network.feature_projection.projection.weight
        counts = made["attention_mask"].sum(1).to(weight.device)
        states, _ = self.network.feature_projection(made["input_features"].to(weight.device, weight.dtype))
        return states * inside_of(counts, states.shape[1])[..., None], counts

    def context(self, states: Tensor, inside: Tensor) -> Mapping[str, Any]:
        """Return the masks of attention and convolutions, and positions where they are the network's own."""
        places = self.network.encoder.embed_positions
        return {
            "attention_mask": additive_mask(inside, states.dtype),
            "conv_attention_mask": inside,
            "relative_position_embeddings": None if places is None else places(states),
        }

    def finish(self, states: Tensor) -> Tensor:
        """Return the states as the last layer leaves them."""
        return states
