"""Measure trained speech adapters beside what they are distilled from and beside the transcripts of a recogniser.

``python -m benchmarks.speechrag runs/eval runs/speechrag --adapters linear,token``: a name is a training's folder below
runs/speechrag. Questions go to the adapter's vectors alone (engine ``adapter``) and to the vectors of what was really
said by the same text encoder (``text``, the ceiling). The figures of ``asr`` (Whisper base's transcripts by meaning and
words) and of the shipped model's adapter are those of docs/evaluation.md: the same passages and questions. What was
measured is kept in runs/speechrag/measured and not measured again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.quality.sets import QualitySet, folders_of, read_set
from speechsearch import audio
from speechsearch.domain.assets import EVALUATION
from speechsearch.domain.limits import Limits
from speechsearch.evaluation import describe_machine, run_engine
from speechsearch.evaluation.encoding import CEILINGS, Piece, encode_collection
from speechsearch.evaluation.metrics import Figure, bootstrap_intervals, rank_metrics
from speechsearch.evaluation.report import figure, table
from speechsearch.library.makers import Makers
from speechsearch.models.adapter_cards import card_at
from speechsearch.models.adapter_folder import AdapterConfig
from speechsearch.models.frames import FrameEncoder, padded_states
from speechsearch.models.load import ModelLoader
from speechsearch.retrieval.calibration import read_calibrations
from speechsearch.retrieval.engine_cards import ADAPTER
from speechsearch.service.open import new_loader
from speechsearch.service.settings import Settings
from speechsearch.training.kept_arrays import KeptArrays, content_key

METRICS = ("recall@1", "recall@5", "recall@10")
TOGETHER = "all together"
CEILING, TEXT_ENCODER = "text", "all-MiniLM-L6-v2"
SHIPPED = {"asr": "asr (whisper-base), of docs/evaluation.md", "adapter": "mini's adapter, of docs/evaluation.md"}
"""Engine -> what the table calls it."""
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


def values_of(one: QualitySet, system: str, runs: Path, settings: Settings) -> Values:
    """Return what a system finds in a set, measured now or before."""
    loader = new_loader(settings)
    encoder = loader.speech_encoder("mini")
    if system != CEILING:
        card = card_at(runs / system / "adapter")
        loader = ModelLoader(loader.catalog.add(card), device=settings.models.device, dtype=settings.models.dtype)
        encoder = loader.speech_encoder(card.name)
        heard = loader.model("speech encoder", card.name)
        heard.encoder = KeptFrames(heard.encoder, heard.config, runs / "measured")
    kept = runs / "measured" / f"{one.name}-{content_key(one.key, system, encoder.fingerprint)}.json"
    if kept.is_file():
        found: Values = json.loads(kept.read_text(encoding="utf-8"))
        return found
    is_text = system == CEILING
    engine = CEILINGS[0].name if is_text else ADAPTER.name
    values = measured(one, Makers(encoder), loader, engine, has_sound=not is_text, has_gold=is_text)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(values), encoding="utf-8")
    return values


class KeptFrames:
    """Stands for an adapter's frame encoder: the states of the layers that were not trained are kept on disk."""

    def __init__(self, inner: FrameEncoder, config: AdapterConfig, folder: Path) -> None:
        self.inner, self.top, self.device, self.dtype = inner, config.trained_layers, inner.device, inner.dtype
        name = f"states-{content_key(inner.fingerprint)}-{self.top}"
        self.kept = KeptArrays(folder / name, inner.width, np.float16)

    def below(self, sounds: Sequence[NDArray[np.float32]]) -> list[Tensor]:
        """Return each sound's last states, (frames, width)."""
        keys = [content_key(sound) for sound in sounds]
        new = {key: sound for key, sound in zip(keys, sounds, strict=True) if key not in self.kept}
        if new:
            for key, states in zip(new, self.inner.below(list(new.values()), self.top), strict=True):
                self.kept.add(key, states.float().cpu().numpy())
        rows = [torch.from_numpy(self.kept.get(key).astype(np.float32)).to(self.dtype) for key in keys]
        states, counts = padded_states(rows)
        return [row[:count] for row, count in zip(self.inner.above(states, counts, self.top), counts, strict=True)]


def published(one: QualitySet, count: int) -> dict[str, dict[str, Figure]]:
    """Return the figures of docs/evaluation.md for a set; none where it is not of these passages and questions."""
    document = json.loads(EVALUATION.read_text(encoding="utf-8"))
    found = next((row for row in document["sets"] if row["name"] == one.name), None)
    clean = found["conditions"]["clean"] if found else {}
    if not found or found["passages"] != len(one.collection.passages) or clean["n"] != count:
        return {}
    return {
        title: {name: Figure(**clean["engines"][engine][name]) for name in METRICS} for engine, title in SHIPPED.items()
    }


def rows_of(
    found: Mapping[str, Mapping[str, Values]], shipped: Mapping[str, Mapping[str, Mapping[str, Figure]]]
) -> list[list[str]]:
    """Return the lines of the table: a set and a system each, with n, intervals, and recall at 5 by the ceiling's."""
    systems = list(next(iter(found.values())))
    joined = {
        system: {name: np.concatenate([found[one][system][name] for one in found]).tolist() for name in METRICS}
        for system in systems
    }
    rows = []
    for place, values in (*found.items(), (TOGETHER, joined)):
        count = len(values[CEILING][METRICS[0]])
        figures = {system: bootstrap_intervals(values[system], seed=1) for system in systems}
        figures |= shipped.get(place, {})
        ceiling = figures[CEILING]["recall@5"].mean
        for system, one in figures.items():
            share = f"{one['recall@5'].mean / ceiling:.2f}"
            rows.append([place, system, str(count), *(figure(one[name]) for name in METRICS), share])
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
    settings = Settings()
    found: dict[str, dict[str, Values]] = {}
    shipped: dict[str, dict[str, dict[str, Figure]]] = {}
    for folder in folders_of(root, sets.split(",")):
        one = read_set(folder, passages)
        found[one.name] = {system: values_of(one, system, runs, settings) for system in (CEILING, *names)}
        shipped[one.name] = published(one, len(found[one.name][CEILING][METRICS[0]]))
        print(f"{one.name}: {len(one.collection.passages)} passages, {one.audio_s / 60:.1f} min", flush=True)
    titles = ["set", "system", "n", "R@1", "R@5", "R@10", f"R@5 by {CEILING}'s"]
    print("\n".join(table(titles, rows_of(found, shipped))))
    print(f"\n{describe_machine()}")
    trained = [name for name in names if (runs / name / "log.jsonl").is_file()]
    if picture and trained:
        curves(runs, trained, picture)


if __name__ == "__main__":
    typer.run(main)
