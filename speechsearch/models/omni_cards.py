"""The card of a sentence-transformers model of a user's folder that also hears. Nothing heavy is imported here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.values import Channel
from speechsearch.models.adapter_cards import CHANNEL
from speechsearch.models.card import ModelCard, ModelFile
from speechsearch.models.files import sha256_of
from speechsearch.models.text_cards import MODULES, PROMPTS
from speechsearch.models.transformers_cards import READ, WEIGHTS

PACKAGE, PINNED = "sentence-transformers", "6.2.0"
ROUTES, SOUND = "router_config.json", "audio"
OWN_MODULES = "sentence_transformers."
WORD_DIMENSION = "word_embedding_dimension"


def is_omni(folder: Path) -> bool:
    """Return whether a folder holds a model of sentence-transformers that also hears: by one network, or by a route."""
    if not (folder / MODULES).is_file():
        return False
    return bool(_json(folder / "config.json").get("audio_config")) or SOUND in _json(folder / ROUTES).get(
        "structure", {}
    )


def card_of_folder(name: str, folder: Path, sha256: Callable[[Path], str] = sha256_of) -> ModelCard:
    """Return the card of such a folder; all its files are hashed now.

    ``folder`` is the one called ``name`` in the user's folder of models, where the files are looked for later.

    Raises:
        ModelUnavailableError: it has no weights in safetensors, or does not say how wide its vectors are.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix in READ and path.is_file())
    files.sort(key=lambda path: (path.suffix != WEIGHTS, len(path.parts)))
    if not files or files[0].suffix != WEIGHTS:
        raise ModelUnavailableError(f"{folder} has no weights in safetensors; pickles are never read.")
    kinds = [str(one["type"]) for one in _modules(folder)] + list(_json(folder / ROUTES).get("types", {}).values())
    if foreign := [kind for kind in kinds if not str(kind).startswith(OWN_MODULES)]:
        raise ModelUnavailableError(f"{folder} has a module of code of its own, {foreign[0]:.80}, which is not run.")
    dim = _dim(folder)
    size_mb = round(sum(path.stat().st_size for path in files) / 1e6)
    return ModelCard(
        name=name,
        task="speech encoder",
        factory="speechsearch.models.omni:load",
        summary="texts and sound in one space, of sentence-transformers, of your folder",
        licence="unknown",
        download_mb=size_mb,
        memory_mb=size_mb,
        files=tuple(ModelFile(path.relative_to(folder).as_posix(), sha256(path)) for path in files),
        package=PACKAGE,
        pinned_version=PINNED,
        channels=(Channel(CHANNEL, "dense", dim),),
    )


def _dim(folder: Path) -> int:
    """Return how wide the vectors are: as the last module that says so has it, else as the text's states; or less."""
    structure = _json(folder / ROUTES).get("structure", {})
    paths = structure.get(SOUND) or [one["path"] for one in _modules(folder)]
    said = [_json(folder / path / "config.json") for path in reversed(paths) if path]
    found = [one.get(name) for one in said for name in ("out_features", "embedding_dimension", WORD_DIMENSION)]
    config = _json(folder / "config.json")
    found += [config.get("hidden_size"), (config.get("text_config") or {}).get("hidden_size")]
    width = next((one for one in found if isinstance(one, int)), 0)
    if width < 1:
        raise ModelUnavailableError(f"{folder} does not say how wide its vectors are.")
    kept = _json(folder / PROMPTS).get("truncate_dim")
    return min(width, int(kept)) if kept else width


def _modules(folder: Path) -> list[dict[str, Any]]:
    try:
        read: list[dict[str, Any]] = json.loads((folder / MODULES).read_text(encoding="utf-8"))
        return [{"path": str(one["path"]), "type": str(one["type"])} for one in read]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailableError(f"{folder / MODULES} cannot be read: {error}.") from error


def _json(path: Path) -> dict[str, Any]:
    """Return the object of a file; empty where there is none, or no object in it."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}
