"""The commands that train models of one's own. What a page that is running shall use of them, it uses when started."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from speechsearch.cli_shared import opened

train = typer.Typer(help="Train models of your own.", no_args_is_help=True)


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the program's."""
    app.add_typer(train, name="train")


@train.callback()
def bare() -> None:
    """Train models of your own."""


Questions = Annotated[
    list[Path], typer.Option(help="Questions with their answers, a .csv or .jsonl and .tsv, as Compare takes them.")
]
CodesFrom = Annotated[
    Literal["vectors", "sound"], typer.Option(help="What addresses are made of: the adapter's vectors, or sound alone.")
]
Hears = Annotated[
    Literal["pieces", "frames"],
    typer.Option(help="What is read of sound: likely word pieces, or the encoder's frames."),
]
Update = Annotated[bool, typer.Option("--update", help="Learn what was added since, and repeat the rest.")]
Tiny = Annotated[bool, typer.Option("--tiny", help="So small that it ends in seconds and learns nothing.")]


@train.command()
def generative(
    collection: Annotated[str, typer.Argument(help="The collection that is learnt.")],
    questions: Questions = [],  # noqa: B006 (typer copies defaults)
    update: Update = False,
    codes: CodesFrom = "vectors",
    hears: Hears = "pieces",
    steps: Annotated[int, typer.Option(min=0, help="Steps of training; 0: by the number of passages.")] = 0,
    crops: Annotated[int, typer.Option(min=1, help="Crops of three seconds that are heard of every passage.")] = 4,
    levels: Annotated[int, typer.Option(min=1, max=16, help="Codes of an address.")] = 4,
    codebook_size: Annotated[int, typer.Option(min=2, max=1024, help="How many codes each level has.")] = 64,
    seed: int = 1,
    tiny: Tiny = False,
) -> None:
    """Train the engine `generative` on a COLLECTION (experimental): a network that writes which passage answers.

    An interrupted training, given again, goes on where it was. docs/generative.md says what to expect.
    """
    from speechsearch.domain.visitors import LOCAL
    from speechsearch.training.generative_collection import gather, learn
    from speechsearch.training.generative_recipe import Recipe

    recipe = Recipe(hears, crops, codes_from=codes, levels=levels, codebook_size=codebook_size, seed=seed)
    with opened() as service:
        key = service.browse.resolve(collection, LOCAL)
        gathered = gather(service, key, questions, recipe.tiny() if tiny else recipe, update)
    if not tiny:
        steps = steps or recipe.usual_steps(len(gathered.material.passages))
    print("\n".join(learn(gathered, steps, update)))
    print("The engine `generative` finds them from the next start of the page on.")


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
