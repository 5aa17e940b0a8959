"""The trade-off of indexes, published: ``python -m benchmarks.index_tradeoff vectors FOLDER -o V.npy``, then ``page``.

``vectors`` hears files of speech, each a passage, and writes their vectors of the speech adapter, and those of the
samples' questions (``-q Q.npy``). ``speechsearch benchmark-index --vectors V.npy --queries Q.npy --points N -o
runs/index-tradeoff/N.json`` measures; ``page`` writes docs/index-tradeoff.md and its pictures.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ingest.endings import is_sound
from speechsearch import audio
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import Query
from speechsearch.evaluation.index_report import as_markdown, picture_file, read
from speechsearch.service.open import new_loader
from speechsearch.service.settings import read_settings

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "runs" / "index-tradeoff"
PAGE, PICTURES = ROOT / "docs" / "index-tradeoff.md", ROOT / "docs" / "images"
CHANNEL, ENCODER = "adapter", "mini"
AT_ONCE, EVERY = 16, 5
LIMITS = Limits()
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def vectors(
    folders: list[Path],
    output: Annotated[Path, typer.Option("--output", "-o")],
    questions: Annotated[Path | None, typer.Option("--questions", "-q")] = None,
    most: int = 3000,
) -> None:
    """Hear at most so many files of FOLDERS, drawn by chance, and write their vectors, (files, dim) float32."""
    found = sorted(path for folder in folders for path in folder.rglob("*") if is_sound(path))
    chosen = [found[place] for place in np.random.default_rng(1).permutation(len(found))[:most]]
    encoder = new_loader(read_settings()).speech_encoder(ENCODER)
    heard = []
    for start in range(0, len(chosen), AT_ONCE):
        sounds = [audio.load(path, LIMITS, LIMITS.query_audio_s) for path in chosen[start : start + AT_ONCE]]
        made = [np.asarray(one.vectors[CHANNEL]) for one in encoder.encode_passages(sounds)]
        heard += [one for one in made if one.any()]  # of silence it is zero
        if start // AT_ONCE % EVERY == 0:
            print(f"{start + len(sounds)} of {len(chosen)}", flush=True)
            np.save(output, np.array(heard, np.float32), allow_pickle=False)
    np.save(output, np.array(heard, np.float32), allow_pickle=False)
    if questions:
        lines = (SAMPLES / "queries.jsonl").read_text(encoding="utf-8").splitlines()
        asked = [encoder.encode_query(Query(json.loads(line)["text"]), CHANNEL) for line in lines]
        np.save(questions, np.array(asked, np.float32), allow_pickle=False)
    print(f"{len(heard)} vectors in {output}")


@app.command()
def page() -> None:
    """Write the page and the pictures from what was measured, the smallest number of vectors first."""
    found = sorted((read(path) for path in KEPT.glob("*.json")), key=lambda one: one.points)
    about = (PAGE.read_text(encoding="utf-8").split(START)[0] if PAGE.is_file() else "").rstrip()
    parts = [about, "", START]
    for one in found:
        name = f"index-tradeoff-{one.points}.svg"
        (PICTURES / name).write_text(picture_file(one), encoding="utf-8")
        parts += ["", f"## {one.points:,} vectors", "", f"![Recall against speed](images/{name})", "", as_markdown(one)]
    PAGE.write_text("\n".join(parts) + "\n", encoding="utf-8")


START = "<!-- What follows is made by python -m benchmarks.index_tradeoff page; no number is edited by hand. -->"

if __name__ == "__main__":
    app()
