"""Which models are trained and compared: the usual one, and what each differs in from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from speechsearch.training.generative_recipe import Recipe

PASSAGES = 300
FEWEST_STEPS = 600
Learns = Literal["crops", "questions", "patterns"]
"""Crops alone; questions of the set too; or those made by pattern of what the encoder's recogniser writes."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A model of the first so many passages; ``title`` says what it differs in."""

    name: str
    title: str
    passages: int
    recipe: Recipe
    learns: Learns = "questions"


def variants(usual: Recipe, sizes: tuple[int, ...]) -> list[Variant]:
    """Return the models, the most important first; every one but those of other ``sizes`` learns PASSAGES.

    ``usual`` has the steps of PASSAGES; more passages take more, so that each is seen as often.

    >>> [one.name for one in variants(Recipe(), (100, 300))][:3]
    ['usual', 'crops', 'patterns']
    """
    differences: list[tuple[str, str, Learns, dict[str, Any]]] = [
        ("usual", "as it is by default: both decoders, codes from vectors, word pieces heard", "questions", {}),
        ("crops", "no questions are learnt, crops only", "crops", {}),
        ("patterns", "questions by pattern of transcripts in place of the set's", "patterns", {}),
        ("aside", "the second decoder sees the encoder only; the first is trained beside it", "questions",
         {"bridge": "aside"}),
        ("none", "no semantic decoder", "questions", {"bridge": "none"}),
        ("sound", "codes from sound alone (residual VAE)", "questions", {"codes_from": "sound"}),
        ("frames", "the encoder's frames in place of word pieces", "questions", {"hears": "frames"}),
        ("frames-sound", "frames, and codes from sound alone", "questions",
         {"hears": "frames", "codes_from": "sound"}),
        ("8x256", "eight codes of 256, as the ancestor has them", "questions", {"levels": 8, "codebook_size": 256}),
    ]  # fmt: skip
    found = [Variant(name, title, PASSAGES, replace(usual, **how), learns) for name, title, learns, how in differences]
    steps = usual.pretrain_steps + usual.finetune_steps
    for size in sizes:
        if size != PASSAGES:
            recipe = usual.of_steps(max(FEWEST_STEPS, steps * size // PASSAGES))
            found.append(Variant(f"{size}", f"{size} passages", size, recipe))
    return found
