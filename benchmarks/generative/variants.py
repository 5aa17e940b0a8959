"""Which models are trained and compared: the usual one, and what each differs in from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from speechsearch.training.generative_recipe import Recipe

PASSAGES = 300
Learns = Literal["crops", "questions", "patterns"]
"""Crops alone; questions of the set too; or also those made by pattern of what the encoder's recogniser writes."""


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

    >>> [one.name for one in variants(Recipe(), (100, 300))][:3]
    ['usual', 'crops', 'patterns']
    """
    differences: list[tuple[str, str, dict[str, Any]]] = [
        ("usual", "as it is by default: both decoders, codes from vectors, word pieces heard", {}),
        ("aside", "the second decoder sees the encoder only; the first is trained beside it", {"bridge": "aside"}),
        ("none", "no semantic decoder", {"bridge": "none"}),
        ("sound", "codes from sound alone (residual VAE)", {"codes_from": "sound"}),
        ("frames", "the encoder's frames in place of word pieces", {"hears": "frames"}),
        ("frames-sound", "frames, and codes from sound alone", {"hears": "frames", "codes_from": "sound"}),
        ("8x256", "eight codes of 256, as the ancestor has them", {"levels": 8, "codebook_size": 256}),
    ]
    found = [Variant(name, title, PASSAGES, replace(usual, **how)) for name, title, how in differences]
    found.insert(1, Variant("crops", "no questions are learnt, crops only", PASSAGES, usual, "crops"))
    found.insert(2, Variant("patterns", "also questions by pattern, of transcripts", PASSAGES, usual, "patterns"))
    for size in sizes:
        if size != PASSAGES:
            found.append(Variant(f"{size}", f"{size} passages", size, usual.of_steps(usual.usual_steps(size))))
    return found
