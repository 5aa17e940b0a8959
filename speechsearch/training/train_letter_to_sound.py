"""Recipe: train the letter-to-sound network on CMUdict.

``python -m speechsearch.training.train_letter_to_sound --out runs/letter_to_sound`` (``--tiny``: a minute). One word in
fifty is held out and reported.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import typer

from speechsearch.models.mini.letter_to_sound import LetterToSound, pronounce
from speechsearch.models.mini.speller import PLACES, letter_ids
from speechsearch.text.lexicon import Pronunciation, dictionary
from speechsearch.training.steps import Steps
from speechsearch.training.train_encoder import edit_distance


def report(network: LetterToSound, pairs: list[tuple[str, Pronunciation]]) -> tuple[float, float]:
    """Return (phoneme error rate, word error rate) in %."""
    wrong = words = total = 0
    for word, symbols in pairs:
        distance = edit_distance(list(pronounce(network, word, 1)[0]), list(symbols))
        wrong, words, total = wrong + distance, words + (distance > 0), total + len(symbols)
    return 100 * wrong / total, 100 * words / len(pairs)


def main(out: Path, steps: int = 3000, batch: int = 128, rate: float = 2e-3, seed: int = 1, tiny: bool = False) -> None:
    """Train; resumes from OUT/state.safetensors when it is there."""
    torch.manual_seed(seed)
    torch.set_flush_denormal(True)
    steps = 40 if tiny else steps
    pairs = [(word, ways[0]) for word, ways in sorted(dictionary().items()) if len(ways[0]) <= PLACES * len(word)]
    held_out, learnt = pairs[::50], [pair for index, pair in enumerate(pairs) if index % 50]
    network = LetterToSound()
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.01)
    training = Steps(
        steps,
        {"letter_to_sound": network},
        optimiser,
        out,
        lambda step: min((step + 1) / 200, 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps))),
        tell_every=0,
        save_every=500,
    )
    rng = np.random.default_rng(seed + training.first)
    for step in training:
        chosen = [learnt[index] for index in rng.integers(len(learnt), size=batch)]
        letters = torch.nn.utils.rnn.pad_sequence([torch.tensor(letter_ids(word)) for word, _ in chosen], True)
        counts = torch.tensor([len(word) for word, _ in chosen])
        targets = torch.tensor([symbol for _, symbols in chosen for symbol in symbols])
        sizes = torch.tensor([len(symbols) for _, symbols in chosen])
        log_probs = network(letters, counts)
        loss = F.ctc_loss(log_probs.transpose(0, 1), targets, counts * PLACES, sizes, zero_infinity=True)
        if training.take(loss):
            phonemes, words = report(network, held_out[:500] if step + 1 < steps else held_out)
            print(
                f"step {step + 1} loss {training.means()['loss']:.3f} held-out phoneme errors {phonemes:.1f} %, "
                f"word errors {words:.1f} %, {training.spent_s:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    typer.run(main)
