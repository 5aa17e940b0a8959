"""The command that makes smaller copies of models, and says what that costs: quantize."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated

import typer

from speechsearch.cli_shared import Json, put
from speechsearch.domain.errors import DuplicateError

if TYPE_CHECKING:
    from speechsearch.models.base import Recognizer
    from speechsearch.models.card import ModelCard
    from speechsearch.service.settings import Settings


@dataclass(frozen=True, slots=True)
class Measured:
    """A model before or after: its size; where clips were given, how many times real time, and its word errors.

    ``word_error_rate``: None where nothing says what was said.
    """

    model: str
    size_mb: float
    rate: float | None = None
    word_error_rate: float | None = None


@dataclass(frozen=True, slots=True)
class Quantized:
    """What became of a model; ``differing``: in which part of the words the two differ, where clips were given."""

    folder: str
    before: Measured
    after: Measured
    clips: int = 0
    differing: float | None = None


def add_commands(app: typer.Typer) -> None:
    """Add the command to the program's."""
    app.command()(quantize)


def quantize(
    model: Annotated[str, typer.Argument(help="A model's name, as `models` lists it, or a folder that holds one.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A new folder; its name becomes the model's.")],
    dtype: Annotated[str, typer.Option(help="int8, float16 or bfloat16.")] = "int8",
    on: Annotated[Path | None, typer.Option(help="A folder of clips to measure both on.")] = None,
    most: Annotated[int, typer.Option(min=1, help="How many of the clips.")] = 50,
    as_json: Json = False,
) -> None:
    """Write a copy of a MODEL in coarser numbers to a new folder, for the folder of models.

    Our speech encoders, Whisper checkpoints of transformers (converted for CTranslate2) and ONNX models can be
    quantised. --on measures speed and word errors of both on clips; what is said in them stands in transcripts.tsv
    (id, seconds, text) or in text files beside them. Without that, only how far the two differ is told.
    """
    from ingest.endings import is_sound
    from speechsearch.evaluation.metrics import word_error_rate
    from speechsearch.evaluation.recognition import clips_in, recognised, sounds_of
    from speechsearch.models.catalog import Catalog
    from speechsearch.models.folders import card_of
    from speechsearch.models.quantization import quantize as write
    from speechsearch.service.model_files import ModelFiles
    from speechsearch.service.open import kept_models, known_catalog, models_folder
    from speechsearch.service.settings import read_settings

    settings, given = read_settings(), Path(model).expanduser()
    known, folder, kept = known_catalog(settings).catalog, models_folder(settings), kept_models(settings)
    names = {card.name for card in known.cards}
    if output.name in names:
        raise DuplicateError(f"There is a model '{output.name}' already.", "Name the --output otherwise.")
    if model not in names and given.is_dir():
        card, folder = card_of(given.resolve()), given.resolve().parent
    else:
        card = ModelFiles(known, folder, kept).named(model)[0]
    clips = clips_in(on, lambda name: is_sound(PurePosixPath(name)), most) if on else []
    sounds = sounds_of(clips)
    files = ModelFiles(Catalog([card]), folder, kept).located(card)
    write(card, files, dtype, output)
    both = ((card, folder, files.values()), (card_of(output.resolve()), output.resolve().parent, output.iterdir()))
    measured, texts = [], []
    for one, place, paths in both:
        size_mb = round(sum(path.stat().st_size for path in paths) / 1e6, 3)
        if not clips:
            measured.append(Measured(one.name, size_mb))
            continue
        found = recognised(recognizer_of(one, place, settings), clips, sounds)
        measured.append(Measured(one.name, size_mb, round(found.rate, 1), found.word_error_rate))
        texts.append(found.texts)
    differing = word_error_rate(*texts) if clips else None
    result = Quantized(str(output), measured[0], measured[1], len(clips), differing)
    put(result) if as_json else print("\n".join(lines(result)))


def recognizer_of(card: ModelCard, folder: Path | None, settings: Settings) -> Recognizer:
    """Return a model as a recogniser; a speech encoder writes the likeliest words of what it hears."""
    from speechsearch.models.built_in import MINI_RECOGNIZER
    from speechsearch.models.catalog import Catalog, catalog
    from speechsearch.models.load import ModelLoader
    from speechsearch.service.open import kept_models

    cards = [one for one in catalog().cards if one.name != card.name] + [card]
    if card.task == "speech encoder":
        cards.append(replace(MINI_RECOGNIZER, name=card.name, files=card.files, needs=((card.task, card.name),)))
    chosen = settings.models
    loader = ModelLoader(Catalog(cards), folder, False, chosen.device, chosen.dtype, kept_models(settings))
    return loader.recognizer(card.name)


def lines(result: Quantized) -> list[str]:
    """Return what became of a model, a line a fact."""
    found = [f"{result.folder}: {result.after.size_mb:,.1f} MB instead of {result.before.size_mb:,.1f}."]
    for one in (result.before, result.after) if result.clips else ():
        errors = "" if one.word_error_rate is None else f", word error rate {one.word_error_rate:.1%}"
        found.append(f"{one.model}: {one.rate:,.1f} times real time{errors} ({result.clips} clips)")
    if result.differing is not None:
        found.append(f"They differ in {result.differing:.1%} of the words.")
    return found
