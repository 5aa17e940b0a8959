"""Tiny random audio tokenizers of transformers, saved as the hub has them and loaded by the product's own code."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import DacConfig, DacModel, EncodecConfig, EncodecModel, MimiConfig, MimiModel, PreTrainedModel

from speechsearch.models.card import ModelCard
from speechsearch.models.codec_cards import FACTORIES, card_of_folder


@dataclass(frozen=True)
class Family:
    """What makes a network of a family; the card is made of its folder as a user's is."""

    name: str
    kind: str
    network: Callable[[], PreTrainedModel]

    @property
    def CARD(self) -> ModelCard:
        """A card with nothing but a name and a task, for lists of names."""
        return ModelCard(
            name=self.name,
            task="audio tokenizer",
            factory=FACTORIES[self.kind],
            summary="random",
            licence="Apache-2.0",
            revision="-",
        )

    def save(self, folder: Path) -> ModelCard:
        """Write the checkpoint and return its card."""
        folder.mkdir(parents=True, exist_ok=True)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            network = self.network()
            for name, numbers in network.state_dict().items():
                if name.endswith(("codebook.embed", "codebook.embed_sum")):
                    numbers.normal_()  # else every sound would have the same codes
        network.save_pretrained(folder)
        return card_of_folder(self.name, folder)


def _mimi() -> MimiModel:
    return MimiModel(
        MimiConfig(
            hidden_size=16, num_filters=2, codebook_size=16, codebook_dim=8, num_quantizers=10, num_hidden_layers=1,
            vector_quantization_hidden_dimension=8, intermediate_size=32, num_attention_heads=2, num_key_value_heads=2,
            upsample_groups=16,
        )
    )  # fmt: skip


def _encodec() -> EncodecModel:
    return EncodecModel(EncodecConfig(hidden_size=16, num_filters=2, codebook_size=16, num_lstm_layers=1))


def _dac() -> DacModel:
    return DacModel(DacConfig(encoder_hidden_size=2, decoder_hidden_size=32, codebook_size=16, codebook_dim=4))


MIMI = Family("tiny-mimi", "mimi", _mimi)
ENCODEC = Family("tiny-encodec", "encodec", _encodec)
DAC = Family("tiny-dac", "dac", _dac)

OWN_CODE = """
import torch
from transformers import PreTrainedModel, PretrainedConfig
from transformers.utils import ModelOutput


class TinyMossConfig(PretrainedConfig):
    model_type = "moss-audio-tokenizer"

    def __init__(self, sampling_rate=24000, downsample_rate=1920, quantizer_kwargs=None, **kwargs):
        self.sampling_rate, self.downsample_rate = sampling_rate, downsample_rate
        self.quantizer_kwargs = quantizer_kwargs
        super().__init__(**kwargs)


class TinyMoss(PreTrainedModel):
    config_class = TinyMossConfig

    def __init__(self, config):
        super().__init__(config)
        self.places = torch.nn.Linear(1, 12)
        self.post_init()

    def encode(self, input_values, return_dict=True):
        loud = input_values.unfold(-1, 1920, 1920).abs().mean(-1)[0, 0]
        codes = (self.places(loud[:, None]) * 1000).long() % 32
        return ModelOutput(audio_codes=codes.T[:, None])
"""


def save_moss(folder: Path) -> ModelCard:
    """Write a checkpoint that is code of its own, as MOSS-Audio-Tokenizer is, and return its card."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "model_type": "moss-audio-tokenizer",
        "architectures": ["TinyMoss"],
        "auto_map": {"AutoConfig": "modeling_tiny.TinyMossConfig", "AutoModel": "modeling_tiny.TinyMoss"},
        "sampling_rate": 24000,
        "downsample_rate": 1920,
        "quantizer_kwargs": {"codebook_size": 32},
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "modeling_tiny.py").write_text(OWN_CODE, encoding="utf-8")
    weights = {"places.weight": torch.linspace(0.1, 1, 12)[:, None].contiguous(), "places.bias": torch.zeros(12)}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return card_of_folder(folder.name, folder)
