"""The command that changes what is said about a recording."""

from __future__ import annotations

from typing import Annotated

import typer

from speechsearch.cli_shared import Json, opened, put
from speechsearch.domain.errors import InputError


def add_commands(app: typer.Typer) -> None:
    """Add the command to the program's."""
    app.command()(edit)


def edit(
    recording: Annotated[str, typer.Argument(help="Its id, the beginning of it, or the name of its file.")],
    title: Annotated[str | None, typer.Option(help="Its title.")] = None,
    speaker: Annotated[str | None, typer.Option(help="Who speaks.")] = None,
    date: Annotated[str | None, typer.Option(help="When: 2019, 2019-03, 2019-03-04 or 2019-03-04T14:30+02:00.")] = None,
    language: Annotated[str | None, typer.Option(help="Its language, like en.")] = None,
    licence: Annotated[str | None, typer.Option(help="Its licence.")] = None,
    source: Annotated[str | None, typer.Option(help="Where it comes from.")] = None,
    as_json: Json = False,
) -> None:
    """Change what is said about a RECORDING; what is not named stays, and an empty value removes."""
    given = {
        "title": title,
        "speaker": speaker,
        "date": date,
        "language": language,
        "licence": licence,
        "source": source,
    }
    changes = {name: " ".join(value.split()) for name, value in given.items() if value is not None}
    if not changes:
        raise InputError("There is nothing to change.", "For example: --title 'The opening' --speaker Ann")
    with opened() as service:
        found = service.browse.recording_named(recording)
        changed = service.manage.change_recording(found.recording_id, changes)
    if as_json:
        put(changed)
    else:
        print(f"{changed.title}: " + ", ".join(f"{name} {getattr(changed, name) or 'removed'}" for name in changes))
