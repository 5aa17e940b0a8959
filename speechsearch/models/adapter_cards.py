"""The card of a speech adapter that a user trained or fetched: a speech encoder of one channel. Nothing heavy here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.values import Channel
from speechsearch.models.adapter_folder import CONFIG, WEIGHTS, read_config
from speechsearch.models.card import ModelCard, ModelFile, lying_in
from speechsearch.models.files import sha256_of

CHANNEL = "adapter"
"""The channel that the engines rank meaning in sound by."""


def card_of_folder(name: str, folder: Path, sha256: Callable[[Path], str] = sha256_of) -> ModelCard:
    """Return the card of an adapter's folder; its files are hashed now.

    ``folder`` is the one called ``name`` in the user's folder of models, where the files are looked for later.

    Raises:
        ModelUnavailableError: the folder lacks something.
    """
    config = read_config(folder / CONFIG)
    if not (folder / WEIGHTS).is_file():
        raise ModelUnavailableError(f"{folder} has no {WEIGHTS}.", "Train it again.")
    encoder, text_encoder = config.speech_encoder.name, config.text_encoder.name
    return ModelCard(
        name=name,
        task="speech encoder",
        factory="speechsearch.models.adapted:load",
        summary=f"a {config.sizes.kind} adapter from {encoder} into {text_encoder}, of your folder",
        licence="unknown",
        languages=config.languages,
        download_mb=round((folder / WEIGHTS).stat().st_size / 1e6, 1),
        files=tuple(ModelFile(file, sha256(folder / file)) for file in (WEIGHTS, CONFIG)),
        needs=(("frame encoder", encoder), ("text encoder", text_encoder)),
        channels=(Channel(CHANNEL, "dense", config.dim),),
    )


def card_at(folder: Path) -> ModelCard:
    """Return the card of an adapter's folder that lies anywhere; it is named as the folder is.

    Raises:
        ModelUnavailableError, ConfigurationError: it is no adapter, or has a name that cannot be a model's.
    """
    folder = folder.expanduser().resolve()
    return lying_in(card_of_folder(folder.name, folder), folder)
