"""A tiny sound embedder over the tiny tokenizer; written as the recipe writes one, its card made of the folder."""

from __future__ import annotations

from pathlib import Path

import torch

from speechsearch.models.card import ModelCard
from speechsearch.models.similar_cards import card_of_folder
from speechsearch.models.similar_mini import SimilarNetwork, Sizes, write_network
from tests.tiny import rvq
from tests.tiny.saving import NOT_SAVED

WINDOW_S = 2.56
SIZES = Sizes(frames=32, embedding=16, width=32, layers=1, heads=2, dim=24)
CARD = ModelCard(
    name="tiny-similar",
    task="sound embedder",
    factory="speechsearch.models.similar_mini:load",
    summary="random, one layer",
    licence="Apache-2.0",
    files=(NOT_SAVED,),
    needs=(("audio tokenizer", rvq.CARD.name),),
    dim=SIZES.dim,
    window_s=WINDOW_S,
)


def save(folder: Path) -> ModelCard:
    """Write the model into a folder, its tokenizer beside it, and return its card."""
    tokenizer = rvq.save(folder.parent / rvq.CARD.name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        network = SimilarNetwork(SIZES)
    write_network(folder, network, (tokenizer.name, tokenizer.fingerprint), WINDOW_S)
    return card_of_folder(folder.name, folder)
