"""What all commands share: the open service, and how values are printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from speechsearch.domain.progress import Progress
from speechsearch.domain.times import clock

if TYPE_CHECKING:
    from speechsearch.service.open import Service

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


@contextmanager
def opened(purpose: Literal["use", "check", "rebuild"] = "use") -> Iterator[Service]:
    """Open the service of the settings."""
    from speechsearch.service.open import Service
    from speechsearch.service.settings import read_settings
    from speechsearch.service.surroundings import keep_private

    keep_private()
    with Service.open(read_settings(), purpose) as service:
        yield service


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
