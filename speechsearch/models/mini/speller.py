"""Pronounces words that the dictionary lacks, from the weights of ``letter_to_sound`` and without PyTorch.

A question has such a word now and then, and a search is to load nothing heavy for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from speechsearch.models.mini.packed import unpacked_arrays
from speechsearch.text.lexicon import Pronunciation

LETTERS = "abcdefghijklmnopqrstuvwxyz'"
PLACES = 3
HEADS = 4
PREFIX = "letter_to_sound."
Array = NDArray[np.float32]


def letter_ids(word: str) -> list[int]:
    """Return a word's letters as numbers from 1.

    >>> letter_ids("ab'")
    [1, 2, 27]
    """
    return [LETTERS.index(letter) + 1 for letter in word]


class Speller:
    """The network of ``letter_to_sound.LetterToSound`` for one word at a time."""

    def __init__(self, weights: Mapping[str, Array]) -> None:
        """``weights``: by the names of that network."""
        self._weights = weights
        self._layers = sum(name.endswith("qkv.weight") for name in weights)

    def pronounce(self, word: str, count: int = 4) -> list[Pronunciation]:
        """Return the ``count`` likeliest ways to say a lower-case word, the likeliest first."""
        return likeliest(self.log_probs(word).tolist(), count) if word else []

    def log_probs(self, word: str) -> Array:
        """Return log-probabilities (PLACES * letters, symbols) float32 of a word that is not empty."""
        weights, length = self._weights, len(word)
        x = weights["embed.weight"][letter_ids(word)]
        around = np.pad(x, ((2, 2), (0, 0)))
        mixed = sum(around[step : step + length] @ weights["mix.weight"][:, :, step].T for step in range(5))
        x = x + silu(mixed + weights["mix.bias"])
        for number in range(self._layers):
            x = x + self._attention(x, f"attentions.{number}")
            grown = self._normed(x, f"feed_forwards.{number}") @ weights[f"feed_forwards.{number}.up.weight"].T
            x = x + silu(grown) @ weights[f"feed_forwards.{number}.down.weight"].T
        logits = (self._normed(x, "") @ weights["head.weight"].T + weights["head.bias"]).reshape(length * PLACES, -1)
        logits = logits - logits.max(1, keepdims=True)
        found: Array = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        return found

    def _normed(self, x: Array, layer: str) -> Array:
        weight = self._weights[f"{layer}.norm.weight".removeprefix(".")]
        scaled: Array = x / np.sqrt((x * x).mean(1, keepdims=True) + np.finfo(np.float32).eps) * weight
        return scaled

    def _attention(self, x: Array, layer: str) -> Array:
        length, width = x.shape
        asked = self._normed(x, layer) @ self._weights[f"{layer}.qkv.weight"].T
        q, k, v = asked.reshape(length, 3, HEADS, -1).transpose(1, 2, 0, 3)
        q, k = rotated(q), rotated(k)
        scores = q @ k.transpose(0, 2, 1) / np.float32(math.sqrt(width // HEADS))
        shares = np.exp(scores - scores.max(2, keepdims=True))
        mixed = (shares / shares.sum(2, keepdims=True)) @ v
        added: Array = mixed.transpose(1, 0, 2).reshape(length, width) @ self._weights[f"{layer}.out.weight"].T
        return added


def read_speller(path: Path) -> Speller:
    """Return the network out of the weights of the shipped model.

    Raises:
        OSError, SafetensorError: the file cannot be read.
    """
    with safe_open(path, "numpy") as file:
        names = [name for name in file.keys() if name.startswith(PREFIX)]  # noqa: SIM118 - it is no mapping
        packed: dict[str, NDArray[Any]] = {name.removeprefix(PREFIX): file.get_tensor(name) for name in names}
    return Speller(unpacked_arrays(packed))


def silu(x: Array) -> Array:
    """Return x / (1 + exp(-x)).

    >>> silu(np.array([0.0, 1.0], np.float32)).round(3).tolist()
    [0.0, 0.7310000061988831]
    """
    found: Array = x / (1 + np.exp(-x))
    return found


def rotated(x: Array) -> Array:
    """Return ``x`` (heads, letters, head_dim) turned by its position; as ``layers.rotate`` does it."""
    half = x.shape[2] // 2
    frequencies = 10_000.0 ** (-np.arange(0, x.shape[2], 2, dtype=np.float32) / x.shape[2])
    angles = np.arange(x.shape[1], dtype=np.float32)[:, None] * np.tile(frequencies, 2)
    turned = np.concatenate([-x[..., half:], x[..., :half]], axis=2)
    found: Array = (x * np.cos(angles) + turned * np.sin(angles)).astype(np.float32)
    return found


def likeliest(log_probs: Sequence[Sequence[float]], count: int, beam: int = 8) -> list[Pronunciation]:
    """Return the ``count`` likeliest label sequences of CTC outputs (places, symbols), by prefix beam search.

    Source: Hannun et al., 2014, first-pass large vocabulary recognition (arXiv 1408.2873).

    >>> likeliest([[-1.0, -0.5, -9.0], [-0.1, -9.0, -2.5]], 2)
    [(1,), ()]
    """
    beams: dict[Pronunciation, tuple[float, float]] = {(): (0.0, -math.inf)}  # ending in a blank, in a symbol
    for row in log_probs:
        ranked = sorted(range(len(row)), key=lambda symbol: -row[symbol])[:beam]
        grown: dict[Pronunciation, tuple[float, float]] = {}

        def add(prefix: Pronunciation, blank: float, symbol: float, grown: dict[Any, Any] = grown) -> None:
            before = grown.get(prefix, (-math.inf, -math.inf))
            grown[prefix] = (logaddexp(before[0], blank), logaddexp(before[1], symbol))

        for prefix, (blank, symbol) in beams.items():
            whole = logaddexp(blank, symbol)
            for one in ranked:
                if one == 0:
                    add(prefix, whole + row[0], -math.inf)
                elif prefix and prefix[-1] == one:
                    add(prefix, -math.inf, symbol + row[one])
                    add((*prefix, one), -math.inf, blank + row[one])
                else:
                    add((*prefix, one), -math.inf, whole + row[one])
        beams = dict(sorted(grown.items(), key=lambda item: -logaddexp(*item[1]))[:beam])
    return list(beams)[:count]


def logaddexp(one: float, other: float) -> float:
    """Return log(exp(one) + exp(other)).

    >>> logaddexp(-math.inf, -1.0)
    -1.0
    """
    high, low = max(one, other), min(one, other)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))
