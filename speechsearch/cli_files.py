"""What the commands share that make something of files: the files are found, worked on one by one, and written down.

One bad file does not stop the others; what is done stays when the command is interrupted, and is not made again.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from speechsearch.cli_shared import clear_progress, put, show_progress
from speechsearch.domain.errors import (
    CapabilityError,
    ConfigurationError,
    InputError,
    MissingDependencyError,
    ModelUnavailableError,
    NotFoundError,
)
from speechsearch.domain.times import length

if TYPE_CHECKING:
    from ingest.meter import Meter
    from ingest.sources import Selection, Source
    from speechsearch.domain.limits import Limits
    from speechsearch.domain.progress import Progress, ProgressCallback
    from speechsearch.service.output_folder import OutputFolder

Files = Annotated[list[Path], typer.Argument(help="Files, folders, zip and tar archives.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="A folder; without it, one file is printed.")]
Again = Annotated[bool, typer.Option("--again", help="Make what is there already again, and replace it.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]

Make = Callable[["Source", "ProgressCallback"], Mapping[str, str]]
"""Makes the outputs of a file, by their endings: those asked for, and maybe more that belong to one of them.

It reports how many seconds of the file are done.
"""
NOT_OF_THE_FILE = (
    CapabilityError, ConfigurationError, MissingDependencyError, ModelUnavailableError, NotFoundError,
)  # fmt: skip
"""Errors of models and options: the other files would fail of the same."""


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of a file; ``state``: "ready" where it was done before."""

    name: str
    state: Literal["written", "ready", "failed"]
    outputs: tuple[str, ...] = ()
    duration_s: float = 0.0
    message: str = ""


def make_of_files(
    files: Sequence[Path],
    make: Make,
    endings: Sequence[str],
    folder: OutputFolder | None,
    limits: Limits,
    *,
    as_json: bool = False,
) -> None:
    """Make something of every file, into a folder or printed, say what became of each, and end the command.

    Raises:
        InputError: several files or outputs cannot be printed.
        typer.Exit: with 1 if a file failed, else with 0.
    """
    from ingest.discover import discover

    with tempfile.TemporaryDirectory() as workspace:
        found = discover(files, limits, Path(workspace))
        if folder is None and (found.files > 1 or len(endings) > 1):
            raise InputError("Only one file in one format can be printed.", "Name a folder with --output.")
        outcomes: list[FileOutcome] = []
        try:
            for outcome in _outcomes(found, make, endings, folder):
                outcomes.append(outcome)
                clear_progress()
                if not as_json or folder is None:
                    _say(outcome, is_printed=folder is None)
        except KeyboardInterrupt:
            clear_progress()
            print("Interrupted. What is done stays; the same command goes on from there.", file=sys.stderr)
            raise
    if folder is not None:
        states = Counter(one.state for one in outcomes)
        put(outcomes) if as_json else print(f"{', '.join(f'{number} {state}' for state, number in states.items())}.")
    raise typer.Exit(1 if any(one.state == "failed" for one in outcomes) else 0)


def _outcomes(
    found: Selection, make: Make, endings: Sequence[str], folder: OutputFolder | None
) -> Iterator[FileOutcome]:
    """Yield what becomes of each file."""
    from ingest.meter import Meter
    from ingest.sources import Rejected

    meter = Meter(found, show_progress)
    for one in found:
        if isinstance(one, Rejected):
            if one.state == "failed":
                meter.pass_over()
                yield FileOutcome(one.name, "failed", message=str(one.error))
            continue
        meter.start_file(one)
        outcome = _outcome(one, make, endings, folder, meter)
        meter.finish_file(outcome.duration_s)
        yield outcome


def _outcome(
    source: Source, make: Make, endings: Sequence[str], folder: OutputFolder | None, meter: Meter
) -> FileOutcome:
    """Make the outputs of a file."""
    from ingest.bags import content_hash
    from ingest.pipeline import explain

    began_s, duration_s = time.monotonic(), 0.0

    def tell(progress: Progress) -> None:
        nonlocal duration_s
        duration_s = progress.total
        meter.passages_of(progress.total)(0, progress.done)

    try:
        if folder is None:
            for text in make(source, tell).values():
                clear_progress()
                print(text, end="", flush=True)
            return FileOutcome(source.name, "written", (), duration_s)
        begun = folder.begin(source.name, content_hash(source.path), endings)
        if begun is None:
            return FileOutcome(source.name, "ready")
        texts = make(source, tell)
        wanted = {ending: text for ending, text in texts.items() if ending in begun.endings or ending not in endings}
        paths = folder.finish(begun, wanted)
    except NOT_OF_THE_FILE:
        raise
    except Exception as error:  # one file is not to stop the others
        if folder is not None:
            folder.abandon()
        message = explain(error, f"{source.name} failed")
        return FileOutcome(source.name, "failed", message=message)
    rate = duration_s / max(1e-9, time.monotonic() - began_s)
    said = f"{length(duration_s)}, {rate:.1f}x real time"
    return FileOutcome(source.name, "written", tuple(map(str, paths)), duration_s, said)


def _say(outcome: FileOutcome, *, is_printed: bool) -> None:
    """Print what became of a file; beside a text that is printed only errors are said, and not among it."""
    if outcome.state == "failed":
        print(f"{outcome.state:>10}  {outcome.name}  {outcome.message}", file=sys.stderr if is_printed else sys.stdout)
    elif not is_printed:
        print(f"{outcome.state:>10}  {outcome.name}  {outcome.message}".rstrip(), flush=True)
