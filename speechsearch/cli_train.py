"""Commands that train models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

train = typer.Typer(help="Train a model of your own.", no_args_is_help=True)


def add_commands(app: typer.Typer) -> None:
    """Add these commands to an app."""
    app.add_typer(train, name="train")


@train.callback()
def several() -> None:
    """Train a model of your own."""


@train.command()
def adapter(
    config: Annotated[Path, typer.Option(help="What to train: a YAML file; see configs/.")],
    out: Annotated[
        Path | None, typer.Option(help="Where it goes; without it, runs/ and the configuration's name.")
    ] = None,
    kept: Annotated[
        Path | None, typer.Option(help="Where what was heard is kept; several trainings may share it.")
    ] = None,
    tiny: Annotated[bool, typer.Option("--tiny", help="The same in a minute, to see that it works.")] = False,
    push: Annotated[str, typer.Option(help="Afterwards, send the adapter to the hub under this name, private.")] = "",
) -> None:
    """Train a speech adapter between a speech encoder and a text encoder; it goes on where it was stopped."""
    from speechsearch.models.adapter_folder import push_to_hub
    from speechsearch.service.adapters import training_loader
    from speechsearch.service.settings import read_settings
    from speechsearch.training.speechrag_config import read_training
    from speechsearch.training.speechrag_config import tiny as in_tiny
    from speechsearch.training.train_speechrag import Trainer

    wanted = read_training(config)
    wanted = in_tiny(wanted) if tiny else wanted
    folder = out or Path("runs") / f"{wanted.name}{'-tiny' if tiny else ''}"
    loader = training_loader(read_settings(), wanted.text_encoder_bits)
    made = Trainer(wanted, folder, loader, kept, lambda text: print(text, flush=True)).run()
    print(f'The adapter is in {made}. Search with it: speechsearch search --adapter {made} "..."')
    if push:
        print(push_to_hub(made, push))
