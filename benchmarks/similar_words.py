"""Measure how the same words are found: ``python -m benchmarks.similar_words FOLDER... [--asked 400]``.

Each folder has ``transcripts.tsv`` (id, seconds, text) and ``audio/``. Sentences are read again by synthetic voices
that the encoder was not trained on, and looked for among the human ones by the speech adapter's vectors. Prints
recall, and the cosines of right answers and of the nearest wrong ones.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio
from speechsearch.evaluation.machine import describe_machine
from speechsearch.models.base import SpeechEncoder
from speechsearch.service.open import new_loader
from speechsearch.service.settings import Settings
from speechsearch.text.words import content_words
from speechsearch.training.voices import reserved_voices, speak

SHORTEST_S, LONGEST_S = 4.0, 20.0
AT_ONCE = 16
SYNTHESISERS = ("espeak", "flite")


def sentences_of(folder: Path) -> list[tuple[Path, str]]:
    """Return sound files and what is said in them, of sentences that are long enough."""
    found = []
    for line in (folder / "transcripts.tsv").read_text(encoding="utf-8").splitlines():
        name, seconds, text, *_ = line.split("\t")
        if SHORTEST_S <= float(seconds) <= LONGEST_S and len(content_words(text)) >= 3:
            found += [(path, text) for path in sorted((folder / "audio").glob(f"{name}.*"))[:1]]
    return found


def vectors_of(encoder: SpeechEncoder, channel: str, sounds: Sequence[Audio]) -> NDArray[np.float32]:
    """Return the vectors of sounds, (sounds, dim)."""
    rows = [
        one.vectors[channel]
        for start in range(0, len(sounds), AT_ONCE)
        for one in encoder.encode_passages(sounds[start : start + AT_ONCE])
    ]
    return np.array(rows, np.float32)


def read(path: Path) -> Audio:
    """Return the sound of a file."""
    samples, rate_hz = soundfile.read(path, dtype="float32")
    assert rate_hz == SAMPLE_RATE_HZ, path
    return Audio(samples)


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--asked", type=int, default=400)
    parser.add_argument("--most", type=int, default=2000, help="human sentences that are looked through")
    given = parser.parse_args()
    encoder = new_loader(Settings()).speech_encoder(Settings().engines.encoder_name)
    channel = next(one.name for one in encoder.channels if one.kind == "dense")
    known = [one for folder in given.folders for one in sentences_of(folder)]
    known = [known[place] for place in np.linspace(0, len(known) - 1, min(given.most, len(known))).astype(int)]
    asked = np.linspace(0, len(known) - 1, min(given.asked, len(known))).astype(int)
    voices = itertools.cycle(one for one in reserved_voices() if one.synthesiser in SYNTHESISERS)
    spoken = [
        Audio(speak(known[place][1], next(voices), is_evaluation=True).astype(np.float32) / 32768) for place in asked
    ]
    human = vectors_of(encoder, channel, [read(path) for path, _ in known])
    cosines = vectors_of(encoder, channel, spoken) @ human.T
    right = cosines[np.arange(len(asked)), asked]
    ranks = (cosines > right[:, None]).sum(axis=1) + 1
    cosines[np.arange(len(asked)), asked] = -1.0
    wrong = cosines.max(axis=1)
    print(f"{describe_machine()}; {len(known)} sentences, {len(asked)} asked, encoder {encoder.fingerprint}")
    figures = {f"R@{k}": round(float((ranks <= k).mean()), 4) for k in (1, 10, 100)}
    figures["MRR"] = round(float((1 / ranks).mean()), 4)
    quartiles = {
        name: np.percentile(values, (5, 50, 95)).round(3).tolist()
        for name, values in (("right", right), ("wrong", wrong))
    }
    print(json.dumps(figures | quartiles))


if __name__ == "__main__":
    main()
