"""The card of a speech language model that ``training/train_understand.py`` made. Nothing heavy here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from speechsearch.domain.errors import ModelUnavailableError, NotFoundError
from speechsearch.models.card import ModelCard, ModelFile
from speechsearch.models.catalog import catalog
from speechsearch.models.files import sha256_of
from speechsearch.models.transformers_cards import READ

WEIGHTS, CONFIG = "projector.safetensors", "understanding.json"
OWN = frozenset((WEIGHTS, CONFIG))
WRITE_DOWN, ABOUT_IT = "Write down what is said.", "Answer in a few words, from what is said: {}"
"""The instructions that such a model is trained on."""


def language_files(card: ModelCard) -> tuple[ModelFile, ...]:
    """Return the files of the language model that a speech language model's card has beside its own."""
    return tuple(file for file in card.files if file.name not in OWN)


def card_of_folder(name: str, folder: Path, sha256: Callable[[Path], str] = sha256_of) -> ModelCard:
    """Return the card of a folder with a projector and the names of what it stands between; it is hashed now.

    The language model's files are those of the catalog, if they are packaged, or stand in the folder too.

    Raises:
        ModelUnavailableError: the folder lacks something, or the language model is not the one it was trained for.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        encoder, language_model = str(config["speech_encoder"]["name"]), str(config["language_model"]["name"])
        wanted = str(config["language_model"]["sha256"])
        files = _language_model_files(folder, language_model, sha256)
        own = tuple(ModelFile(one, sha256(folder / one)) for one in (WEIGHTS, CONFIG))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailableError(f"{folder} is no speech language model: {error}.") from error
    if files[0].sha256 != wanted:
        raise ModelUnavailableError(
            f"The projector in {folder} was trained for another {language_model}.", "Train it again."
        )
    return ModelCard(
        name=name,
        task="speech language model",
        factory="speechsearch.models.speech_language_model:load",
        summary=f"experimental: {encoder} heard by {language_model}, of your folder",
        licence="unknown",
        languages=("en",),
        files=(*own, *files),
        needs=(("speech encoder", encoder),),
    )


def _language_model_files(folder: Path, language_model: str, sha256: Callable[[Path], str]) -> tuple[ModelFile, ...]:
    """Return a language model's files, its weights first."""
    kept = sorted(path for path in folder.iterdir() if path.suffix in {*READ, ".gguf"} and path.name not in OWN)
    kept = [path for path in kept if path.suffix != ".md"]
    weights = [path for path in kept if path.suffix in (".safetensors", ".gguf")]
    if weights:
        return tuple(ModelFile(path.name, sha256(path)) for path in sorted(kept, key=lambda one: one not in weights))
    try:
        found = catalog().get("language model", language_model)
    except NotFoundError as error:
        raise ModelUnavailableError(f"{folder}: {error.message}", "Put its files into the folder, too.") from error
    return found.files
