"""Measure retrieval by generation, whole: ``python -m benchmarks.generative DATA runs/generative``.

Builds the set, hears it once, trains every variant, puts the same questions to the engines that look passages up, and
writes the tables of docs/generative.md. What is done is kept, so a run that was stopped goes on where it was; so does a
training in its midst. ``--only usual,300`` trains some variants, ``--sizes 100,300`` takes smaller collections.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import torch
import typer

from benchmarks.generative.measure import Bench, by_vectors, crop_engines, engines
from benchmarks.generative.sets import TO_LEARN, build, read
from benchmarks.generative.tables import write
from benchmarks.generative.variants import PASSAGES, variants
from speechsearch.evaluation.machine import describe_machine
from speechsearch.library.makers import Makers
from speechsearch.service.open import makers_of, new_loader
from speechsearch.service.settings import Settings
from speechsearch.training.generative_recipe import Recipe

OF_SOUND, WRITTEN = ("phonetic", "hybrid"), ("asr",)


class Kept:
    """Figures by kind and name, in a file that several runs may write; what is there is not measured again."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @property
    def found(self) -> dict[str, Any]:
        """All that was measured so far."""
        return json.loads(self.file.read_text(encoding="utf-8")) if self.file.exists() else {}

    def of(self, kind: str, name: str, measure: Callable[[], Any]) -> None:
        """Measure something that is not there yet, and keep it."""
        if name in self.found.get(kind, {}):
            return
        print(f"{kind} {name}", flush=True)
        measured = measure()
        whole = self.found
        whole.setdefault(kind, {})[name] = measured
        unfinished = self.file.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(whole, indent=1), encoding="utf-8")
        unfinished.replace(self.file)


def main(
    data: Path,
    out: Path,
    sizes: str = "100,300,1000,3000",
    only: str = "",
    with_asr: int = PASSAGES,
    steps: int = 1500,
    seed: int = 1,
) -> None:
    """Measure and write the tables; ``with_asr``: transcripts are made of collections up to this size."""
    wanted_sizes = tuple(sorted(map(int, sizes.split(","))))
    folder = out / "set"
    if not (folder / TO_LEARN).exists():
        build(data, folder, max(wanted_sizes), seed)
    settings = Settings()
    loader = new_loader(settings)
    makers, text_encoder = makers_of(settings, loader), loader.text_encoder(settings.engines.text_encoder)
    bench = Bench(
        read(folder), loader.model("speech encoder", settings.engines.encoder_name), loader.recognizer("mini"), out
    )
    kept = Kept(out / "results.json")
    usual = Recipe(seed=seed).of_steps(steps)
    torch.set_num_threads(1)
    by_sound = Makers(makers.speech_encoder)
    for variant in variants(usual, wanted_sizes):
        if not only or variant.name in only.split(","):
            kept.of("variants", variant.name, partial(bench.run, variant))
    if not only or "update" in only.split(","):
        kept.of("continual", str(PASSAGES), partial(bench.continual, usual, PASSAGES))
    for size in wanted_sizes if not only or "engines" in only.split(",") else ():
        kept.of("vectors", str(size), partial(by_vectors, bench, size))
        kept.of("engines", str(size), partial(engines, bench.whole, size, OF_SOUND, by_sound, text_encoder))
        kept.of("adapter_crops", str(size), partial(crop_engines, bench, size))
        if size <= with_asr:
            kept.of("transcripts", str(size), partial(engines, bench.whole, size, WRITTEN, makers, text_encoder))
    command = shlex.join(["python", "-m", "benchmarks.generative", "DATA", *sys.argv[2:]])
    heading = f"Measured on {date.today().isoformat()}, `{command}`, {describe_machine()}, one thread."
    write(kept.found, heading)


if __name__ == "__main__":
    typer.run(main)
