"""The card of a speech encoder like the shipped one that a user has as a folder: in other numbers, or trained anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models.built_in import MINI
from speechsearch.models.card import ModelCard, ModelFile
from speechsearch.models.files import sha256_of


def is_mini(config: Path) -> bool:
    """Return whether a ``config.json`` is one of the shipped model's kind; False where it cannot be read."""
    try:
        read = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(read, dict) and read.keys() == {"encoder", "adapter"}


def card_of_folder(name: str, folder: Path, sha256: Callable[[Path], str] = sha256_of) -> ModelCard:
    """Return the card of a folder with the files of the shipped model; they are hashed now.

    ``folder`` is the one called ``name`` in the user's folder of models, where the files are looked for later.

    Raises:
        ModelUnavailableError: the folder lacks one of them.
    """
    missing = [file.name for file in MINI.files if not (folder / file.name).is_file()]
    if missing:
        raise ModelUnavailableError(f"{folder} has no {' and no '.join(missing)}.")
    return replace(
        MINI,
        name=name,
        summary="a speech encoder like mini, of your folder",
        download_mb=round(sum((folder / file.name).stat().st_size for file in MINI.files) / 1e6),
        files=tuple(ModelFile(file.name, sha256(folder / file.name)) for file in MINI.files),
    )
