"""Measure speech adapters beside what they are distilled from and beside the transcripts of a recogniser.

``python -m benchmarks.speechrag runs/eval runs/speechrag --sets librispeech,ljspeech --adapters linear,token``: a name
is a training's folder below runs/speechrag; ``mini``, whose token adapter is the shipped one, is always beside them. Questions go to the
adapter's vectors alone (engine ``adapter``), to the vectors of what was really said by the same text encoder (``text``,
the ceiling), and to ``asr``: transcripts of Whisper base by meaning and words. What was measured is kept in
runs/speechrag/measured and not measured again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.quality.sets import QualitySet, folders_of, read_set
from benchmarks.quality.transcripts import KeptTranscripts
from speechsearch import audio
from speechsearch.domain.limits import Limits
from speechsearch.evaluation import describe_machine, run_engine
from speechsearch.evaluation.encoding import CEILINGS, Piece, encode_collection
from speechsearch.evaluation.metrics import bootstrap_intervals, rank_metrics
from speechsearch.evaluation.report import figure, table
from speechsearch.library.makers import Makers
from speechsearch.models.adapter_cards import card_at
from speechsearch.models.baseline import Baseline
from speechsearch.models.load import ModelLoader
from speechsearch.models.transcripts import TranscriptEncoder
from speechsearch.retrieval.calibration import read_calibrations
from speechsearch.retrieval.engine_cards import ADAPTER, ASR
from speechsearch.service.open import new_loader
from speechsearch.service.settings import Settings
from speechsearch.training.kept_arrays import content_key

METRICS = ("recall@1", "recall@5", "recall@10")
TOGETHER = "all together"
RECOGNIZER, TEXT_ENCODER = "whisper-base", "all-MiniLM-L6-v2"
Values = Mapping[str, Sequence[float]]


def measured(
    one: QualitySet, makers: Makers, loader: ModelLoader, engine: str, has_sound: bool, has_gold: bool
) -> dict[str, list[float]]:
    """Return each metric of an engine, one number a question."""
    pieces = (
        Piece(passage.passage_id, 0.0, sound)
        for passage, sound in zip(one.collection.passages, one.sounds, strict=True)
    )
    encoded = encode_collection(
        one.collection, makers, loader.text_encoder(TEXT_ENCODER), pieces, has_sound=has_sound, has_gold=has_gold
    )
    chosen = encoded.engines(read_calibrations())[engine]
    run = run_engine(
        engine,
        chosen.retriever,
        one.collection,
        load_sound=lambda path: audio.load(path, Limits(), Limits().query_audio_s),
        passage_names=encoded.names,
    )
    _, values = rank_metrics(run.rankings, one.collection.relevance)
    return {name: values[name].tolist() for name in METRICS}


def values_of(one: QualitySet, system: str, runs: Path, asr: KeptTranscripts, settings: Settings) -> Values:
    """Return what a system finds in a set, measured now or before."""
    loader = new_loader(settings)
    encoder = loader.speech_encoder("mini")
    if system not in ("text", "asr", "mini"):
        card = card_at(runs / system / "adapter")
        loader = ModelLoader(loader.catalog.add(card), device=settings.models.device, dtype=settings.models.dtype)
        encoder = loader.speech_encoder(card.name)
    kept = runs / "measured" / f"{one.name}-{content_key(one.key, system, encoder.fingerprint)}.json"
    if kept.is_file():
        found: Values = json.loads(kept.read_text(encoding="utf-8"))
        return found
    if system == "text":
        values = measured(one, Makers(encoder), loader, CEILINGS[0].name, False, True)
    elif system == "asr":
        baseline = Baseline(asr, TranscriptEncoder(loader.text_encoder(TEXT_ENCODER), RECOGNIZER))
        values = measured(one, Makers(encoder, (baseline,)), loader, ASR.name, False, False)
    else:
        values = measured(one, Makers(encoder), loader, ADAPTER.name, True, False)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(values), encoding="utf-8")
    return values


def rows_of(found: Mapping[str, Mapping[str, Values]], systems: Sequence[str]) -> list[list[str]]:
    """Return the lines of the table: a set and a system each, with n, intervals, and recall at 5 by the ceiling's."""
    rows = []
    joined = {
        system: {name: np.concatenate([found[one][system][name] for one in found]).tolist() for name in METRICS}
        for system in systems
    }
    for name, values in (*found.items(), (TOGETHER, joined)):
        ceiling = float(np.mean(values["text"]["recall@5"]))
        for system in systems:
            figures = bootstrap_intervals(values[system], seed=1)
            share = figures["recall@5"].mean / ceiling
            count = len(values[system]["recall@5"])
            rows.append([name, system, str(count), *(figure(figures[one]) for one in METRICS), f"{share:.2f}"])
    return rows


def curves(runs: Path, names: Sequence[str], file: Path) -> None:
    """Draw development recall by step of some trainings."""
    import matplotlib

    from benchmarks.quality.plots import SETTINGS

    matplotlib.use("agg")
    from matplotlib import pyplot

    with matplotlib.rc_context(SETTINGS):
        picture, axes = pyplot.subplots(figsize=(8, 4))
        for name in names:
            lines: list[dict[str, Any]] = [
                json.loads(line) for line in (runs / name / "log.jsonl").read_text(encoding="utf-8").splitlines()
            ]
            points = [(line["step"], line["recall@1"]) for line in lines if "recall@1" in line]
            axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=name)
        axes.set(xlabel="step", ylabel="recall@1, development passages", ylim=(0, 1))
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
        picture.savefig(file, bbox_inches="tight", metadata={"Date": None})


def main(
    root: Annotated[Path, typer.Argument(help="The folder of the sets.", exists=True, file_okay=False)],
    runs: Annotated[Path, typer.Argument(help="The folder of the trainings.")],
    adapters: Annotated[str, typer.Option(help="Which trainings, separated by commas.")] = "",
    sets: Annotated[str, typer.Option(help="Which sets.")] = "librispeech,ljspeech,kathleen,squad",
    passages: Annotated[int, typer.Option(min=1, help="At most so many passages of a set.")] = 60,
    picture: Annotated[Path | None, typer.Option(help="Draw the learning curves into this file.")] = None,
) -> None:
    """Print the table."""
    names = [name for name in adapters.split(",") if name]
    systems = ["text", "asr", "mini", *names]
    settings = Settings()
    asr = KeptTranscripts(new_loader(settings).recognizer(RECOGNIZER), runs / "transcripts")
    found: dict[str, dict[str, Values]] = {}
    for folder in folders_of(root, sets.split(",")):
        one = read_set(folder, passages)
        found[one.name] = {system: values_of(one, system, runs, asr, settings) for system in systems}
        print(f"{one.name}: {len(one.collection.passages)} passages, {one.audio_s / 60:.1f} min", flush=True)
    print("\n".join(table(["set", "system", "n", *METRICS, "R@5 of text's"], rows_of(found, systems))))
    print(f"\n{describe_machine()}")
    trained = [name for name in names if (runs / name / "log.jsonl").is_file()]
    if picture and trained:
        curves(runs, trained, picture)


if __name__ == "__main__":
    typer.run(main)
