"""Recipe: passages to train a speech adapter on: human readers, and texts that synthesisers speak.

``python -m speechsearch.training.speechrag_corpus DATA runs/speechrag`` (``--tiny``: a minute) writes train.jsonl and
development.jsonl with their sound. A reader's utterances are joined in their order to passages of some seconds; every
twelfth passage is for development: other words of the same voices. What is reserved for evaluation is in neither.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import soundfile
import typer
from numpy.typing import NDArray

from speechsearch.training.speech_corpus import human_parts, to_mono
from speechsearch.training.texts import encyclopedia, fairytales, read_sentences, split_sentences
from speechsearch.training.voices import SAMPLE_RATE_HZ, draw_voice, speak

DEVELOPMENT_EVERY = 12
PAUSE_S = (0.1, 0.5)
PROMPTED = "speechocean"
"""Prompts of a few words, some misread: no passages."""
Passage = tuple[NDArray[np.int16], str, str]
"""Samples, text, voice."""


def human_passages(data: Path, rng: random.Random, shortest_s: float, longest_s: float) -> Iterator[Passage]:
    """Yield what training readers say, of each set in turn: neighbouring utterances joined to passages."""
    sets = [rows for part, name, rows in human_parts(data) if part == "train" and not name.startswith(PROMPTED)]
    waiting = [joined(rows, rng, shortest_s, longest_s) for rows in sets]
    while waiting:
        for passages in tuple(waiting):
            found = next(passages, None)
            if found is None:
                waiting.remove(passages)
            else:
                yield found


def joined(
    rows: Iterable[tuple[Path, str, str]], rng: random.Random, shortest_s: float, longest_s: float
) -> Iterator[Passage]:
    """Yield utterances (file, text, speaker), those of one speaker joined up to a random length in between."""
    pieces: list[NDArray[np.int16]] = []
    texts: list[str] = []
    before, wanted_s = "", rng.uniform(shortest_s, longest_s)
    for file, text, speaker in rows:
        samples = to_mono(soundfile.read(file, dtype="int16")[0])
        length_s = (sum(map(len, pieces)) + len(samples)) / SAMPLE_RATE_HZ
        if pieces and (speaker != before or length_s > wanted_s):
            yield np.concatenate(pieces[:-1]), " ".join(texts), f"human:{before}"
            pieces, texts, wanted_s = [], [], rng.uniform(shortest_s, longest_s)
        pieces += [samples, np.zeros(round(rng.uniform(*PAUSE_S) * SAMPLE_RATE_HZ), np.int16)]
        texts.append(text)
        before = speaker
    if pieces:
        yield np.concatenate(pieces[:-1]), " ".join(texts), f"human:{before}"


def spoken_passages(data: Path, synthesiser: str, rng: random.Random, longest_words: int) -> Iterator[Passage]:
    """Yield texts spoken by a synthesiser's training voices, without end: sentences, joined up to so many words."""
    running = list(islice(fairytales(data), 3000))
    lines = [*islice(encyclopedia(data), 20_000), *islice(read_sentences(data), 20_000)]
    while True:
        sentences = split_sentences(rng.choice(running)) if rng.random() < 0.5 else [rng.choice(lines)]
        start = rng.randrange(len(sentences))
        words: list[str] = []
        for sentence in sentences[start:]:
            if len(words) + len(sentence.split()) > longest_words:
                break
            words += sentence.split()
        if len(words) >= 4:
            voice = draw_voice(synthesiser, rng)
            yield speak(" ".join(words), voice), " ".join(words), str(voice)


def main(
    data: Path,
    out: Path,
    synthetic_hours: float = 0.6,
    human_hours: float = 5.0,
    shortest_s: float = 5.0,
    longest_s: float = 28.0,
    longest_words: int = 70,
    seed: int = 1,
    tiny: bool = False,
) -> None:
    """Write OUT; ``synthetic_hours`` each of espeak-ng and flite."""
    if tiny:
        synthetic_hours = human_hours = 0.02
    rng = random.Random(seed)
    sources = {
        "human": (human_hours, human_passages(data, rng, shortest_s, longest_s)),
        "espeak": (synthetic_hours, spoken_passages(data, "espeak", rng, longest_words)),
        "flite": (synthetic_hours, spoken_passages(data, "flite", rng, longest_words)),
    }
    (out / "audio").mkdir(parents=True, exist_ok=True)
    with open(out / "train.jsonl", "w", encoding="utf-8") as train, \
            open(out / "development.jsonl", "w", encoding="utf-8") as development:  # fmt: skip
        for source, (hours, passages) in sources.items():
            heard_s, number = 0.0, 0
            for samples, text, voice in passages:
                file = f"audio/{source}-{number:05d}.flac"
                soundfile.write(out / file, samples, SAMPLE_RATE_HZ)
                row = {"audio": file, "text": text, "voice": voice}
                chosen = development if number % DEVELOPMENT_EVERY == DEVELOPMENT_EVERY - 1 else train
                chosen.write(json.dumps(row) + "\n")
                number, heard_s = number + 1, heard_s + len(samples) / SAMPLE_RATE_HZ
                if heard_s >= hours * 3600:
                    break
            print(f"{source}: {number} passages, {heard_s / 3600:.2f} h", flush=True)


if __name__ == "__main__":
    typer.run(main)
