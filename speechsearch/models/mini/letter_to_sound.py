"""Pronounces words that the dictionary lacks: a small network from letters to phonemes.

Source: the idea of Yolchuyeva et al., 2019 (transformer grapheme-to-phoneme); here trained with CTC, three output
places a letter, so that one pass gives the pronunciation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from speechsearch.models.mini.layers import FeedForward, Norm, SelfAttention, rotary_tables
from speechsearch.text.lexicon import PHONEMES, Pronunciation

LETTERS = "abcdefghijklmnopqrstuvwxyz'"
PLACES = 3


class LetterToSound(nn.Module):
    """Letters -> phonemes with CTC over three places a letter."""

    def __init__(self, width: int = 128, layers: int = 4, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.embed = nn.Embedding(len(LETTERS) + 1, width)
        self.mix = nn.Conv1d(width, width, 5, padding=2)
        self.attentions = nn.ModuleList(SelfAttention(width, heads) for _ in range(layers))
        self.feed_forwards = nn.ModuleList(FeedForward(width, 4) for _ in range(layers))
        self.norm = Norm(width)
        self.head = nn.Linear(width, PLACES * (len(PHONEMES) + 1))

    def forward(self, letters: Tensor, counts: Tensor) -> Tensor:
        """Return log-probabilities (batch, PLACES * letters, symbols) float32.

        ``letters``: (batch, letters) int64, 1-based, zero-padded; ``counts``: (batch,) int64 letters of each row.
        """
        inside = (torch.arange(letters.shape[1], device=letters.device)[None] < counts[:, None])[:, None, None, :]
        x = self.embed(letters)
        x = x + torch.nn.functional.silu(self.mix(x.transpose(1, 2)).transpose(1, 2))
        cosine, sine = rotary_tables(letters.shape[1], x.shape[-1] // self.heads, letters.device)
        for attention, feed_forward in zip(self.attentions, self.feed_forwards, strict=True):
            x = x + attention(x, inside, cosine, sine)
            x = x + feed_forward(x)
        logits: Tensor = self.head(self.norm(x)).view(len(letters), letters.shape[1] * PLACES, -1)
        return logits.float().log_softmax(-1)


def letter_ids(word: str) -> list[int]:
    """Return a word's letters as numbers from 1.

    >>> letter_ids("ab'")
    [1, 2, 27]
    """
    return [LETTERS.index(letter) + 1 for letter in word]


def pronounce(network: LetterToSound, word: str, count: int = 4) -> list[Pronunciation]:
    """Return the ``count`` likeliest ways to say a lower-case word, the likeliest first."""
    if not word:
        return []
    device = network.head.weight.device
    with torch.inference_mode():
        letters = torch.tensor([letter_ids(word)], device=device)
        log_probs = network(letters, torch.tensor([len(word)], device=device))[0]
    return likeliest(log_probs.tolist(), count)


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
