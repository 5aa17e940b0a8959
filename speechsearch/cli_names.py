"""The commands about My names: list, add, remove, import, export, heard, confirm, reject."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from speechsearch.cli_shared import Json, opened, put
from speechsearch.domain.listed_name import table_of
from speechsearch.domain.times import clock

names = typer.Typer(
    help="My names: names and terms, and how they sound. Searches hear them so; nothing is transcribed again.",
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(help="As it is written.")]
PassageId = Annotated[str, typer.Argument(help="As 'names heard' says it.")]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the program's."""
    app.add_typer(names, name="names")


@names.command("list")
def show(as_json: Json = False) -> None:
    """List the names."""
    with opened() as service:
        found = [(one, one.has_example(service.names.fingerprint)) for one in service.names.find()]
    if as_json:
        put(
            [
                {
                    "name": one.written,
                    "sounds_like": one.sounds_like,
                    "has_example": has_example,
                    "is_damaged": one.is_damaged,
                }
                for one, has_example in found
            ]
        )
        return
    for one, has_example in found:
        if one.is_damaged:
            print(f"{one.written}  (damaged: how it sounds cannot be read; add it again)")
            continue
        sounds = "; ".join((*one.sounds_like, *("a recorded example",) * has_example))
        print(f"{one.written}{f'  (sounds like: {sounds})' if sounds else ''}")


@names.command()
def add(
    name: Name,
    sounds_like: Annotated[list[str], typer.Option(help="A spelling that sounds like it; up to five times.")] = [],  # noqa: B006
    example: Annotated[Path | None, typer.Option(help="A file with the name, said once.")] = None,
) -> None:
    """Add a NAME, or say anew how it sounds; with an EXAMPLE alone, spellings that it has stay."""
    with opened() as service:
        known = {one.written.casefold(): one.sounds_like for one in service.names.find()}
        stays = known.get(name.strip().casefold(), ()) if example else ()
        service.names.put(name, tuple(sounds_like) or stays)
        if example is not None:
            service.names.record(name, example)


@names.command()
def remove(name: Name) -> None:
    """Remove a NAME, with what was confirmed and rejected."""
    with opened() as service:
        service.names.remove(name)


@names.command("import")
def take_in(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)], as_json: Json = False) -> None:
    """Add the names of a CSV FILE: a name a line, and in the other columns how it sounds."""
    with opened() as service:
        found = service.names.import_table(file.read_bytes())
    if as_json:
        put(found)
    else:
        print("\n".join((*found.refused, f"{found.added} added, {found.changed} changed.")))
    raise typer.Exit(1 if found.refused else 0)


@names.command()
def export(file: Annotated[Path | None, typer.Argument(dir_okay=False)] = None) -> None:
    """Write the names to a CSV FILE, or print them."""
    with opened() as service:
        table = table_of(service.names.find())
    if file is None:
        print(table, end="")
    else:
        file.write_text(table, encoding="utf-8", newline="")


@names.command()
def heard(
    name: Annotated[str, typer.Argument(help="One of the list; all of them when left out.")] = "",
    collection: Annotated[str, typer.Option("--collection", "-c", help="Only this collection.")] = "",
    top_k: Annotated[int, typer.Option("--top-k", "-k", min=1, max=200, help="How many passages a name.")] = 20,
    as_json: Json = False,
) -> None:
    """List the passages in which a NAME was heard, the likeliest first; rejected ones are left out."""
    with opened() as service:
        wanted = [service.names.get(name)] if name else service.names.find()
        found = {one.written: service.names_heard.find(one.written, top_k, collection) for one in wanted}
    if as_json:
        put(found)
        return
    for written, passages in found.items():
        print(f"{written}: {len(passages) or 'nowhere'}")
        for one in passages:
            said = "confirmed" if one.is_said else f"{one.heard.likelihood:.0%}"
            at = clock(one.passage.span.start_s + one.heard.start_s)
            print(
                f"{said:>10}  {one.recording.title}  {at}{'  written' * one.heard.is_written}  {one.passage.passage_id}"
            )


@names.command()
def confirm(name: Name, passage_id: PassageId) -> None:
    """Keep that a NAME is said in a passage."""
    with opened() as service:
        service.names.judge(name, passage_id, is_said=True)


@names.command()
def reject(name: Name, passage_id: PassageId) -> None:
    """Keep that a NAME is not said in a passage: it is not shown there again."""
    with opened() as service:
        service.names.judge(name, passage_id, is_said=False)
