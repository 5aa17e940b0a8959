"""What all commands share: the open service, and how values are printed."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from speechsearch.domain.errors import InputError
from speechsearch.domain.progress import Progress
from speechsearch.domain.times import clock

if TYPE_CHECKING:
    from speechsearch.domain.values import Filters, Query
    from speechsearch.service.open import Service
    from speechsearch.service.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
InCollection = Annotated[str, typer.Option("--collection", "-c", help="Search only this collection.")]
OfSpeakers = Annotated[list[str], typer.Option("--speaker", help="Only this speaker; can be given several times.")]
InLanguages = Annotated[list[str], typer.Option("--language", help="Only this language; can be given several times.")]
From = Annotated[str, typer.Option("--from", help="Only recordings from this date on: 2019, 2019-03 or 2019-03-04.")]
To = Annotated[str, typer.Option("--to", help="Only recordings up to this date, all of it included.")]
DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?", re.ASCII)
Adapter = Annotated[
    str, typer.Option(help="A speech adapter that hears in place of the settings' encoder: its folder, or a hub name.")
]
Spoken = Annotated[Path | None, typer.Option("--audio", help="A spoken question instead of a typed one.")]


@contextmanager
def opened(purpose: Literal["use", "check", "rebuild"] = "use", adapter: str = "") -> Iterator[Service]:
    """Open the service of the settings; ``adapter``: what hears in place of what they name."""
    from speechsearch.service.open import Service
    from speechsearch.service.surroundings import keep_private

    keep_private()
    with Service.open(settings_with(adapter), purpose) as service:
        yield service


def settings_with(adapter: str) -> Settings:
    """Return the settings, with a speech adapter as what hears if one is named. Raises ModelUnavailableError."""
    from speechsearch.service.settings import read_settings

    if not adapter:
        return read_settings()
    from speechsearch.service.adapters import with_adapter

    return with_adapter(read_settings(), adapter)


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it; dataclasses become dictionaries."""
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def put(value: Any) -> None:
    """Print a value as one JSON document."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=plain))


def show_progress(progress: Progress) -> None:
    """Draw the progress over the line before, on a terminal."""
    if sys.stderr.isatty():
        left = "" if progress.remaining_s is None else f", {clock(progress.remaining_s)} left"
        rate = f"{progress.rate:.0f}" if progress.rate >= 10 else f"{progress.rate:.1f}"
        line = f"{progress.fraction:4.0%}  {progress.name[:60]}  {rate}x real time{left}"
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)


def clear_progress() -> None:
    """Take the line of the progress away, so that another can be printed there."""
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def query_of(service: Service, text: str, spoken: Path | None, filters: Filters, top_k: int = 5) -> Query:
    """Return the query of a command's arguments."""
    from speechsearch.domain.values import Query

    return Query(text, service.search.query_audio(spoken) if spoken else None, top_k, filters)


def filters_of(collection: str, speaker: list[str], language: list[str], date_from: str, date_to: str) -> Filters:
    """Return what a command's options narrow its search to."""
    from speechsearch.domain.values import Filters

    for date in (date_from, date_to):
        if date and not DATE.fullmatch(date):
            raise InputError(f"{date!r:.60} is not a date.", "Write it as 2019, 2019-03 or 2019-03-04.")
    return Filters((collection,) if collection else (), (), tuple(speaker), tuple(language), date_from, date_to)
