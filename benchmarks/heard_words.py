"""Measure how often words and phrases are rightly heard: ``python -m benchmarks.heard_words FOLDER [FOLDER ...]``.

A FOLDER is an evaluation collection. Words, and rows of two to four words, are drawn from the passages' texts and
looked for in every passage, as one long word each. A row is there when the text has it; that its sounds are in the
middle of other words counts as an error. Near misses are words of one passage in another order, or with one left out.
The curve of ``retrieval.names`` is fitted to rare words and names, alone or in pairs, of at least four sounds.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechsearch import audio
from speechsearch.domain.limits import Limits
from speechsearch.models.base import SpeechEncoder
from speechsearch.retrieval.demands import as_one
from speechsearch.retrieval.names import MOST_SOUNDS
from speechsearch.retrieval.spotting import losses_of
from speechsearch.service.open import new_loader
from speechsearch.service.settings import Settings
from speechsearch.text.common import ranks
from speechsearch.text.keywords import joined
from speechsearch.text.spoken import spoken_words
from speechsearch.text.words import STOP_WORDS

DRAWN, NEAR = 3, 4
LONGEST_S = 300
LIMITS = (0.25, 0.5, 0.75, 1.0, 1.5)
COMMON = 3_000
SOUNDS = (1, 3, 4, 5, 7, 9, 12)


@dataclass(frozen=True, slots=True)
class Case:
    """A row of words and a passage: what it loses there, and whether it is said."""

    words: tuple[str, ...]
    sounds: int
    loss: float
    is_there: bool
    is_near: bool


def drawn(words: Sequence[str], rng: random.Random) -> list[tuple[tuple[str, ...], bool]]:
    """Return rows of a text's words, and near misses of such rows."""
    found = []
    for length in (1, 2, 3, 4):
        for _ in range(DRAWN):
            first = rng.randrange(len(words) - length)
            found.append((tuple(words[first : first + length]), False))
    for _ in range(NEAR):
        a, b, c, d = (first := rng.randrange(len(words) - 4)), first + 1, first + 2, first + 3
        found += [(tuple(words[one] for one in row), True) for row in ((a, c), (b, a), (a, b, d))]
    return found


def has(text: Sequence[str], words: Sequence[str]) -> bool:
    """Say whether a text has words in a row.

    >>> has(["a", "b", "c"], ["b", "c"]), has(["a", "b", "c"], ["a", "c"])
    (True, False)
    """
    return any(list(text[start : start + len(words)]) == list(words) for start in range(len(text)))


def cases_of(folder: Path, encoder: SpeechEncoder, rng: random.Random) -> list[Case]:
    """Return all cases of a collection."""
    rows = [json.loads(line) for line in (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    sounds = (audio.load(folder / row["audio"], Limits(), LONGEST_S) for row in rows)
    tracks = [encoder.encode_passages([sound])[0].track for sound in sounds]
    texts = [spoken_words(row["text"]) for row in rows]
    chosen = [(place, *one) for place, text in enumerate(texts) if len(text) > 5 for one in drawn(text, rng)]
    units = [as_one(" ".join(words), encoder.pronounce) for _, words, _ in chosen]
    losses = losses_of(units, joined([track for track in tracks if track is not None]))
    return [
        Case(words, min(map(len, unit.pronunciations)), float(losses[row, column]), has(texts[row], words), is_near)
        for column, ((place, words, is_near), unit) in enumerate(zip(chosen, units, strict=True))
        for row in ([place] if is_near else range(len(texts)))
    ]


def table(cases: Sequence[Case]) -> str:
    """Return, by the number of words and sounds, which share of the cases loses no more than each limit."""
    groups: dict[tuple[int, int], list[Case]] = defaultdict(list)
    for one in cases:
        groups[len(one.words), max(place for place, least in enumerate(SOUNDS) if one.sounds >= least)].append(one)
    heads = " | ".join(f"<= {limit}" for limit in LIMITS)
    lines = [f"| words | sounds | | n | {heads} |", "|---|---|---|---|" + "---|" * len(LIMITS)]
    for (words, place), found in sorted(groups.items()):
        kinds = (("said", True, False), ("not said", False, False), ("near miss", False, True))
        for name, is_there, is_near in kinds:
            losses = np.array([one.loss for one in found if one.is_there == is_there and one.is_near == is_near])
            if len(losses) >= 20:
                shares = " | ".join(f"{(losses <= limit).mean():.4f}" for limit in LIMITS)
                lines.append(f"| {words} | from {SOUNDS[place]} | {name} | {len(losses)} | {shares} |")
    return "\n".join(lines)


def is_rare(words: Sequence[str]) -> bool:
    """Say whether words are such as a list of names has."""
    is_listed = all(word not in STOP_WORDS for word in words)
    return is_listed and any(ranks().get(word, COMMON) >= COMMON for word in words)


def fitted(cases: Sequence[Case]) -> tuple[float, ...]:
    """Return the logistic curve from loss and sounds to whether a name is said, by Newton's method."""
    kept = [one for one in cases if len(one.words) <= 2 and one.sounds >= 4 and not one.is_near and is_rare(one.words)]
    x = np.array([(1.0, one.loss, min(one.sounds, MOST_SOUNDS)) for one in kept])
    y = np.array([one.is_there for one in kept], float)
    weights = np.zeros(3)
    for _ in range(50):
        chances = 1 / (1 + np.exp(-x @ weights))
        curvature = (x * (chances * (1 - chances))[:, None]).T @ x + 0.01 * np.eye(3)
        weights -= np.linalg.solve(curvature, x.T @ (chances - y) + 0.01 * weights)
    print(f"\n{len(kept)} cases of rare words and names, {int(y.sum())} of them said")
    return tuple(round(float(one), 2) for one in weights)


def main() -> None:
    """Print the table and the curve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    settings, rng = Settings(), random.Random(1)
    encoder = new_loader(settings).speech_encoder(settings.engines.encoder_name)
    cases = [one for folder in parser.parse_args().folders for one in cases_of(folder, encoder, rng)]
    print(table(cases))
    print("curve:", fitted(cases))


if __name__ == "__main__":
    main()
