"""Batches for the adapter: what the encoder hears, and where in it each word piece ends."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from speechsearch.text.lexicon import Lexicon, dictionary
from speechsearch.text.spoken import spoken_words
from speechsearch.training import texts
from speechsearch.training.spikes import SpikeBank

SHAPES = ((32, 160), (10, 512))
"""Rows and spikes of a batch: sentences, and passages of about 45 s."""
RANDOM_WORD_SHARE = 0.12
REAL_SHARE = 0.15
TEXT_WEIGHTS: dict[Callable[[Path], Iterator[str]], float] = {
    texts.novels: 0.42,
    texts.encyclopedia: 0.2,
    texts.read_sentences: 0.15,
    texts.fairytales: 0.11,
    texts.dialogues: 0.12,
}


@dataclass(frozen=True, slots=True)
class WordForm:
    """A word's symbols and, where a piece ends, the piece's place in the adapter's vocabulary, else -1."""

    symbols: NDArray[np.int64]
    pieces: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class AdapterBatch:
    """``posteriors`` (batch, spikes, 40), ``counts`` (batch,), ``pieces`` (batch, spikes) with -1 where none ends."""

    posteriors: Tensor
    counts: Tensor
    pieces: Tensor
    texts: list[str]


def is_speakable(piece: str) -> bool:
    """Say whether a word piece can be an outcome of the adapter: letters a to z only.

    >>> is_speakable("##ing"), is_speakable("1990"), is_speakable("[MASK]")
    (True, False, False)
    """
    letters = piece.removeprefix("##")
    return letters.isascii() and letters.isalpha() and letters.islower()


def speakable_pieces(tokenizer: Tokenizer) -> Tensor:
    """Return the ids of the word pieces that can be spoken, ascending, (pieces,) int64."""
    return torch.tensor(sorted(number for piece, number in tokenizer.get_vocab().items() if is_speakable(piece)))


class WordForms:
    """Looks up, and keeps, how words sound and which pieces they are written with."""

    def __init__(self, lexicon: Lexicon, tokenizer: Tokenizer, vocabulary: Tensor) -> None:
        self.lexicon, self.tokenizer = lexicon, tokenizer
        self.place_of = {int(number): place for place, number in enumerate(vocabulary)}
        self.kept: dict[str, WordForm] = {}

    def __call__(self, word: str) -> WordForm:
        """Return a word's form: piece j of k ends at symbol (j + 1) n / k - 1 of n."""
        form = self.kept.get(word)
        if form is None:
            symbols = np.array(self.lexicon.pronounce(word), np.int64)
            ids = self.tokenizer.encode(word, add_special_tokens=False).ids
            places = [self.place_of[number] for number in ids if number in self.place_of]
            pieces = np.full(len(symbols), -1, np.int64)
            for index, place in enumerate(places[: len(symbols)]):
                pieces[(index + 1) * len(symbols) // min(len(places), len(symbols)) - 1] = place
            form = self.kept[word] = WordForm(symbols, pieces)
        return form


def carry_over(pieces: NDArray[np.int64], places: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the pieces at what was heard: (heard,) int64, -1 for none.

    ``pieces`` at the said symbols, ``places`` the said symbol each heard one stands for (-1 for an insertion). The
    piece of a symbol that was not heard moves to the heard one before it if no other ends there.

    >>> carry_over(np.array([-1, 7, -1, 8]), np.array([0, 1, -1, 2])).tolist()
    [-1, 7, -1, 8]
    """
    heard = np.where(places >= 0, pieces[places], -1)
    ends = np.flatnonzero(pieces >= 0)
    for end in ends[~np.isin(ends, places)]:
        before = np.flatnonzero((places >= 0) & (places < end))
        if len(before) and heard[before[-1]] < 0 and end - places[before[-1]] <= 3:
            heard[before[-1]] = pieces[end]
    return heard


class AdapterBatches:
    """Draws running text, has the bank mishear it; some batches are of really heard speech."""

    def __init__(self, data: Path, bank: SpikeBank, forms: WordForms, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.bank, self.forms = bank, forms
        self.sources = [list(source(data)) for source in TEXT_WEIGHTS]
        self.weights = np.array(list(TEXT_WEIGHTS.values())) / sum(TEXT_WEIGHTS.values())
        self.lexicon_words = sorted(dictionary())

    def words(self) -> Iterator[str]:
        """Yield the words of running text without end, some replaced by random ones of the dictionary."""
        while True:
            source = self.sources[self.rng.choice(len(self.weights), p=self.weights)]
            start = int(self.rng.integers(len(source)))
            for text in source[start : start + 6]:
                for word in spoken_words(text):
                    is_random = self.rng.random() < RANDOM_WORD_SHARE
                    yield self.lexicon_words[self.rng.integers(len(self.lexicon_words))] if is_random else word

    def corrupted_row(self, words: Iterator[str], spikes: int) -> tuple[NDArray[np.float32], NDArray[np.int64], str]:
        """Return (posteriors, pieces, text) of about as many spikes as fit."""
        chosen: list[str] = []
        size = 0
        wanted = int(spikes * self.rng.uniform(0.75, 0.92))
        while size < wanted:
            chosen.append(next(words))
            size += len(self.forms(chosen[-1]).symbols)
        symbols = np.concatenate([self.forms(word).symbols for word in chosen])
        pieces = np.concatenate([self.forms(word).pieces for word in chosen])
        posteriors, places = self.bank.hear(symbols, self.rng)
        return posteriors[:spikes], carry_over(pieces, places)[:spikes], " ".join(chosen)

    def real_row(self, spikes: int) -> tuple[NDArray[np.float32], NDArray[np.int64], str]:
        """Return (posteriors, pieces, text) of consecutive draws of the bank, as many as fit."""
        parts: list[tuple[NDArray[np.float32], NDArray[np.int64], str]] = []
        size = 0
        while True:
            index = int(self.rng.integers(len(self.bank.texts)))
            posteriors, said, places = self.bank.utterance(index)
            words = spoken_words(self.bank.texts[index])
            forms = [self.forms(word) for word in words]
            if not forms or len(said) != sum(len(form.symbols) for form in forms):
                continue  # the label came from other rules than the lexicon's
            if size + len(posteriors) > spikes:
                break
            pieces = carry_over(np.concatenate([form.pieces for form in forms]), places)
            parts.append((posteriors.astype(np.float32), pieces, " ".join(words)))
            size += len(posteriors)
        if not parts:
            return self.real_row(spikes)
        heard, pieces_, said_texts = zip(*parts, strict=True)
        return np.concatenate(heard), np.concatenate(pieces_), " ".join(said_texts)

    def __iter__(self) -> Iterator[AdapterBatch]:
        words = self.words()
        for rows, spikes in itertools.cycle(SHAPES):
            is_real = self.rng.random() < REAL_SHARE
            posteriors, pieces = torch.zeros(rows, spikes, 40), torch.full((rows, spikes), -1)
            counts, written = torch.zeros(rows, dtype=torch.long), []
            for row in range(rows):
                heard, ends, text = self.real_row(spikes) if is_real else self.corrupted_row(words, spikes)
                posteriors[row, : len(heard)] = torch.from_numpy(heard)
                pieces[row, : len(heard)] = torch.from_numpy(ends)
                counts[row] = len(heard)
                written.append(text)
            yield AdapterBatch(posteriors, counts, pieces, written)
