"""The sound embedder of our own: the codes of an audio tokenizer become one unit vector of what the sound is like.

Source: van den Oord et al., 2018, InfoNCE (arXiv 1807.03748) and Chen et al., 2020, SimCLR (arXiv 2002.05709), for
the way it is trained; Okabe et al., 2018 (arXiv 1803.10963), for pooling by attention into mean and spread.
Differs: it hears codes and no spectra, so that what was tokenised once is embedded fast; two convolutions make four
frames one; places in time are not told to the attention, only to the convolutions, so that a cut is like the whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.values import Audio, FloatMatrix
from speechsearch.models.base import AudioTokenizer, AudioTokens
from speechsearch.models.device import Device
from speechsearch.models.load import Located
from speechsearch.models.mini.packed import packed, unpacked
from speechsearch.models.similar_cards import CONFIG, WEIGHTS

STEP_FRAMES = 4
"""So many frames become one; sounds are filled up to whole steps."""
UNKNOWN = -1
"""Stands for a code that is not there."""
LEAST_COVERED = 0.5
"""A last window with fewer frames than this part of a whole one is left out."""
WINDOWS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the network is; ``frames``: of the windows that it is trained on."""

    quantizers: int = 8
    codebook_size: int = 256
    frames: int = 128
    embedding: int = 128
    width: int = 192
    layers: int = 2
    heads: int = 4
    dim: int = 256


