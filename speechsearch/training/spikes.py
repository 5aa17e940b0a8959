"""Recipe: what the encoder makes of known speech: spikes aligned with the phonemes that were said.

``python -m speechsearch.training.spikes CORPUS ENCODER OUT`` writes OUT.safetensors and OUT.jsonl (the texts). The
adapter is trained on these and on texts corrupted as they are (``SpikeBank``).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from speechsearch.models.mini.adapter import spikes
from speechsearch.models.mini.frontend import LogMel
from speechsearch.training.corpus import Shard
from speechsearch.training.train_encoder import SAMPLE_RATE_HZ, Batches
from speechsearch.training.whisper_start import trained_encoder

LEVELS = (0.03, 0.09, 0.2, 0.4)
"""Utterances are grouped by phoneme error rate up to these; worse ones (misread prompts) are left out."""
LEVEL_WEIGHTS = (0.35, 0.35, 0.2, 0.1)


def align(said: list[int], heard: list[int]) -> NDArray[np.int32]:
    """Return for every heard symbol the place of the said one it stands for, or -1 for an insertion: (heard,) int32.

    >>> align([5, 6, 7], [5, 9, 6, 7]).tolist()
    [0, -1, 1, 2]
    """
    rows, target = np.zeros((len(said) + 1, len(heard) + 1), np.int32), np.array(heard)
    ramp = np.arange(len(heard) + 1)
    rows[0] = ramp
    for index, symbol in enumerate(said, 1):
        previous = rows[index - 1]
        best = np.concatenate([[index], np.minimum(previous[1:] + 1, previous[:-1] + (target != symbol))])
        rows[index] = np.minimum.accumulate(best - ramp) + ramp
    places = np.full(len(heard), -1, np.int32)
    i, j = len(said), len(heard)
    while i and j:
        if rows[i, j] == rows[i - 1, j - 1] + (said[i - 1] != heard[j - 1]):
            i, j = i - 1, j - 1
            places[j] = i
        elif rows[i, j] == rows[i - 1, j] + 1:
            i -= 1
        else:
            j -= 1
    return places


class SpikeBank:
    """Draws what the encoder would make of a phoneme: posteriors it gave for it, deletions and insertions."""

    def __init__(self, path: Path) -> None:
        tensors = load_file(path)
        self.posteriors = tensors["posteriors"]
        self.places, self.said = tensors["places"], tensors["said"]
        self.bounds, self.said_bounds = tensors["bounds"], tensors["said_bounds"]
        with open(path.with_suffix(".jsonl"), encoding="utf-8") as lines:
            self.texts: list[str] = [json.loads(line) for line in lines]
        self.levels = [self._level(lower, upper) for lower, upper in zip((0.0, *LEVELS[:-1]), LEVELS, strict=True)]

    def error_rate(self, index: int) -> float:
        """Return the phoneme error rate of one utterance."""
        heard, said, places = self.utterance(index)
        matched = places >= 0
        wrong = (heard[matched].argmax(1) != said[places[matched]]).sum()
        return float(wrong + (~matched).sum() + len(said) - matched.sum()) / len(said)

    def utterance(self, index: int) -> tuple[NDArray[np.float16], NDArray[np.uint8], NDArray[np.int32]]:
        """Return (posteriors, said, places) of one utterance."""
        heard = slice(self.bounds[index], self.bounds[index + 1])
        said = slice(self.said_bounds[index], self.said_bounds[index + 1])
        return self.posteriors[heard], self.said[said], self.places[heard]

    def _level(
        self, lower: float, upper: float
    ) -> tuple[list[NDArray[np.int64]], NDArray[np.float64], float, NDArray[np.int64]]:
        """Return (places in the bank of each symbol, deletion rate of each, insertion rate, inserted places)."""
        by_symbol: list[list[NDArray[np.int64]]] = [[] for _ in range(40)]
        inserted: list[NDArray[np.int64]] = []
        said_counts, heard_counts = np.zeros(40), np.zeros(40)
        for index in range(len(self.texts)):
            if not lower <= self.error_rate(index) < upper:
                continue
            _, said, places = self.utterance(index)
            where = np.arange(self.bounds[index], self.bounds[index + 1])
            symbols = said[places[places >= 0]]
            for symbol in np.unique(symbols):
                by_symbol[symbol].append(where[places >= 0][symbols == symbol])
            inserted.append(where[places < 0])
            said_counts += np.bincount(said, minlength=40)
            heard_counts += np.bincount(symbols, minlength=40)
        joined = [np.concatenate(parts) if parts else np.zeros(0, np.int64) for parts in by_symbol]
        extra = np.concatenate(inserted) if inserted else np.zeros(0, np.int64)
        deletion = 1 - heard_counts / np.maximum(1, said_counts)
        return joined, deletion, len(extra) / max(1.0, said_counts.sum()), extra

    def hear(
        self, symbols: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return (posteriors, places): what the encoder could make of these symbols at a random level of quality.

        ``posteriors`` (heard, 40) float32; ``places`` (heard,) int64, the place in ``symbols`` or -1.
        """
        choices, deletion, insertion, extra = self.levels[rng.choice(len(LEVELS), p=LEVEL_WEIGHTS)]
        drawn = np.full(len(symbols), -1)
        for symbol in np.unique(symbols):
            found, here = choices[symbol], np.flatnonzero(symbols == symbol)
            if len(found):
                drawn[here] = found[rng.integers(len(found), size=len(here))]
        drawn[rng.random(len(symbols)) < deletion[symbols]] = -1
        kept = np.flatnonzero(drawn >= 0)
        bank, places = drawn[kept], kept
        if len(extra):
            at = np.flatnonzero(rng.random(len(kept)) < insertion)
            bank = np.insert(bank, at, extra[rng.integers(len(extra), size=len(at))])
            places = np.insert(places, at, -1)
        return self.posteriors[bank].astype(np.float32), places


