"""What all commands share: the open service, and how values are printed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

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
