"""The command that writes down what is said in files: transcribe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speechsearch.cli_files import Again, Device, Files, Output, make_of_files
from speechsearch.cli_shared import Json, clear_progress

if TYPE_CHECKING:
    from ingest.sources import Source
    from speechsearch.domain.progress import Progress, ProgressCallback
    from speechsearch.domain.segments import Segment


def add_commands(app: typer.Typer) -> None:
    """Add the command to the program's."""
    app.command()(transcribe)


def transcribe(
    files: Files,
    model: Annotated[
        str, typer.Option(help="A recogniser, as `models` lists it; without it, that of the settings.")
    ] = "",
    language: Annotated[str, typer.Option(help="What is spoken, like en; auto: what the model hears.")] = "auto",
    translate: Annotated[
        bool, typer.Option("--translate", help="Write in English what is said in a language.")
    ] = False,
    hotwords: Annotated[str, typer.Option(help="Names and terms that may be said, with commas between.")] = "",
    format: Annotated[str, typer.Option(help="txt, json, srt, vtt, tsv; several with commas between.")] = "txt",
    output: Output = None,
    again: Again = False,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Write down what is said in FILES; nothing is kept but what is written to --output.

    What is there already is not made again, so that an interrupted command goes on where it was. Several files need
    --output; one may be printed, for another program to read.
    """
    from speechsearch.domain.segments import language_of
    from speechsearch.service.open import new_loader, transcriber_of
    from speechsearch.service.output_folder import OutputFolder
    from speechsearch.service.segment_log import SegmentLog
    from speechsearch.service.settings import default_recognizer, read_settings
    from speechsearch.service.transcript_formats import as_lines, as_transcript, formats_in

    settings = read_settings()
    settings = settings.model_copy(update={"models": settings.models.model_copy(update={"device": device})})
    loader = new_loader(settings)
    name = model or default_recognizer(settings.engines)
    spoken = None if language.strip().lower() == "auto" else language.strip()
    words = [word.strip() for word in hotwords.split(",") if word.strip()]
    formats = formats_in("json" if as_json and output is None else format)
    is_streamed = output is None and formats == ["txt"]
    transcriber = transcriber_of(settings, loader)

    fingerprint = loader.recognizer(name).fingerprint
    cut_s = [settings.segmentation.shortest_s, settings.segmentation.longest_s]
    how = {"model": fingerprint, "language": spoken, "translate": translate, "hotwords": words, "cut_s": cut_s}
    folder = OutputFolder(output, how, is_again=again) if output else None

    def make(source: Source, progress: ProgressCallback) -> Mapping[str, str]:
        duration_s = 0.0

        def tell(one: Progress) -> None:
            nonlocal duration_s
            duration_s = one.total
            progress(one)

        log = SegmentLog(folder.unfinished) if folder else None
        segments: list[Segment] = list(log.segments) if log else []
        for segment in transcriber.segments(
            source.path,
            model=name,
            language=spoken,
            hotwords=words,
            to_english=translate,
            progress=tell,
            name=source.name,
            after_s=segments[-1].span.end_s if segments else 0.0,
        ):
            segments.append(segment)
            if log:
                log.add(segment)
            if is_streamed:
                clear_progress()
                print(*as_lines([segment]), sep="\n", flush=True)
        about: dict[str, Any] = {
            "file": source.name,
            "task": "translate" if translate else "transcribe",
            "model": name,
            "language": spoken or language_of(segments),
            "duration": round(duration_s, 3),
        }
        return {} if is_streamed else {kind: as_transcript(segments, kind, about) for kind in formats}

    make_of_files(files, make, formats, folder, settings.limits, as_json=as_json)
