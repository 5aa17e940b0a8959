"""The card of an audio tokenizer of transformers that a user has as a folder. Nothing heavy here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models.card import ModelCard, ModelFile
from speechsearch.models.files import sha256_of
from speechsearch.models.transformers_cards import checkpoint_files

MOST_QUANTIZERS = 8
"""So many of a tokenizer's are taken, the coarsest."""
OWN_CODE = "speechsearch.models.moss:load"
FACTORIES = {
    "mimi": "speechsearch.models.mimi:load",
    "encodec": "speechsearch.models.encodec:load",
    "dac": "speechsearch.models.dac:load",
    "moss-audio-tokenizer": OWN_CODE,
}
"""By the ``model_type`` of a ``config.json``."""


def kind_of(config: Path) -> str:
    """Return the ``model_type`` of a ``config.json``; "" where it cannot be read or is none that is known here."""
    try:
        read = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    kind = read.get("model_type") if isinstance(read, dict) else ""
    return kind if isinstance(kind, str) and kind in FACTORIES else ""


def card_of_folder(name: str, folder: Path, sha256: Callable[[Path], str] = sha256_of) -> ModelCard:
    """Return the card of a checkpoint of an audio tokenizer; all its files are hashed now, its own code too.

    ``folder`` is the one called ``name`` in the user's folder of models, where the files are looked for later.

    Raises:
        ModelUnavailableError: it has no weights in safetensors.
    """
    kind, files = kind_of(folder / "config.json"), checkpoint_files(folder)
    if not kind or not files:
        raise ModelUnavailableError(
            f"{folder} has no audio tokenizer with weights in safetensors; pickles (pytorch_model.bin) are never read.",
            "Save it with transformers' save_pretrained.",
        )
    factory = FACTORIES[kind]
    if factory == OWN_CODE:
        files += sorted(folder.glob("*.py"))
    size_mb = round(sum(path.stat().st_size for path in files) / 1e6)
    return ModelCard(
        name=name,
        task="audio tokenizer",
        factory=factory,
        summary=f"{kind} of transformers, the first {MOST_QUANTIZERS} quantizers, of your folder",
        licence="unknown",
        download_mb=size_mb,
        memory_mb=size_mb,
        files=tuple(ModelFile(path.name, sha256(path)) for path in files),
        revision=f"q{MOST_QUANTIZERS}",
    )
