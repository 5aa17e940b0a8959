"""What is trained: an adapter, and with it, stage by stage, the last layers of the speech encoder; all else is frozen.

Source: Min et al., 2024, SpeechRAG (arXiv 2412.16500); Hu et al., 2021, LoRA (arXiv 2106.09685).
Differs: the paper trains the whole encoder from the first step; here layers may be unfrozen from the last on, later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechsearch.domain.errors import ConfigurationError, MissingDependencyError
from speechsearch.models.adapter_networks import Adapter
from speechsearch.models.base import SoftTextEncoder
from speechsearch.models.frames import FrameEncoder, padded_states

LORA_LAYERS = ("q_proj", "v_proj", "linear_q", "linear_v", "qkv")
"""The linear layers of attention that get weights of low rank, as the families name them."""
LORA_MARK, BASE_MARK = ".lora_", ".base_layer"


class Heard(NamedTuple):
    """Unit vectors of the text encoder's space, (sounds, dim) float32, and of each sound the embeddings that it read.

    ``embeddings``: (frames, dim) each.
    """

    vectors: Tensor
    embeddings: list[Tensor]


class SpeechRag(nn.Module):
    """States of a speech encoder in, unit vectors of the text encoder's space out."""

    def __init__(self, encoder: FrameEncoder, adapter: Adapter, text_encoder: SoftTextEncoder, dim: int = 0) -> None:
        """``dim``: how many numbers of a vector are kept; 0 for all."""
        super().__init__()
        self.adapter = adapter
        self.tuned = nn.ModuleList()
        self.dim = dim or None
        self._frozen = (encoder, text_encoder)  # in a tuple, so that their weights are not this module's

    @property
    def encoder(self) -> FrameEncoder:
        """The speech encoder; what of it is trained is also in ``tuned``."""
        return self._frozen[0]

    @property
    def text_encoder(self) -> SoftTextEncoder:
        """The frozen text encoder."""
        return self._frozen[1]

    @property
    def top(self) -> int:
        """How many of the speech encoder's last layers are trained."""
        return len(self.tuned)

    def unfreeze(self, top: int, lora_rank: int = 0) -> None:
        """Have the last ``top`` layers trained: they themselves, or weights of low rank that are added to theirs.

        Raises:
            ConfigurationError: there are not so many.
            MissingDependencyError: low rank needs the package peft.
        """
        layers = self.encoder.layers
        if top > len(layers):
            raise ConfigurationError(f"The speech encoder has {len(layers)} layers, fewer than {top} to unfreeze.")
        self.tuned = nn.ModuleList(layers[len(layers) - top :])
        for layer in self.tuned:
            if not lora_rank:
                layer.requires_grad_(True)
            elif not any(LORA_MARK in f".{name}" for name, _ in layer.named_parameters()):
                add_low_rank(layer, lora_rank)

    def forward(self, rows: Sequence[Tensor]) -> Heard:
        """Return what sounds become; ``rows``: of each the states before the trained layers."""
        states, counts = padded_states(list(rows))
        states = self.encoder.above(states, counts, self.top)
        embeddings = self.adapter(states, counts)
        vectors = self.text_encoder.pool(embeddings)
        return Heard(F.normalize(vectors.float()[:, : self.dim], dim=-1), embeddings)

    def tuned_state(self) -> dict[str, Tensor]:
        """Return the weights of the trained layers under the names that they had untrained, low rank added up."""
        parts: dict[str, Any] = dict(self.tuned.named_modules())
        deltas = {
            name: part.get_delta_weight("default") for name, part in parts.items() if hasattr(part, "get_delta_weight")
        }
        found: dict[str, Tensor] = {}
        for name, tensor in self.tuned.state_dict().items():
            if LORA_MARK in name:
                continue
            owner, _, kind = name.replace(BASE_MARK, "").rpartition(".")
            found[f"{owner}.{kind}"] = tensor + deltas[owner] if kind == "weight" and owner in deltas else tensor
        return found


def add_low_rank(layer: nn.Module, rank: int) -> None:
    """Give a layer's attention weights of low rank, which alone are trained; at first they change nothing.

    Raises:
        MissingDependencyError: peft is not installed.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise MissingDependencyError(
            "Weights of low rank need the package peft.", "Run: python -m pip install -r requirements-train.txt"
        ) from error
    named = {name.rpartition(".")[2] for name, _ in layer.named_modules()}
    targets = [name for name in LORA_LAYERS if name in named]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rank)
        inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=targets), layer)
