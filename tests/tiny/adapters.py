"""Tiny untrained speech adapters between the tiny encoders, written as the recipe writes trained ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from speechsearch.domain.values import Channel
from speechsearch.models.adapter_cards import card_of_folder
from speechsearch.models.adapter_folder import AdapterConfig, Between, save_adapter
from speechsearch.models.adapter_networks import new_adapter
from speechsearch.models.adapter_sizes import AdapterSizes
from speechsearch.models.card import ModelCard
from speechsearch.models.frame_cards import card_of_checkpoint
from speechsearch.models.text_cards import card_of_folder as text_card_of_folder
from tests.tiny import frames, texts

SPREAD = 3.0
"""Weights are so many times as large, so that a random adapter tells sounds apart."""


@dataclass(frozen=True)
class Family:
    """An adapter between two tiny encoders, whose folders lie beside its own."""

    name: str
    encoder: str
    text_encoder: str
    sizes: AdapterSizes
    dim: int

    @property
    def CARD(self) -> ModelCard:
        """A card with nothing but a name and a task, for lists of names."""
        return ModelCard(
            name=self.name, task="speech encoder", factory="tests.tiny.texts:none", summary="random",
            licence="Apache-2.0", revision="-", channels=(Channel("adapter", "dense", self.dim),),
        )  # fmt: skip

    def save(self, folder: Path) -> ModelCard:
        """Write the folder and return its card."""
        encoder = card_of_checkpoint(self.encoder, folder.parent / self.encoder)
        text_encoder = text_card_of_folder(self.text_encoder, folder.parent / self.text_encoder)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            words = torch.zeros(260, texts.WIDTH)
            adapter = new_adapter(self.sizes, encoder.dim, words, torch.arange(4, 200))
            for weight in adapter.parameters():
                weight.data *= SPREAD
        if self.sizes.kind == "token":
            adapter.tokens.ends.bias.data += 20  # something is said everywhere
        config = AdapterConfig(
            self.name,
            Between(encoder.name, encoder.files[0].sha256),
            Between(text_encoder.name, text_encoder.files[0].sha256),
            self.sizes,
            self.dim,
        )
        tensors = {f"adapter.{name}": one for name, one in adapter.state_dict().items()}
        save_adapter(folder, config, tensors, "apache-2.0")
        return card_of_folder(self.name, folder)


LINEAR = Family("tiny-linear", frames.HUBERT.name, texts.MISTRAL.name, AdapterSizes(), texts.WIDTH)
TRANSFORMER = Family(
    "tiny-transformer", frames.WAVLM.name, texts.QWEN3.name,
    AdapterSizes("transformer", 2, width=16, layers=1, heads=2), 16,
)  # fmt: skip
TOKEN = Family(
    "tiny-token", frames.WHISPER.name, texts.XLM_ROBERTA.name,
    AdapterSizes("token", 4, width=16, layers=1, heads=2), texts.WIDTH,
)  # fmt: skip
CONFORMER = Family("tiny-conformer", frames.WAV2VEC2_BERT.name, texts.BERT.name, AdapterSizes(pool=1), 24)
ALL = (LINEAR, TRANSFORMER, TOKEN, CONFORMER)
