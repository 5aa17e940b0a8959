"""Measure what hotwords do: ``python -m benchmarks.hotwords SPEECH [--model whisper-base] [--most 120]``.

SPEECH is a folder with ``audio`` and ``transcripts.tsv`` (id, seconds, text as it is written). Names are words inside a
sentence that start with a capital. All names of the chosen clips are given as hotwords for every clip, those with names
and as many without, so that names which are made up would show.
"""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from speechsearch import audio
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio
from speechsearch.evaluation import describe_machine
from speechsearch.evaluation.metrics import word_error_rate
from speechsearch.service.open import new_loader
from speechsearch.service.settings import Settings
from speechsearch.text.spoken import spoken_words


def names_in(text: str) -> list[str]:
    """Return the words inside a sentence that start with a capital.

    >>> names_in("Not at this particular case, Tom, apologized Whittemore. He left. I'm Ann.")
    ['Tom', 'Whittemore', 'Ann']
    """
    inside = re.findall(r"(?<![.!?\"] )(?<!^)\b[A-Z][a-z]+\b", text)
    return [word for word in inside if len(word) > 2]


def main(
    speech: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    model: str = "whisper-base",
    most: Annotated[int, typer.Option(help="Clips with names, and as many without.")] = 120,
) -> None:
    """Print how many names are heard, how many are made up, and the word error rate, without and with hotwords."""
    lines = (speech / "transcripts.tsv").read_text(encoding="utf-8").splitlines()
    texts = {row[0]: row[2] for row in (line.split("\t") for line in lines)}
    named = dict(islice(((name, text) for name, text in texts.items() if names_in(text)), most))
    plain = dict(islice(((name, text) for name, text in texts.items() if not names_in(text)), most))
    chosen = named | plain
    hotwords = sorted({name for text in named.values() for name in names_in(text)})
    sounds = [audio.load(next((speech / "audio").glob(f"{name}.*")), Limits(), 60) for name in chosen]
    recognizer = new_loader(Settings()).recognizer(model)
    silent = [Audio(np.zeros(n * SAMPLE_RATE_HZ, np.float32)) for n in (1, 3, 10)]
    noise = np.random.default_rng(0).normal(0, 0.02, (5, 5 * SAMPLE_RATE_HZ)).astype(np.float32)
    nothing = [*silent, *map(Audio, noise)]
    print(f"{model}, {speech.name}, n = {len(named)} clips with names and {len(plain)} without; {describe_machine()}")
    print(f"{len(hotwords)} hotwords: {', '.join(hotwords)}")
    for given in ((), hotwords):
        found = [one.text for one in recognizer.transcribe(sounds, "en", given)]
        heard = made_up = said = 0
        for text, written in zip(chosen.values(), found, strict=True):
            wanted, there = spoken_words(" ".join(names_in(text))), spoken_words(written)
            said += len(wanted)
            heard += sum(name in there for name in wanted)
            made_up += sum(spoken_words(name)[0] in there and name not in text for name in hotwords)
        rate = word_error_rate(list(chosen.values()), found)
        empty = sum(bool(one.text) for one in recognizer.transcribe(nothing, "en", given))
        print(
            f"{'with' if given else 'without'} hotwords: {heard} of {said} names heard, {made_up} made up, "
            f"word error rate {rate:.3f}, text for {empty} of {len(nothing)} silent or noisy clips"
        )


if __name__ == "__main__":
    typer.run(main)
