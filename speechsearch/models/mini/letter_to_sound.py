"""Pronounces words that the dictionary lacks: a small network from letters to phonemes.

Source: the idea of Yolchuyeva et al., 2019 (transformer grapheme-to-phoneme); here trained with CTC, three output
places a letter, so that one pass gives the pronunciation. Searches run it without PyTorch (``speller``).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from speechsearch.models.mini.layers import FeedForward, Norm, SelfAttention, rotary_tables
from speechsearch.models.mini.speller import HEADS, LETTERS, PLACES, letter_ids, likeliest
from speechsearch.text.lexicon import PHONEMES, Pronunciation


class LetterToSound(nn.Module):
    """Letters -> phonemes with CTC over three places a letter."""

    def __init__(self, width: int = 128, layers: int = 4, heads: int = HEADS) -> None:
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


def pronounce(network: LetterToSound, word: str, count: int = 4) -> list[Pronunciation]:
    """Return the ``count`` likeliest ways to say a lower-case word, the likeliest first."""
    if not word:
        return []
    device = network.head.weight.device
    with torch.inference_mode():
        letters = torch.tensor([letter_ids(word)], device=device)
        log_probs = network(letters, torch.tensor([len(word)], device=device))[0]
    return likeliest(log_probs.tolist(), count)
