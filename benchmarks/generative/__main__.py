"""Measure retrieval by generation, whole: ``python -m benchmarks.generative DATA runs/generative``.

Builds the set, hears it once, trains every variant, puts the same questions to the engines that look passages up, and
writes the tables of docs/generative.md. What is done is kept, so a run that was stopped goes on where it was; so does a
training in its midst. ``--only usual,300`` trains some variants, ``--sizes 100,300`` takes smaller collections. Beside
the names of variants there are ``engines``, ``asr`` (slow: all is written down), ``codes``, ``update``, ``spoken`` (the
questions, asked of what was trained as ``usual``) and ``speed``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import typer

from benchmarks.generative.looked_up import by_vectors, crop_engines, engines
from benchmarks.generative.measure import Bench
from benchmarks.generative.sets import build, read, size_of
from benchmarks.generative.speed import apart
from benchmarks.generative.tables import write
from benchmarks.generative.variants import PASSAGES, variants
from speechsearch.evaluation.machine import describe_machine
from speechsearch.library.makers import Makers
from speechsearch.service.open import makers_of, new_loader
from speechsearch.service.settings import Settings
from speechsearch.training.generative_recipe import Recipe

OF_SOUND, WRITTEN = ("phonetic", "hybrid"), ("asr",)
CODED = (4, 64), (8, 256)
"""Levels and codes of addresses that are made without a model."""


class Kept:
    """Figures by kind and name, in a file that several runs may write; what is there is not measured again."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @property
    def found(self) -> dict[str, Any]:
        """All that was measured so far."""
        return json.loads(self.file.read_text(encoding="utf-8")) if self.file.exists() else {}

    def of(self, kind: str, name: str, measure: Callable[..., Any], *given: object) -> None:
        """Measure something that is not there yet, and keep it."""
        if name in self.found.get(kind, {}):
            return
        print(f"{kind} {name}", flush=True)
        measured = measure(*given)
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
    steps: int = 1500,
    seed: int = 1,
) -> None:
    """Measure and write the tables; ``steps``: of PASSAGES."""
    wanted_sizes = tuple(sorted(map(int, sizes.split(","))))
    folder = out / "set"
    if size_of(folder) < max(wanted_sizes):
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
    typed, by_sound = bench.whole.collection, Makers(makers.speech_encoder)

    def is_wanted(name: str) -> bool:
        return not only or name in only.split(",")

    models = variants(usual, wanted_sizes)
    for variant in filter(lambda one: is_wanted(one.name), models):
        kept.of("variants", variant.name, bench.run, variant)
    for size in wanted_sizes:
        if is_wanted("codes"):
            for levels, codebook_size in CODED:
                name = f"{size} {levels} {codebook_size}"
                kept.of("codes", name, bench.codes_of_vectors, size, levels, codebook_size)
        if is_wanted("engines"):
            kept.of("vectors", str(size), by_vectors, bench, size)
            kept.of("engines", str(size), engines, typed, size, OF_SOUND, by_sound, text_encoder)
            kept.of("adapter_crops", str(size), crop_engines, bench, size)
        if is_wanted("asr"):
            kept.of("transcripts", str(size), engines, typed, size, WRITTEN, makers, text_encoder)
    if is_wanted("update"):
        kept.of("continual", str(PASSAGES), bench.continual, usual, PASSAGES)
    if is_wanted("spoken"):
        spoken, heard = bench.whole.spoken, ("adapter", *OF_SOUND)
        kept.of("spoken", "generative", bench.spoken, models[0])
        kept.of("spoken", "engines", engines, spoken, PASSAGES, heard, by_sound, text_encoder)
        kept.of("spoken", "transcripts", engines, spoken, PASSAGES, WRITTEN, makers, text_encoder)
    if is_wanted("speed"):
        for name in ("adapter", *kept.found.get("variants", {})):
            kept.of("speed", name, apart, out, name)
    write(kept.found, f"On {describe_machine()}, one thread. `asr`: whisper-base.")


if __name__ == "__main__":
    typer.run(main)
