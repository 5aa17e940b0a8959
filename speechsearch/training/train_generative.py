"""Recipe: train a model that writes the addresses of a collection's passages (``speechsearch train generative``).

Step 1 makes addresses and semantic units, and reports how good they are. Step 2 trains on whole passages and crops of
them, step 3 on questions too. The loss is the cross-entropy of units plus that of addresses. A batch depends only on
seed and step, so that a training that was interrupted ends as one that was not. New passages are learnt by going on
with what is there, while as many old ones are repeated (``update``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from speechsearch.domain.errors import InputError, ModelUnavailableError
from speechsearch.models.files import sha256_of
from speechsearch.models.generative.code_trie import tokens_of
from speechsearch.models.generative.generator import UnityGenerator, network_of
from speechsearch.models.generative.listener import Listener
from speechsearch.models.generative.unity import UnityModel
from speechsearch.models.generative_cards import ADDRESSES, MANIFEST, WEIGHTS, learnt_of
from speechsearch.training.generative_codes import CodeReport, addresses_of
from speechsearch.training.generative_data import Item, Lessons, Material, Mix, chunks
from speechsearch.training.generative_recipe import Coder, Recipe
from speechsearch.training.rates import rate_at
from speechsearch.training.steps import Steps

LOWEST_RATE = 0.02
CODES = "codes.safetensors"
PRETRAIN = Mix(0.5, 0.5, 0.0)
FINETUNE = Mix(0.2, 0.2, 0.6)
ASKED_AT_ONCE = 32
MEASURED = 300
"""So many crops say how well what was learnt is remembered."""


@dataclass(slots=True)
class Remembered:
    """Which share of what was learnt is found first: whole passages, crops that were trained on, questions."""

    passages: float
    crops: float
    questions: float | None = None

    def __str__(self) -> str:
        asked = "" if self.questions is None else f", questions {self.questions:.3f}"
        return f"found first of what was trained on: whole passages {self.passages:.3f}, crops {self.crops:.3f}{asked}"


@dataclass(slots=True)
class Trained:
    """What a training has made: the generator, and what is to be told of it."""

    generator: UnityGenerator
    coder: Coder
    addresses: dict[str, tuple[int, ...]]
    report: CodeReport
    said: dict[str, Any] = field(default_factory=dict)


def found_first(generator: UnityGenerator, items: Sequence[Item], beams: int = 5) -> float:
    """Return for which share of items one of their passages is written first."""
    right = 0
    for some in chunks(items, ASKED_AT_ONCE):
        found = generator.written(
            [one.states.float() for one in some], [one.is_sound for one in some], beams, generator.trie
        )
        right += sum(bool(each) and each[0][0] in one.passage_ids for one, each in zip(some, found, strict=True))
    return right / max(1, len(items))


def remembered(generator: UnityGenerator, material: Material) -> Remembered:
    """Return how much of what was learnt is found first, of at most MEASURED of each kind."""

    def share(items: Sequence[Item]) -> float:
        return found_first(generator, items[:: max(1, len(items) // MEASURED)])

    asked = share(material.questions) if material.questions else None
    return Remembered(share(list(material.passages.values())), share(material.crops), asked)


def fit(
    network: UnityModel,
    lessons: Sequence[tuple[Lessons, float]],
    stages: Sequence[tuple[int, Mix]],
    recipe: Recipe,
    folder: Path,
) -> None:
    """Train a network; a state that is there is gone on with, and stays.

    Args:
        network: changed in place.
        lessons: what is drawn from, and which share of a batch is of it.
        stages: for so many steps, this mix.
        recipe: rates and sizes.
        folder: where weights, optimiser and step are kept.
    """
    network.train().requires_grad_(True)
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.rate, betas=(0.9, 0.98), weight_decay=0.01)
    steps = sum(count for count, _ in stages)
    training = Steps(
        steps,
        {"unity": network},
        optimiser,
        folder,
        lambda step: rate_at(step, steps, recipe.warmup, LOWEST_RATE),
        tell_every=100,
        save_every=recipe.save_every,
    )
    for step in training:
        torch.manual_seed(recipe.seed * 1_000_003 + step)  # dropout too is that of the step
        examples = [
            one
            for drawn, share in lessons
            for one in drawn.batch(step, max(1, round(share * recipe.size)), mix_of(step, stages))
        ]
        of_units, of_codes = network.losses(examples)
        loss = of_units + recipe.code_weight * of_codes
        training.take(loss, of_units=of_units.item(), of_addresses=of_codes.item())
    network.train(False)


def mix_of(step: int, stages: Sequence[tuple[int, Mix]]) -> Mix:
    """Return the mix of a step.

    >>> stages = [(2, Mix(1, 0, 0)), (3, Mix(0, 1, 0))]
    >>> [mix_of(step, stages).passages for step in (0, 1, 2, 4)]
    [1, 1, 0, 0]
    """
    for count, mix in stages:
        if step < count:
            return mix
        step -= count
    return stages[-1][1]


def train(
    listener: Listener, material: Material, vectors: Mapping[str, Tensor], recipe: Recipe, folder: Path
) -> Trained:
    """Return a model trained on material from the beginning, or from where a training in ``folder`` was interrupted.

    ``vectors``: what the speech adapter makes of the passages.

    Raises:
        InputError: there are too few passages.
    """
    ids = sorted(material.passages)
    if len(ids) < 2:
        raise InputError(f"{len(ids)} passages can be learnt; two are the least.", "Add recordings in which is spoken.")
    folder.mkdir(parents=True, exist_ok=True)
    states = [material.passages[name].states for name in ids]
    whole = torch.stack([vectors[name] for name in ids])
    coder = Coder(recipe, listener.sound_dim, whole.shape[1])
    if (folder / CODES).exists():
        coder.load(folder / CODES)
    else:
        coder.fit(states, whole)
        coder.save(folder / CODES)
    codes, report = coder.codes_of(states, whole)
    print(report, flush=True)
    addresses = addresses_of(ids, codes, recipe.codebook_size)
    config = recipe.network(listener)
    torch.manual_seed(recipe.seed)
    network = UnityModel(config)
    lessons = Lessons(material, tokens_of(addresses, config.code_sizes), coder.units, recipe.seed)
    stages = ((recipe.pretrain_steps, PRETRAIN), (recipe.finetune_steps, FINETUNE if material.questions else PRETRAIN))
    fit(network, [(lessons, 1.0)], stages, recipe, folder)
    return Trained(UnityGenerator(network, listener, addresses), coder, addresses, report)


def update(
    listener: Listener, material: Material, vectors: Mapping[str, Tensor], recipe: Recipe, model: Path, folder: Path
) -> Trained:
    """Return the model of a folder after it has learnt the passages of the material that it did not know.

    Half of every batch is of those, half of what it knew. ``said`` of the result tells what it remembered before and
    remembers now. ``folder``: where the state of this training is kept.

    Raises:
        InputError: there is nothing new, or too many passages have the same codes.
        ModelUnavailableError: what was kept does not fit.
    """
    learnt = learnt_of(model)
    old = material.within(learnt.addresses)
    new = material.within(name for name in material.passages if name not in learnt.addresses)
    if not new.passages:
        raise InputError(f"All {len(material.passages)} passages are learnt already.")
    ids = sorted(new.passages)
    states, whole = [new.passages[name].states for name in ids], torch.stack([vectors[name] for name in ids])
    coder = Coder(recipe, listener.sound_dim, whole.shape[1])
    coder.load(model / CODES)
    codes, report = coder.codes_of(states, whole)
    kept = {name: one for name, one in learnt.addresses.items() if name in material.passages}
    addresses = addresses_of(ids, codes, recipe.codebook_size, kept)
    network = network_of(learnt, model / WEIGHTS)
    before = remembered(UnityGenerator(network, listener, addresses), old)
    tokens = tokens_of(addresses, network.config.code_sizes)
    lessons = [(Lessons(one, tokens, coder.units, recipe.seed), 0.5) for one in (new, old) if one.passages]
    steps = recipe.pretrain_steps + recipe.finetune_steps
    fit(network, lessons, ((steps, FINETUNE if material.questions else PRETRAIN),), recipe, folder)
    generator = UnityGenerator(network, listener, addresses)
    said = {"before": str(before), "old": str(remembered(generator, old)), "new": str(remembered(generator, new))}
    return Trained(generator, coder, addresses, report, said)


def recipe_of(folder: Path) -> Recipe:
    """Return the recipe by which the model of a folder was trained. Raises ModelUnavailableError: it cannot be read."""
    try:
        return Recipe(**json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["recipe"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailableError(f"{folder} cannot be trained further: {error}.", "Train it anew.") from error


def save(trained: Trained, recipe: Recipe, encoder: tuple[str, str], folder: Path) -> None:
    """Write a model to a folder, so that a crash leaves the old one or one that is refused, never a wrong one.

    ``encoder``: name and fingerprint of the speech encoder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_file(trained.generator.network.state_dict(), folder / WEIGHTS)
    trained.coder.save(folder / CODES)
    (folder / ADDRESSES).write_text(json.dumps(trained.addresses), encoding="utf-8")
    manifest = {
        "passages": len(trained.addresses),
        "speech_encoder": {"name": encoder[0], "fingerprint": encoder[1]},
        "config": asdict(trained.generator.network.config),
        "recipe": asdict(recipe),
        "codes": asdict(trained.report),
        "said": trained.said,
        "sha256": {name: sha256_of(folder / name) for name in (WEIGHTS, ADDRESSES)},
    }
    unfinished = folder / f"{MANIFEST}.unfinished"
    unfinished.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(folder / MANIFEST)
