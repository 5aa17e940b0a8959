"""The cards of frame encoders: Whisper's of the packages, and any of a user's folder. Nothing heavy here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models.card import ModelCard, ModelFile
from speechsearch.models.files import sha256_of
from speechsearch.models.transformers_cards import checkpoint_files
from speechsearch.models.whisper_cards import WHISPER_BASE, WHISPER_TINY_EN

VERSION = "1"
"""Of what is computed of sound here; raise it when the states change."""
FACTORIES = {
    "hubert": "speechsearch.models.wave_frames:load",
    "wavlm": "speechsearch.models.wave_frames:load",
    "wav2vec2": "speechsearch.models.wave_frames:load",
    "wav2vec2-bert": "speechsearch.models.wav2vec2_bert_frames:load",
    "whisper": "speechsearch.models.whisper_frames:load",
}
"""A checkpoint's ``model_type`` -> what loads its encoder."""
WIDTHS = ("hidden_size", "d_model")


def _of_package(recognizer: ModelCard, width: int, parameters_m: float) -> ModelCard:
    """Return the card of the encoder in the weights of a packaged recogniser."""
    weights = recognizer.files[0]
    return ModelCard(
        name=recognizer.name,
        task="frame encoder",
        factory="speechsearch.models.whisper_frames:load_packaged",
        summary="the encoder of the recogniser of this name: what adapters are trained on",
        licence=recognizer.licence,
        languages=recognizer.languages,
        parameters_m=parameters_m,
        memory_mb=round(parameters_m * 4),
        download_mb=recognizer.download_mb,
        files=(weights,),
        revision=VERSION,
        dim=width,
    )


WHISPER_FRAMES = (_of_package(WHISPER_BASE, 512, 20.6), _of_package(WHISPER_TINY_EN, 384, 8.2))


def is_frame_encoder(config: Path) -> bool:
    """Return whether a checkpoint's ``config.json`` is of a network that gives states; it may be missing."""
    try:
        return json.loads(config.read_text(encoding="utf-8")).get("model_type") in FACTORIES
    except (OSError, ValueError, AttributeError):
        return False


def card_of_checkpoint(name: str, folder: Path, sha256: Callable[[Path], str] = sha256_of) -> ModelCard:
    """Return the card of the encoder of a checkpoint of transformers; all its files are hashed now.

    ``folder`` is the one called ``name`` in the user's folder of models, where the files are looked for later.

    Raises:
        ModelUnavailableError: it has no weights in safetensors, or its ``config.json`` does not say how wide it is.
    """
    files = checkpoint_files(folder)
    if not files:
        raise ModelUnavailableError(
            f"{folder} has no weights in safetensors; pickles (pytorch_model.bin) are never read.",
            "Save it with transformers' save_pretrained.",
        )
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    width = next((config[one] for one in WIDTHS if isinstance(config.get(one), int)), 0)
    if width < 1:
        raise ModelUnavailableError(f"{folder}: its config.json does not say how wide its states are.")
    size_mb = round(sum(path.stat().st_size for path in files) / 1e6)
    return ModelCard(
        name=name,
        task="frame encoder",
        factory=FACTORIES[config["model_type"]],
        summary=f"{config['model_type']} of transformers, of your folder: what adapters are trained on",
        licence="unknown",
        download_mb=size_mb,
        memory_mb=size_mb,
        files=tuple(ModelFile(path.name, sha256(path)) for path in files),
        revision=VERSION,
        dim=width,
    )
