"""The card of a sound embedder that ``training/train_similar.py`` made. Nothing heavy here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models.card import ModelCard, ModelFile
from speechsearch.models.files import sha256_of

WEIGHTS, CONFIG = "model.safetensors", "config.json"


def is_sound_embedder(config: Path) -> bool:
    """Return whether a ``config.json`` is a sound embedder's; False where it cannot be read."""
    try:
        read = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(read, dict) and read.keys() == {"sizes", "tokenizer", "window_s"}


def card_of_folder(name: str, folder: Path, sha256: Callable[[Path], str] = sha256_of) -> ModelCard:
    """Return the card of a folder with weights and ``config.json``; they are hashed now.

    ``folder`` is the one called ``name`` in the user's folder of models, where the files are looked for later.

    Raises:
        ModelUnavailableError: the folder lacks one of them, or its ``config.json`` is not as it was written.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        files = tuple(ModelFile(one, sha256(folder / one)) for one in (WEIGHTS, CONFIG))
        return ModelCard(
            name=name,
            task="sound embedder",
            factory="speechsearch.models.similar_mini:load",
            summary="a sound embedder like similar-mini, of your folder",
            licence="unknown",
            download_mb=round((folder / WEIGHTS).stat().st_size / 1e6, 1),
            files=files,
            revision=str(config["tokenizer"]["fingerprint"]),
            needs=(("audio tokenizer", str(config["tokenizer"]["name"])),),
            dim=int(config["sizes"]["dim"]),
            window_s=float(config["window_s"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailableError(f"{folder} is no sound embedder: {error}.") from error
