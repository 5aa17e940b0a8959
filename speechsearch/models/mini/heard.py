"""What the shipped model makes of a passage, and the last passages that it heard."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from speechsearch.domain.values import Audio, PhonemeTrack, SpokenWord

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What the model makes of a passage; everything lies in the CPU's memory.

    Of the speech encoder ``track``, the phonemes frame by frame, ``posteriors`` (spikes, 40) float32 and ``starts_s``
    (spikes,); of the adapter the soft tokens ``tokens`` (tokens, dim) float32, the word pieces that each may be,
    likeliest first, ``pieces`` (tokens, 50) int64, with their ``chances`` (tokens, 50) float32, and the spike ``ends``
    (tokens,) int64 at which each ends.
    """

    track: PhonemeTrack
    posteriors: Tensor
    starts_s: NDArray[np.float32]
    tokens: Tensor
    chances: Tensor
    pieces: Tensor
    ends: Tensor


def word_spans(heard: Heard, tokenizer: Tokenizer) -> list[tuple[str, int, int]]:
    """Return (text, first spike, last spike) of the likeliest words: the pieces of one are joined."""
    found: list[tuple[str, int, int]] = []
    first = 0
    for number, end in zip(heard.pieces[:, 0].tolist(), heard.ends.tolist(), strict=True):
        piece = tokenizer.id_to_token(number) or ""
        if piece.startswith("##") and found:
            text, start, _ = found.pop()
            found.append((text + piece[2:], start, end))
        else:
            found.append((piece.removeprefix("##"), first, end))
        first = end + 1
    return found


def heard_words(heard: Heard, tokenizer: Tokenizer) -> list[SpokenWord]:
    """Return the likeliest words of a passage, each with the phonemes that were heard where it is."""
    symbols = heard.posteriors.argmax(-1).tolist()
    return [SpokenWord(text, (tuple(symbols[first : last + 1]),)) for text, first, last in word_spans(heard, tokenizer)]


def digest(sound: Audio) -> bytes:
    """Return 16 bytes that are the same for the same samples, whoever holds them."""
    return hashlib.blake2b(np.ascontiguousarray(sound.samples).data, digest_size=16).digest()


class Recent:
    """Keeps what was heard last, by the content of the sound: a spoken question is asked in several channels."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[bytes, Heard] = OrderedDict()
        self._lock = threading.Lock()

    def known(self, keys: Iterable[bytes]) -> dict[bytes, Heard]:
        """Return what is kept of some sounds."""
        with self._lock:
            return {key: self._kept[key] for key in keys if key in self._kept}

    def keep(self, heard: Mapping[bytes, Heard]) -> None:
        """Keep these, and of older ones as many as fit."""
        with self._lock:
            for key, one in heard.items():
                self._kept[key] = one
                self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
