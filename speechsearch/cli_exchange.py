"""The commands that bring collections in over time and take them out: watch, export, subtitles, publish-space."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechsearch.cli_shared import Json, opened, put
from speechsearch.domain.captions import CaptionFormat
from speechsearch.domain.errors import DataFolderInUseError, InputError

if TYPE_CHECKING:
    from ingest.watch import Ready, Watch

EVERY_S, SETTLE_S = 10.0, 20.0
ROOT = Path(__file__).resolve().parents[1]
"""Of a checkout; only such a one can be published."""


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the program's."""
    app.command()(watch)
    app.command()(export)
    app.command()(subtitles)
    app.command("publish-space")(publish_space)


def watch(
    folder: Annotated[Path, typer.Argument(help="The folder; those in it are watched too.")],
    collection: Annotated[str, typer.Option("--collection", "-c")] = "recordings",
    every_s: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = EVERY_S,
    settle_s: Annotated[
        float, typer.Option(min=0, help="Seconds for which a file must have stayed as it is.")
    ] = SETTLE_S,
    once: Annotated[bool, typer.Option(help="Take in what is there and settled, and end.")] = False,
    no_transcripts: Annotated[bool, typer.Option("--no-transcripts", help="Never make transcripts of these.")] = False,
) -> None:
    """Take in what is put into a FOLDER, until interrupted.

    Between two looks the data folder is free for other commands. While the page is running, it is the page's: then set
    SPEECHSEARCH_WATCH__FOLDER, and the page itself watches.
    """
    from ingest.watch import Watch
    from speechsearch.service.settings import read_settings

    watched = Watch(folder, read_settings().data_dir.expanduser().resolve(), settle_s)
    print(f"Watching {watched.root}. Ctrl+C ends it.", flush=True)
    is_waiting = False
    first_s = time.monotonic()
    while True:
        ready = watched.look(time.monotonic())
        try:
            if ready.sounds:
                _take_in(watched, ready, collection, wants_transcripts=not no_transcripts)
            is_waiting = False
        except DataFolderInUseError as error:
            if not is_waiting:
                print(f"Waiting: {error}", file=sys.stderr, flush=True)
            is_waiting = True
        if once and not is_waiting and time.monotonic() - first_s >= settle_s:
            return
        time.sleep(min(every_s, max(0.1, settle_s)) if once else every_s)


def _take_in(watched: Watch, ready: Ready, collection: str, *, wants_transcripts: bool) -> None:
    """Take in what is ready and make what it lacks; print what became of each file."""
    from ingest.pipeline import run

    with opened() as service, service.workspace() as workspace:
        found = watched.selection(ready, service.limits, workspace)
        for result in run(service.manage, found, collection=collection, wants_transcripts=wants_transcripts):
            line = f"{result.state:>10}  {result.name}  {result.passages} passages  {result.message}"
            print(line.rstrip(), flush=True)
        watched.remember(ready)
        for unmade in service.manage.catch_up():
            print(f"{unmade.state:>10}  {unmade.name}  {unmade.message}", flush=True)


def export(
    collection: Annotated[str, typer.Argument(help="Its name, as `collections` lists it.")],
    target: Annotated[Path, typer.Argument(help="A new folder, or a new file that ends in .zip.")],
    as_json: Json = False,
) -> None:
    """Write a COLLECTION, with all that is known of it, to a folder or ZIP (BagIt) for `ingest` to take in again."""
    with opened() as service:
        if target.suffix.lower() == ".zip":
            size_bytes = service.export.to_zip(collection, target)
            said = f"{size_bytes:,} bytes"
        else:
            files = service.export.to_folder(collection, target)
            said = f"{files:,} files"
    put({"collection": collection, "target": str(target)}) if as_json else print(f"Wrote {target}, {said}.")


def subtitles(
    recording: Annotated[str, typer.Argument(help="Its id, as `show` lists it.")],
    format: Annotated[str, typer.Option(help="vtt or srt")] = "vtt",
    recognizer: Annotated[str, typer.Option(help="Whose transcript; without it, the first there is.")] = "",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; without it, they are printed.")] = None,
) -> None:
    """Write the subtitles of a RECORDING: what a recogniser wrote, or what came with it."""
    kinds: dict[str, CaptionFormat] = {"vtt": "vtt", "srt": "srt"}
    if format not in kinds:
        raise InputError(f"{format!r:.40} is no format of subtitles.", "Choose vtt or srt.")
    with opened() as service:
        text = service.export.subtitles(recording, kinds[format], recognizer)
    if output is None:
        print(text, end="")
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"'{output}' cannot be written: {error.strerror or error}.", "Name another file.") from error


def publish_space(
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The Space; it is made if need be.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and list, send nothing.")] = False,
    hardware: Annotated[str, typer.Option(help="cpu, or zero for ZeroGPU.")] = "cpu",
    private: Annotated[bool, typer.Option(help="Make it private, where it is new.")] = False,
    as_json: Json = False,
) -> None:
    """Send the program to a Hugging Face Space: exactly the folder that it needs, checked before."""
    from speechsearch.service import space

    kinds: dict[str, space.Hardware] = {"cpu": "cpu", "zero": "zero"}
    if hardware not in kinds:
        raise InputError(f"{hardware!r:.40} is no hardware of a Space.", "Choose cpu or zero.")
    with tempfile.TemporaryDirectory() as work:
        send = None if dry_run else space.upload
        sent, address = space.publish(ROOT, Path(work), repository, kinds[hardware], is_private=private, send=send)
    if as_json:
        put({"space": repository, "address": address, "files": sent})
        return
    for one in sent:
        print(f"{one.size_bytes:>12,}  {'git' if one.is_plain else 'Xet'}  {one.path}")
    total_bytes = sum(one.size_bytes for one in sent)
    print(f"{total_bytes:>12,}  in all, {len(sent)} files. {address or 'Nothing was sent: a dry run.'}")