@torch.inference_mode()
def main(
    corpus: Path, encoder: Path, out: Path, hours: float = 12.0, seed: int = 7, noises: Path | None = None
) -> None:
    """Hear about HOURS of augmented training speech with the encoder's state and write the aligned spikes."""
    torch.set_flush_denormal(True)
    model, step = trained_encoder(encoder)
    model.eval()
    shards = [Shard(path) for path in sorted((corpus / "train").glob("*.pcm"))]
    source = Batches(shards, noises, seed)
    log_mel = LogMel()
    parts: dict[str, list[NDArray[np.generic]]] = {"posteriors": [], "places": [], "said": []}
    texts: list[str] = []
    heard_s = 0.0
    for samples, lengths, symbols, spoken in source.with_texts():
        log_probs, counts = model(*log_mel(samples, lengths))
        for row, count, said, text in zip(log_probs, counts.tolist(), symbols, spoken, strict=True):
            posteriors, _ = spikes(row[:count])
            if len(posteriors) == 0:
                continue
            parts["posteriors"].append(posteriors.numpy().astype(np.float16))
            parts["places"].append(align(said, posteriors.argmax(-1).tolist()))
            parts["said"].append(np.array(said, np.uint8))
            texts.append(text)
        heard_s += float(lengths.sum()) / SAMPLE_RATE_HZ
        if heard_s > hours * 3600:
            break
    tensors = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    tensors["bounds"] = np.cumsum([0, *map(len, parts["posteriors"])]).astype(np.int64)
    tensors["said_bounds"] = np.cumsum([0, *map(len, parts["said"])]).astype(np.int64)
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, out.with_suffix(".safetensors"))
    out.with_suffix(".jsonl").write_text("".join(json.dumps(text) + "\n" for text in texts), encoding="utf-8")
    bank = SpikeBank(out.with_suffix(".safetensors"))
    rates = [bank.error_rate(index) for index in range(len(texts))]
    print(
        f"encoder step {step}: {len(texts)} utterances, {len(tensors['places'])} spikes, median PER "
        f"{100 * np.median(rates):.1f} %, shares by level {np.histogram(rates, (0, *LEVELS, 9))[0].tolist()}"
    )


if __name__ == "__main__":
    typer.run(main)
