"""A tiny HuBERT as a speech encoder: the mean of its states, projected beside a text encoder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import HubertConfig, HubertModel

from speechsearch.domain.values import Audio, Channel, Vector
from speechsearch.models.base import EncodedPassage, TextEncoder
from speechsearch.models.card import ModelCard
from speechsearch.models.load import Located
from tests.tiny import bert
from tests.tiny.dense import DenseSpeechEncoder
from tests.tiny.saving import NOT_SAVED, save_files

CARD = ModelCard(
    name="tiny-hubert",
    task="speech encoder",
    factory="tests.tiny.hubert:load",
    summary="random, one dense channel",
    licence="Apache-2.0",
    files=(NOT_SAVED,),
    needs=(("text encoder", bert.CARD.name),),
    channels=(Channel("tiny-hubert", "dense", bert.CARD.dim, title="adapter"),),
)
SHORTEST_SAMPLES = 1_600


class Network(nn.Module):
    """The encoder and a projection of its mean state."""

    def __init__(self, config: HubertConfig, dim: int) -> None:
        super().__init__()
        self.encoder = HubertModel(config)
        self.projection = nn.Linear(config.hidden_size, dim, bias=False)

    def forward(self, samples: Tensor) -> Tensor:
        """One unit vector a row, (rows, dim)."""
        mean = self.encoder(samples).last_hidden_state.mean(1)
        return nn.functional.normalize(self.projection(mean).float(), dim=-1)


def load(located: Located) -> TinyHubert:
    """The factory that the card names."""
    (text_encoder,) = located.needed.values()
    config = HubertConfig.from_dict(json.loads(located.files["config.json"].read_text(encoding="utf-8")))
    return TinyHubert(located, Network(config, text_encoder.dim), text_encoder)


class TinyHubert(DenseSpeechEncoder):
    """Hears passages one at a time: its convolutions know no mask, so in a batch a clip would hear its neighbours."""

    def __init__(self, located: Located, network: Network, text_encoder: TextEncoder) -> None:
        super().__init__(located, network, text_encoder)
        self.network = network

    def encode_passages(self, sounds: Sequence[Audio]) -> list[EncodedPassage]:
        """One vector a passage, in order; zeros where there is no sound."""
        return [EncodedPassage({self.channels[0].name: self._hear(sound)}) for sound in sounds]

    @torch.inference_mode()
    def _hear(self, sound: Audio) -> Vector:
        if not len(sound.samples):
            return np.zeros(self.channels[0].dim, np.float32)
        samples = np.pad(sound.samples, (0, max(0, SHORTEST_SAMPLES - len(sound.samples))))
        row = torch.from_numpy(samples)[None].to(self.device.torch_device, self.device.torch_dtype)
        return self.network(row)[0].cpu().numpy()


def save(folder: Path) -> ModelCard:
    """Write the model into a folder and return its card."""
    config = HubertConfig(
        vocab_size=8, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        conv_dim=(8, 8), conv_kernel=(400, 3), conv_stride=(160, 2), feat_extract_norm="layer", initializer_range=0.5,
        do_stable_layer_norm=True, num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = Network(config, CARD.channels[0].dim)
    return save_files(folder, CARD, network, config)
