"""The commands about models: which there are, how they come here, are checked, are written for others, and go."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speechsearch.cli_shared import Json, put

if TYPE_CHECKING:
    from speechsearch.service.model_files import ModelFiles, ModelState

models = typer.Typer(
    help="Which models there are, and their files; without a command, they are listed.", invoke_without_command=True
)
Name = Annotated[str, typer.Argument(help="A model's name, as `models` lists it.")]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the program's."""
    app.add_typer(models, name="models")


def _files() -> ModelFiles:
    from speechsearch.service.open import model_files
    from speechsearch.service.settings import read_settings

    return model_files(read_settings())


@models.callback()
def bare(context: typer.Context, as_json: Json = False) -> None:
    """Which models there are, and their files; without a command, they are listed."""
    if context.invoked_subcommand is None:
        list_models(as_json)


@models.command("list")
def list_models(as_json: Json = False) -> None:
    """List models and engines: what they are for, whether they are here, and which the settings use."""
    from speechsearch.models.public_models import KNOWN
    from speechsearch.retrieval.engine_cards import engine_cards
    from speechsearch.service.known_models import used_models
    from speechsearch.service.settings import read_settings

    files = _files()
    used = sorted(used_models(files.catalog, read_settings().engines))
    states = [files.state(card) for card in files.catalog.cards]
    here = {card.name for card in files.catalog.cards}
    by_folder = {name: one for name, one in KNOWN.items() if name not in here}
    if as_json:
        installed = [(one.card.task, one.card.name) for one in states if one.is_installed]
        put(
            {
                "models": files.catalog.cards,
                "used": used,
                "installed": installed,
                "refused": files.refused,
                "by_folder": by_folder,
                "engines": engine_cards(),
            }
        )
        return
    for one in states:
        print(line(one, is_used=(one.card.task, one.card.name) in used))
    for name, reason in files.refused.items():
        print(f"{name}  (a folder in your folder of models that is no model)  {reason}")
    for name, public in by_folder.items():
        print(
            f"{name}  ({public.task}, {public.licence}, comes as a folder: {public.how_to_get(name)})  {public.summary}"
        )
    for engine in engine_cards():
        print(f"{engine.name}  ({engine.label}, searches {engine.searches})  {engine.summary}")


@models.command()
def show(name: Name, as_json: Json = False) -> None:
    """Show all that is known of a model."""
    from speechsearch.service.known_models import languages, parameters

    files = _files()
    states = [files.state(card) for card in files.named(name)]
    if as_json:
        put(states)
        return
    for number, state in enumerate(states):
        card = state.card
        sizes = [(f"{parameters(card)} parameters", card.parameters_m)]
        sizes += [
            (f"{mb:,.0f} MB of {what}", mb) for what, mb in (("files", card.download_mb), ("memory", card.memory_mb))
        ]
        can = ["take hotwords"] * card.takes_hotwords + ["translate into English"] * card.translates
        facts: dict[str, Any] = {
            "name": card.name,
            "task": card.task,
            "about": card.summary,
            "languages": ", ".join(card.languages) or languages(()),
            "size": ", ".join(text for text, mb in sizes if mb),
            "licence": card.licence,
            "can": ", ".join(can),
            "needs": ", ".join(f"{needed} ({task})" for task, needed in card.needs),
            "files": ", ".join(file.name for file in card.files),
            "installed": "yes" if state.is_installed else "no",
            "to get it": state.how,
        }
        print(*[""] * (number > 0), *(f"{key:>9}  {value}" for key, value in facts.items() if value), sep="\n")


@models.command()
def download(name: Name, as_json: Json = False) -> None:
    """Fetch a model's files from the model hub: the pinned revision, each checked by its sha256."""
    files = _files()
    paths = [str(path) for card in files.named(name) for path in files.download(card, _say)]
    put({"model": name, "files": paths}) if as_json else print(f"{name} is here: {len(paths)} files.")


@models.command()
def verify(
    name: Annotated[str, typer.Argument(help="A model's name; without it, all models that are here.")] = "",
    as_json: Json = False,
) -> None:
    """Compare the files of models with the sha256 that their cards name; exit with 1 if one is wrong or missing."""
    files = _files()
    cards = files.named(name) if name else [card for card in files.catalog.cards if files.state(card).is_installed]
    found = [file for card in cards for file in files.verified(card)]
    if as_json:
        put(found)
    else:
        for one in found:
            print(f"{one.state:>7}  {one.model}  {one.file}  {one.message}")
    raise typer.Exit(1 if any(one.state != "ok" for one in found) else 0)


@models.command()
def remove(name: Name, as_json: Json = False) -> None:
    """Remove what was downloaded of a model; what came with packages, or was put there by hand, stays."""
    files = _files()
    card = files.named(name)[0]
    size_bytes = files.remove(card)
    put({"model": name, "removed_bytes": size_bytes}) if as_json else print(f"Removed {name}: {size_bytes:,} bytes.")


@models.command()
def export(
    name: Annotated[str, typer.Argument(help="A sound embedder, as `models` lists it.")],
    target: Annotated[Path, typer.Argument(help="A new folder.")],
    form: Annotated[str, typer.Option("--to", help="onnx or torchscript")] = "onnx",
    triton: Annotated[bool, typer.Option("--triton", help="Write a repository of models for Triton.")] = False,
    batch: Annotated[int, typer.Option(help="Triton: how many requests are computed together at most.")] = 16,
    delay_ms: Annotated[int, typer.Option(help="Triton: how long one waits for others.")] = 20,
    instances: Annotated[int, typer.Option(help="Triton: how many of it compute at once.")] = 1,
    gpu: Annotated[bool, typer.Option("--gpu", help="Triton: on GPUs.")] = False,
    as_json: Json = False,
) -> None:
    """Write a sound embedder's network for other programs, and compare it with PyTorch: vectors and speed.

    What is exported turns codes into vectors; the codes are made by `tokenize`. Collections are exported by `export`.
    """
    from speechsearch.models.sound_export import export as write
    from speechsearch.models.triton import Serving

    files = _files()
    card = files.catalog.get("sound embedder", name)
    found = write(card, files.located(card), form, target, Serving(batch, delay_ms, instances, gpu) if triton else None)
    if as_json:
        put(found)
        return
    print(f"{found.file}: {found.size_bytes:,} bytes.")
    print(
        f"{found.compared} vectors agree with PyTorch's within {found.largest_difference:.1e} "
        f"(allowed: {found.tolerance:.0e})."
    )
    for one in found.timings:
        times = f"PyTorch {one.pytorch_ms:.2f} ms, {found.form} {one.exported_ms:.2f} ms"
        print(f"Batch of {one.batch}: {times} ({found.threads} threads).")


def line(state: ModelState, *, is_used: bool) -> str:
    """Return a model in one line."""
    from speechsearch.service.known_models import languages, parameters

    card = state.card
    facts = [card.task, card.licence, languages(card.languages), f"{parameters(card)} parameters"]
    facts += ["in use"] * is_used + [f"not here: {state.how}"] * (not state.is_installed)
    return f"{card.name}  ({', '.join(facts)})  {card.summary}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