class Block(nn.Module):
    """A layer of a Transformer, normed before each part."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.norm_after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries_keys_values, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, states: Tensor) -> Tensor:
        """Return (n, steps, width) for the same."""
        n, steps, width = states.shape
        parts = self.queries_keys_values(self.norm(states)).reshape(n, steps, 3, self.heads, width // self.heads)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(queries, keys, values).transpose(1, 2).reshape(n, steps, width)
        states = states + self.out(attended)
        after: Tensor = states + self.narrow(F.gelu(self.wide(self.norm_after(states))))
        return after


class SimilarNetwork(nn.Module):
    """Codes -> a unit vector."""

    first_rows: Tensor

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        rows, width = sizes.quantizers * sizes.codebook_size, sizes.width
        self.codes = nn.Embedding(rows + 1, sizes.embedding, padding_idx=rows)
        self.register_buffer("first_rows", torch.arange(sizes.quantizers)[:, None] * sizes.codebook_size, False)
        self.first = nn.Conv1d(sizes.embedding, width, 4, 2, 1)
        self.second = nn.Conv1d(width, width, 4, 2, 1)
        self.blocks = nn.Sequential(*(Block(width, sizes.heads) for _ in range(sizes.layers)))
        self.norm = nn.LayerNorm(width)
        self.attention = nn.Sequential(nn.Linear(width, 64), nn.Tanh(), nn.Linear(64, width))
        self.project = nn.Linear(2 * width, sizes.dim)

    def forward(self, codes: Tensor) -> Tensor:
        """Return (n, dim) float32 of unit length.

        ``codes``: (n, quantizers, frames) int64, UNKNOWN where there is none; frames in whole steps of STEP_FRAMES.
        """
        rows = torch.where(codes < 0, self.codes.num_embeddings - 1, codes + self.first_rows)
        states = self.codes(rows).sum(1).transpose(1, 2)
        states = self.second(F.gelu(self.first(states))).transpose(1, 2)
        states = self.norm(self.blocks(states)).float()
        weights = self.attention(states).float().softmax(1)
        mean = (weights * states).sum(1)
        spread = (weights * (states - mean[:, None]).square()).sum(1).clamp(min=1e-6).sqrt()
        return F.normalize(self.project(torch.cat([mean, spread], 1)).float(), dim=1)


class SimilarEmbedder:
    """Turns sounds into unit vectors, by way of codes."""

    def __init__(
        self, fingerprint: str, window_s: float, tokenizer: AudioTokenizer, network: SimilarNetwork, device: Device
    ) -> None:
        self.dim, self.fingerprint, self.window_s = network.sizes.dim, fingerprint, window_s
        self.tokenizer, self.device = tokenizer, device
        self.network = network.train(False).requires_grad_(False).to(device.torch_device)

    def embed(self, sounds: Sequence[Audio]) -> FloatMatrix:
        """Return one unit vector a sound, (sounds, dim) float32."""
        return self.embed_tokens([self.tokenizer.tokenize([sound])[0] for sound in sounds])

    @torch.inference_mode()
    def embed_tokens(self, given: Sequence[AudioTokens]) -> FloatMatrix:
        """Return the unit vectors of sounds of which there are the codes already, (sounds, dim) float32."""
        sums = np.zeros((len(given), self.dim), np.float32)
        by_length: dict[int, list[tuple[int, Tensor]]] = {}
        for place, tokens in enumerate(given):
            for window in windows(torch.from_numpy(tokens.codes), self.network.sizes.frames):
                by_length.setdefault(window.shape[1], []).append((place, window))
        for frames, alike in by_length.items():
            for begin in range(0, len(alike), WINDOWS_AT_ONCE):
                some = alike[begin : begin + WINDOWS_AT_ONCE]
                vectors = self._vectors(torch.stack([window for _, window in some]))
                np.add.at(sums, [place for place, _ in some], vectors * np.float32(frames))
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        found: FloatMatrix = sums / np.maximum(lengths, np.float32(1e-12))
        return found

    def _vectors(self, codes: Tensor) -> FloatMatrix:
        device = self.device
        with torch.autocast(device.name, device.torch_dtype, enabled=device.dtype != "float32"):
            vectors: FloatMatrix = self.network(codes.long().to(device.torch_device)).float().cpu().numpy()
        return vectors


def windows(codes: Tensor, frames: int) -> list[Tensor]:
    """Return codes (quantizers, any) cut into windows of so many frames, each filled up to whole steps.

    A last one that is short is left out, unless it is the only one.

    >>> [tuple(one.shape) for one in windows(torch.zeros(8, 130), 64)], windows(torch.ones(1, 3), 64)[0].tolist()
    ([(8, 64), (8, 64)], [[1.0, 1.0, 1.0, -1.0]])
    """
    found = [part for part in torch.split(codes, frames, 1) if part.shape[1] >= frames * LEAST_COVERED]
    return [filled(part) for part in found or [codes]]


def filled(codes: Tensor) -> Tensor:
    """Return codes with unknown ones after them up to a whole step, at least one."""
    missing = -codes.shape[1] % STEP_FRAMES
    return F.pad(codes, (0, missing), value=UNKNOWN) if missing else codes


def load(located: Located) -> SimilarEmbedder:
    """Return the embedder of a folder's files, behind the tokenizer that its card needs.

    Raises:
        ModelUnavailableError: they do not fit this version of the program, or the tokenizer is another.
    """
    (tokenizer,) = located.needed.values()
    try:
        config = json.loads(located.files[CONFIG].read_text(encoding="utf-8"))
        if tokenizer.fingerprint != config["tokenizer"]["fingerprint"]:
            raise ValueError(f"it was trained for the tokenizer {config['tokenizer']['fingerprint']}")
        network = read_network(located.files[WEIGHTS], config)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelUnavailableError(
            f"The sound embedder '{located.card.name}' cannot be loaded: {error}.",
            "Train it again with `python -m speechsearch.training.train_similar`.",
        ) from error
    return SimilarEmbedder(located.card.fingerprint, located.card.window_s, tokenizer, network, located.device)


def read_network(weights: Path, config: Mapping[str, Any]) -> SimilarNetwork:
    """Return the network of a file of weights. Raises what reading it and a wrong ``config.json`` may raise."""
    network = SimilarNetwork(Sizes(**config["sizes"]))
    network.load_state_dict(unpacked(load_file(weights)))
    return network


def write_network(folder: Path, network: SimilarNetwork, tokenizer: tuple[str, str], window_s: float) -> None:
    """Write weights and ``config.json`` into a folder; ``tokenizer``: name and fingerprint of the one it is for."""
    folder.mkdir(parents=True, exist_ok=True)
    name, fingerprint = tokenizer
    config = {
        "sizes": asdict(network.sizes),
        "tokenizer": {"name": name, "fingerprint": fingerprint},
        "window_s": window_s,
    }
    save_file(packed(network.state_dict()), folder / WEIGHTS)
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
