"""The command that turns sound into the codes of an audio tokenizer: tokenize."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from speechsearch.cli_files import Again, Device, Files, Output, make_of_files
from speechsearch.cli_shared import Json

if TYPE_CHECKING:
    from ingest.sources import Source
    from speechsearch.domain.progress import ProgressCallback


def add_commands(app: typer.Typer) -> None:
    """Add the command to the program's."""
    app.command()(tokenize)


def tokenize(
    files: Files,
    model: Annotated[str, typer.Option(help="An audio tokenizer, as `models` lists it; without, the settings'.")] = "",
    output: Output = None,
    again: Again = False,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Turn the sound of FILES, speech or music, into codes: a list a quantizer, the coarsest first.

    Codes are kept in the data folder by what a file holds and which tokenizer made them, so that nothing is computed
    twice. Several files need --output; one may be printed.
    """
    from ingest.bags import content_hash
    from speechsearch.service.open import new_loader, tokens_of
    from speechsearch.service.output_folder import OutputFolder
    from speechsearch.service.settings import read_settings

    settings = read_settings()
    settings = settings.model_copy(update={"models": settings.models.model_copy(update={"device": device})})
    model = model or settings.engines.audio_tokenizer
    loader = new_loader(settings)
    fingerprint = loader.audio_tokenizer(model).fingerprint
    tokens = tokens_of(settings, loader)

    def make(source: Source, progress: ProgressCallback) -> Mapping[str, str]:
        made = tokens.of(source.path, content_hash(source.path), model, name=source.name, progress=progress)
        written = {
            "file": source.name,
            "model": model,
            "fingerprint": fingerprint,
            "duration_s": round(made.duration_s, 3),
            "computed_in_s": round(made.spent_s, 3),
            "codebook_size": made.tokens.codebook_size,
            "frame_hz": made.tokens.frame_hz,
            "codes": made.tokens.codes.tolist(),
        }
        return {"json": json.dumps(written) + "\n"}

    folder = OutputFolder(output, {"model": fingerprint}, is_again=again) if output else None
    make_of_files(files, make, ["json"], folder, settings.limits, as_json=as_json)
