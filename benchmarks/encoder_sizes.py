"""What speech encoders like the shipped one find, beside how fast they hear: the choice of their size.

``python -m benchmarks.encoder_sizes runs/eval base=speechsearch/assets/mini tiny=runs/tiny/model``: a title and a
folder that ``speechsearch.training.export`` wrote, for each model. Sets of people and of names, clean; the weights of
``hybrid`` are those that were learnt for the shipped model. Prints a table and draws ``docs/images/encoder-sizes.svg``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import matplotlib
import numpy as np
import typer
from safetensors import safe_open

from benchmarks.quality.measure import Models, answers
from benchmarks.quality.sets import QualitySet, folders_of, read_set
from speechsearch.evaluation import describe_machine
from speechsearch.evaluation.encoding import SOUND, Piece, encode_collection
from speechsearch.evaluation.metrics import bootstrap_intervals, error_rate, rank_metrics
from speechsearch.evaluation.report import figure, table
from speechsearch.models.built_in import MINI
from speechsearch.models.card import lying_in
from speechsearch.models.load import ModelLoader
from speechsearch.models.mini.packed import SCALE, WEIGHTS
from speechsearch.models.mini_cards import card_of_folder
from speechsearch.retrieval.calibration import SHIPPED, Calibrations, read_calibrations
from speechsearch.service.open import new_loader
from speechsearch.service.settings import Settings

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "encoder-sizes.svg"
SETS = "kathleen,librispeech,ljspeech,names,nonnative"
ENGINES, METRICS = ("phonetic", "adapter", "hybrid"), ("recall@1", "recall@5")
COLOURS = ("#0f766e", "#b45309", "#1d4ed8")
HEADER = ["encoder", "parameters, M", "times real time", "PER %", "engine", "n", "R@1", "R@5"]


@dataclass(slots=True)
class Found:
    """What one model finds: (engine, metric) -> one number a question; what it took to hear all, and its phonemes."""

    values: dict[tuple[str, str], list[float]]
    audio_s: float = 0.0
    seconds: float = 0.0
    said: list[list[int]] = field(default_factory=list)
    heard: list[list[int]] = field(default_factory=list)

    @property
    def speed(self) -> float:
        """Seconds of speech that are heard in one."""
        return self.audio_s / self.seconds


def models_of(folder: Path) -> Models:
    """Return the model of a folder with the text encoder that it belongs to."""
    settings = Settings()
    loader = new_loader(settings)
    card = lying_in(card_of_folder("measured", folder), folder)
    loader = ModelLoader(loader.catalog.add(card), device=settings.models.device)
    return Models(loader.speech_encoder(card.name), loader.text_encoder(settings.engines.text_encoder))


def parameters_m(folder: Path) -> float:
    """Return how many millions of numbers the speech encoder of a model has."""
    with safe_open(folder / WEIGHTS, "np") as file:
        names = [name for name in file.keys() if name.startswith("encoder.") and not name.endswith(SCALE)]  # noqa: SIM118
        return sum(math.prod(file.get_slice(name).get_shape()) for name in names) / 1e6


def calibrations_for(fingerprint: str) -> Calibrations:
    """Return what was learnt for the shipped model, as if it were another's."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / SHIPPED.name
        file.write_text(SHIPPED.read_text(encoding="utf-8").replace(MINI.fingerprint, fingerprint), encoding="utf-8")
        return read_calibrations(file)


def measured(models: Models, sets: Sequence[QualitySet]) -> Found:
    """Hear every set and put its questions to the engines of sound."""
    encoder = models.speech_encoder
    found = Found({})
    for one in sets:
        pieces = (Piece(passage.passage_id, 0.0, sound)
                  for passage, sound in zip(one.collection.passages, one.sounds, strict=True))  # fmt: skip
        encoded = encode_collection(one.collection, models.makers(()), models.text_encoder, pieces, has_gold=False)
        engines = encoded.engines(calibrations_for(encoder.fingerprint))
        for name, ranked in answers(encoded, {name: engines[name] for name in ENGINES}, one.collection).items():
            _, values = rank_metrics(ranked, one.collection.relevance)
            for metric in METRICS:
                found.values.setdefault((name, metric), []).extend(values[metric])
        made = encoded.made[SOUND]
        found.said += [models.pronounce(passage.text) for passage in one.collection.passages]
        found.heard += [made.phonemes[passage.passage_id] for passage in one.collection.passages]
        found.audio_s, found.seconds = found.audio_s + encoded.audio_s, found.seconds + made.seconds
    return found


def draw(found: Mapping[str, Found], file: Path) -> None:
    """Draw recall at five against how fast each model hears: a colour an engine, a shape a model."""
    matplotlib.use("svg")
    from matplotlib import pyplot

    _, axes = pyplot.subplots(figsize=(6, 3.6), layout="constrained")
    for (title, one), shape in zip(found.items(), "os^Dv", strict=False):
        axes.plot([], [], marker=shape, linestyle="", color="#475569", label=title)
        for engine, colour in zip(ENGINES, COLOURS, strict=True):
            axes.plot(one.speed, np.mean(one.values[engine, METRICS[-1]]), marker=shape, color=colour)
    for engine, colour in zip(ENGINES, COLOURS, strict=True):
        axes.plot([], [], color=colour, label=engine)
    axes.set(xlabel="times real time", ylabel="R@5")
    axes.legend(frameon=False, ncols=2)
    pyplot.savefig(file, metadata={"Date": None})


def main(
    root: Annotated[Path, typer.Argument(help="The folder of the sets.", exists=True, file_okay=False)],
    models: Annotated[list[str], typer.Argument(help="TITLE=FOLDER of each model.")],
    sets: Annotated[str, typer.Option(help="Which sets, separated by commas.")] = SETS,
    passages: Annotated[int, typer.Option(min=1, help="At most so many passages of a set.")] = 60,
) -> None:
    """Measure the models and print the table."""
    read = [read_set(folder, passages) for folder in folders_of(root, sets.split(","))]
    folders = {title: Path(folder).resolve() for title, _, folder in (one.partition("=") for one in models)}
    found = {title: measured(models_of(folder), read) for title, folder in folders.items()}
    rows = [
        [title, f"{parameters_m(folders[title]):.1f}", f"{one.speed:.0f}",
         f"{100 * (error_rate(one.said, one.heard) or 0):.1f}", engine, str(len(one.values[engine, METRICS[0]])),
         *(figure(bootstrap_intervals({metric: one.values[engine, metric]}, seed=1)[metric]) for metric in METRICS)]
        for title, one in found.items() for engine in ENGINES
    ]  # fmt: skip
    print(describe_machine())
    print(*table(HEADER, rows), sep="\n")
    draw(found, PICTURE)


if __name__ == "__main__":
    typer.run(main)
