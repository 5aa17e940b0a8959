"""Commands that make recordings searchable, in this process or on a Ray cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from speechsearch.cli_shared import Adapter, Json, opened, put, settings_with, show_progress
from speechsearch.domain.errors import InputError

if TYPE_CHECKING:
    from cluster.listing import Listed
    from ingest.pipeline import FileResult
    from ingest.sources import Selection
    from speechsearch.domain.progress import ProgressCallback
    from speechsearch.library.second_pass import Unmade
    from speechsearch.service.open import Service


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be taken in, and how; ``find`` lists what lies at paths, or what else was named."""

    find: Callable[[Service, list[Path], Path], Selection]
    sources: list[str]
    collection: str
    wants_transcripts: bool
    wants_passes: bool
    is_retried: bool
    address: str
    adapter: str


def add_commands(app: typer.Typer) -> None:
    """Add these commands to an app."""
    app.command()(ingest)


def ingest(
    sources: Annotated[list[str] | None, typer.Argument(help="Files, folders, zip and tar archives.")] = None,
    collection: Annotated[str, typer.Option("--collection", "-c")] = "recordings",
    dataset: Annotated[str, typer.Option(help="A hub dataset's name or a local one's folder.")] = "",
    feed: Annotated[str, typer.Option(help="The address of a podcast's RSS feed.")] = "",
    split: str = "train",
    audio_column: str = "",
    limit: Annotated[int, typer.Option(min=0)] = 0,
    wait: Annotated[bool, typer.Option(help="Also make the transcripts, and wait for them.")] = False,
    no_transcripts: Annotated[bool, typer.Option("--no-transcripts", help="Never make transcripts of these.")] = False,
    on: Annotated[
        Literal["here", "ray"], typer.Option(help="Where the work is done; ray: docs/operations.md.")
    ] = "here",
    address: Annotated[str, typer.Option(help="With --on ray: of the cluster, or auto; none: this machine.")] = "",
    retry: Annotated[bool, typer.Option("--retry", help="With --on ray: try what was set aside again.")] = False,
    adapter: Adapter = "",
    as_json: Json = False,
) -> None:
    """Make recordings searchable: files, folders, zip and tar archives, a --dataset or a podcast's --feed.

    They are searchable by their sound as soon as each is done. Transcripts, which the baseline searches, are made
    afterwards by the running page, or now with --wait. On Ray, addresses such as s3://bucket/talks/ are SOURCES too.
    """
    if [bool(sources), bool(dataset), bool(feed)].count(True) != 1:
        hint = "For example: python -m speechsearch ingest talks/"
        raise InputError("Name files and folders, or a dataset, or a feed.", hint)

    def find(service: Service, paths: list[Path], work: Path) -> Selection:
        from ingest.discover import discover
        from ingest.feeds import new_episodes
        from ingest.hub import dataset_sources

        if dataset:
            column, most = audio_column or None, limit or None
            return dataset_sources(
                dataset, split=split, audio_column=column, limit=most, workspace=work, limits=service.limits
            )
        if feed:
            return new_episodes(service, feed, collection, work, limit or None)
        return discover(paths, service.limits, work)

    work = on_ray if on == "ray" else here
    asked = Asked(find, sources or [], collection, not no_transcripts, wait, retry, address, adapter)
    results: list[FileResult | Unmade] = []
    for result in work(asked, None if as_json else show_progress):
        results.append(result)
        if not as_json:
            about = f"{result.passages} passages  " if result.passages else ""
            print(f"\r\033[K{result.state:>10}  {result.name}  {about}{result.message}".rstrip())
    if as_json:
        put(results)
    elif results:
        print(f"{', '.join(f'{number} {state}' for state, number in Counter(r.state for r in results).items())}.")
    raise typer.Exit(1 if any(result.state == "failed" for result in results) else 0)


def here(asked: Asked, progress: ProgressCallback | None) -> Iterator[FileResult | Unmade]:
    """Take in recordings in this process, and yield what became of each."""
    from ingest.pipeline import run

    with opened(adapter=asked.adapter) as service, service.workspace() as workspace:
        found = asked.find(service, [Path(one) for one in asked.sources], workspace)
        yield from run(
            service.manage,
            found,
            collection=asked.collection,
            progress=progress,
            wants_transcripts=asked.wants_transcripts,
        )
        if asked.wants_passes:
            yield from service.manage.catch_up(progress)
        elif progress and (missing := service.manage.missing()):
            passages = sum(one.passages for one in missing if one.maker == missing[0].maker)
            print(
                f"{passages} passages wait for the second pass (transcripts, who speaks): the page does it, or --wait."
            )


def on_ray(asked: Asked, progress: ProgressCallback | None) -> Iterator[FileResult | Unmade]:
    """Take in recordings on Ray, and yield what became of each; see ``cluster.ingest_on_ray``."""
    from cluster import How, ingest_on_ray
    from cluster.listing import listed
    from speechsearch.service.surroundings import keep_private

    def find(service: Service, workspace: Path) -> tuple[Selection, Listed]:
        places = listed(asked.sources, service.limits, workspace)
        return asked.find(service, places.paths, workspace), places

    keep_private()
    how = How(asked.collection, asked.wants_transcripts, asked.is_retried, asked.wants_passes)
    return ingest_on_ray(settings_with(asked.adapter), find, how, address=asked.address, progress=progress)
