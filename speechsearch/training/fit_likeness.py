"""Recipe: learn how likely what is alike is right, in each sense, and print how far such chances can be believed.

``python -m speechsearch.training.fit_likeness DATA MUSIC [--sense sound]`` writes the rows of the settings' models in
``likeness.json``; those of other models stay. Where no answer at all is more likely right than wrong nothing is
written, and the page shows the score. MUSIC: what ``training/music.py`` played.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from speechsearch.audio.constellation import VERSION
from speechsearch.domain.alike import SENSES, Sense
from speechsearch.domain.errors import InputError
from speechsearch.evaluation import describe_machine
from speechsearch.retrieval.likeness_curves import SHIPPED, SIGNALS
from speechsearch.service.open import new_loader
from speechsearch.service.settings import read_settings
from speechsearch.training.fit_calibration import brier, calibration_error, cross_validated, fit, reliability
from speechsearch.training.likeness_cases import Cases, of_copies, of_sounds, of_words

LIKELY = 0.5
"""From this chance on the page shows an answer without a further click."""


def row_of(sense: Sense, made_by: str, cases: Cases) -> dict[str, Any] | None:
    """Return what is written of a sense, and print what cross-validation says of it; None: it tells nobody anything."""
    chances = cross_validated(cases.signals, cases.is_right, cases.groups)
    share, error = float(cases.is_right.mean()), calibration_error(chances, cases.is_right)
    print(
        f"{sense} ({made_by}): {len(chances)} hits of {len(np.unique(cases.groups))}, {share:.1%} right; Brier score "
        f"{brier(chances, cases.is_right):.4f} (always the share: {share * (1 - share):.4f}); expected calibration "
        f"error {error:.4f}\n| hits | mean likelihood | right |\n|---:|---:|---:|"
    )
    for count, mean, right in reliability(chances, cases.is_right):
        print(f"| {count:,} | {mean:.3f} | {right:.3f} |")
    if chances.max() < LIKELY:
        print(f"Not written: no answer is likelier than {chances.max():.2f}.", flush=True)
        return None
    learnt = fit(cases.signals, cases.is_right).tolist()
    chance = {name: round(value, 4) for name, value in zip(SIGNALS, learnt, strict=True)}
    print(json.dumps(chance), flush=True)
    return {"sense": sense, "made_by": made_by, "chance": chance}


def main(
    data: Annotated[Path, typer.Argument(help="The data of the recipes.")],
    music: Annotated[Path, typer.Argument(help="What training/music.py made.")],
    sense: Annotated[list[str] | None, typer.Option(help="recording, words or sound; all if none is named.")] = None,
    questions: Annotated[int, typer.Option(help="So many of copies, and of words.")] = 800,
    others: Annotated[int, typer.Option(help="So many recordings of the training are there, too, for copies.")] = 300,
    out: Path = SHIPPED,
) -> None:
    """Learn on DATA and MUSIC with the models of the settings and write OUT."""
    settings = read_settings()
    loader = new_loader(settings)

    def copies() -> tuple[str, Cases]:
        return f"peaks-{VERSION}", of_copies(data, music, questions, others)

    def words() -> tuple[str, Cases]:
        encoder = loader.speech_encoder(settings.engines.encoder_name)
        return encoder.fingerprint, of_words(data, encoder, questions)

    def sounds() -> tuple[str, Cases]:
        embedder = loader.sound_embedder(settings.engines.sound_embedder)
        return embedder.fingerprint, of_sounds(data, music, embedder)

    ways: dict[str, Callable[[], tuple[str, Cases]]] = dict(zip(SENSES, (copies, words, sounds), strict=True))
    if unknown := set(sense or ()) - ways.keys():
        raise InputError(f"There is no sense '{sorted(unknown)[0]}'; there are {', '.join(SENSES)}.")
    print(describe_machine(), flush=True)
    for name in [one for one in SENSES if one in (sense or SENSES)]:
        made_by, cases = ways[name]()
        row = row_of(name, made_by, cases)
        written = json.loads(out.read_text(encoding="utf-8")) if out.exists() else []
        rows = [one for one in written if (one["sense"], one["made_by"]) != (name, made_by)] + ([row] if row else [])
        rows.sort(key=lambda one: (SENSES.index(one["sense"]), one["made_by"]))
        out.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
