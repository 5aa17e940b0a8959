"""The sizes of a training of a generative model, and what gives passages their codes by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models.generative.document_codes import DocumentRQVAE
from speechsearch.models.generative.listener import Listener
from speechsearch.models.generative.unity import Bridge, Hears, UnityConfig
from speechsearch.models.residual_quantizer import ResidualVectorQuantizer
from speechsearch.training.generative_codes import (
    CodeReport,
    CodesFrom,
    report_of,
    semantic_units,
    sound_codes,
    sound_vectors,
    units_of,
    vector_codes,
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """All sizes of a training; ``crops`` of ``crop_s`` seconds are heard of every passage."""

    hears: Hears = "pieces"
    crops: int = 4
    crop_s: float = 3.0
    codes_from: CodesFrom = "vectors"
    bridge: Bridge = "fused"
    levels: int = 4
    codebook_size: int = 64
    code_steps: int = 300
    units: int = 128
    most_units: int = 32
    stride: int = 4
    width: int = 192
    semantic_layers: int = 1
    retrieval_layers: int = 2
    dropout: float = 0.1
    pretrain_steps: int = 600
    finetune_steps: int = 900
    size: int = 32
    rate: float = 1e-3
    warmup: int = 50
    code_weight: float = 2.0
    seed: int = 1
    save_every: int = 200

    def tiny(self) -> Recipe:
        """Return the same recipe at a size that ends in seconds and learns nothing."""
        return replace(
            self, levels=2, codebook_size=8, code_steps=10, units=8, most_units=6, width=32, retrieval_layers=1,
            pretrain_steps=6, finetune_steps=6, size=4, warmup=2, save_every=4,
        )  # fmt: skip

    def of_steps(self, steps: int) -> Recipe:
        """Return the same recipe over so many steps, two fifths of them before questions are learnt."""
        return replace(self, pretrain_steps=steps * 2 // 5, finetune_steps=steps - steps * 2 // 5)

    def usual_steps(self, passages: int) -> int:
        """Return how many steps so many passages take: each of them some 160 times.

        >>> Recipe().usual_steps(300), Recipe().usual_steps(10)
        (1500, 600)
        """
        return max(600, passages * 5 * 32 // self.size)

    def network(self, listener: Listener) -> UnityConfig:
        """Return the sizes of the network; addresses have one level more than is coded."""
        return UnityConfig(
            self.hears,
            listener.sound_dim,
            listener.text_dim,
            (self.codebook_size,) * (self.levels + 1),
            self.units,
            self.most_units,
            self.bridge,
            self.stride,
            self.width,
            semantic_layers=self.semantic_layers,
            retrieval_layers=self.retrieval_layers,
            dropout=self.dropout,
        )


class Coder:
    """Gives passages their codes; it is kept, so that passages that come later are coded by it too."""

    def __init__(self, recipe: Recipe, sound_dim: int, vector_dim: int) -> None:
        """``sound_dim``: of the states; ``vector_dim``: of the adapter's vectors."""
        self.recipe = recipe
        self.network: DocumentRQVAE | None = None
        if recipe.codes_from == "sound":
            self.network = DocumentRQVAE(sound_dim, recipe.levels, recipe.codebook_size)
            self.quantizer = self.network.quantizer
        else:
            self.quantizer = ResidualVectorQuantizer(recipe.levels, recipe.codebook_size, vector_dim)
        self.centres = torch.zeros(recipe.units, sound_dim)

    def fit(self, states: Sequence[Tensor], vectors: Tensor) -> None:
        """Fit codes and semantic units to passages: their states (states, dim) and the adapter's vectors."""
        recipe = self.recipe
        if self.network is not None:
            self.network = sound_codes(states, recipe.levels, recipe.codebook_size, recipe.code_steps, recipe.seed)
            self.quantizer = self.network.quantizer
        else:
            self.quantizer = vector_codes(vectors, recipe.levels, recipe.codebook_size, recipe.seed)
        self.centres = semantic_units(states, recipe.units, recipe.seed)

    def codes_of(self, states: Sequence[Tensor], vectors: Tensor) -> tuple[Tensor, CodeReport]:
        """Return the codes of passages, (passages, levels), and how good they are."""
        coded = sound_vectors(self.network, states) if self.network is not None else vectors
        codes = self.quantizer.codes_of(coded)
        return codes, report_of(codes, self.recipe.codebook_size, coded, self.quantizer.vectors_of(codes))

    def units(self, states: Tensor, is_sound: bool) -> tuple[int, ...]:
        """Return the semantic units of states; typed questions have some only where they are read as sound is."""
        if self.recipe.hears == "frames":
            return units_of(states[:: self.recipe.stride], self.centres, self.recipe.most_units) if is_sound else ()
        return units_of(states, self.centres, self.recipe.most_units)

    def save(self, file: Path) -> None:
        """Write all that is fitted."""
        whole = self.network or self.quantizer
        save_file({"centres": self.centres, **{f"coder.{k}": v for k, v in whole.state_dict().items()}}, file)

    def load(self, file: Path) -> None:
        """Read what ``save`` wrote. Raises ModelUnavailableError: it is of another recipe."""
        try:
            found = load_file(file)
            self.centres = found.pop("centres")
            whole = self.network or self.quantizer
            whole.load_state_dict({name.removeprefix("coder."): one for name, one in found.items()})
            whole.train(False)
        except (OSError, KeyError, RuntimeError) as error:
            raise ModelUnavailableError(f"{file} cannot be used: {error}.", "Train it from the beginning.") from error
