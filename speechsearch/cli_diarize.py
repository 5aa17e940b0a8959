"""The command that says who speaks when in files: diarize."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from speechsearch.cli_files import Again, Device, Files, Output, make_of_files
from speechsearch.cli_shared import Json
from speechsearch.domain.errors import InputError

if TYPE_CHECKING:
    from ingest.sources import Source
    from speechsearch.diarization import Mode
    from speechsearch.domain.progress import Progress, ProgressCallback
    from speechsearch.domain.segments import Segment

NO_MODEL = "none"


def add_commands(app: typer.Typer) -> None:
    """Add the command to the program's."""
    app.command()(diarize)


def diarize(
    files: Files,
    speakers: Annotated[str, typer.Option(help="How many there are; auto: as many as are heard.")] = "auto",
    mode: Annotated[
        str, typer.Option(help="channel: a voice on each channel; cluster: by how they sound; auto: what fits.")
    ] = "auto",
    model: Annotated[
        str, typer.Option(help="A recogniser, as `models` lists it, for what they say; none: only who speaks when.")
    ] = "",
    encoder: Annotated[
        str, typer.Option(help="A speaker encoder, as `models` lists it; without it, the packaged one.")
    ] = "",
    language: Annotated[str, typer.Option(help="What is spoken, like en; auto: what the model hears.")] = "auto",
    format: Annotated[str, typer.Option(help="rttm, json, srt, vtt, txt, md; several with commas between.")] = "txt",
    output: Output = None,
    again: Again = False,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Say who speaks when in FILES, and what; nothing is kept but what is written to --output.

    In the format txt there is also one file a speaker. What is there already is not made again. Several files need
    --output; one may be printed.
    """
    from speechsearch.service.diarizer import ENCODER, Diarizer
    from speechsearch.service.open import new_loader, transcriber_of
    from speechsearch.service.output_folder import OutputFolder
    from speechsearch.service.settings import default_recognizer, read_settings
    from speechsearch.service.turn_formats import as_files, formats_in

    count, way = speakers_in(speakers), mode_in(mode)
    settings = read_settings()
    settings = settings.model_copy(update={"models": settings.models.model_copy(update={"device": device})})
    loader = new_loader(settings)
    name = "" if model.lower() == NO_MODEL else model or default_recognizer(settings.engines)
    spoken = None if language.strip().lower() == "auto" else language.strip()
    formats = formats_in("json" if as_json and output is None else format)
    hearing = encoder or ENCODER
    diarizer = Diarizer(loader, settings.limits, hearing)
    transcriber = transcriber_of(settings, loader)

    def make(source: Source, progress: ProgressCallback) -> Mapping[str, str]:
        duration_s = 0.0

        def tell(one: Progress) -> None:
            nonlocal duration_s
            duration_s = one.total
            first, parts = one.stage == "diarize", 2 if name else 1
            progress(replace(one, done=(one.done if first else one.total + one.done) / parts))

        found = diarizer.diarize(source.path, speakers=count, mode=way, progress=tell, name=source.name)
        segments: list[Segment] = []
        if name:
            said = transcriber.segments(source.path, model=name, language=spoken, progress=tell, name=source.name)
            segments = list(said)
        about = {"file": source.name, "task": "diarize", "encoder": hearing, "model": name}
        texts = as_files(found, segments, formats, {**about, "duration": round(duration_s, 3)})
        return texts if output else {kind: texts[kind] for kind in formats}

    how = {
        "encoder": diarizer.encoder.fingerprint,
        "speakers": count,
        "mode": way,
        "model": loader.recognizer(name).fingerprint if name else "",
        "language": spoken,
    }
    folder = OutputFolder(output, how, is_again=again) if output else None
    make_of_files(files, make, formats, folder, settings.limits, as_json=as_json)


def speakers_in(text: str) -> int | None:
    """Return how many speakers a text says; None for auto.

    >>> speakers_in("auto"), speakers_in("3")
    (None, 3)

    Raises:
        InputError: it is no number of one or more.
    """
    if text.strip().lower() == "auto":
        return None
    if not text.strip().isdecimal() or not 1 <= int(text) <= 100:
        raise InputError(f"{text!r:.40} is no number of speakers.", "Give auto, or a number from 1 to 100.")
    return int(text)


def mode_in(text: str) -> Mode:
    """Return how voices are to be told apart. Raises InputError."""
    modes: dict[str, Mode] = {"auto": "auto", "channel": "channel", "cluster": "cluster"}
    if text.lower() not in modes:
        raise InputError(f"{text!r:.40} is no way to tell voices apart.", f"Choose from: {', '.join(modes)}.")
    return modes[text.lower()]
