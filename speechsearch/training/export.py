"""Recipe: put the trained parts together as the shipped model.

``python -m speechsearch.training.export ENCODER ADAPTER LETTER_TO_SOUND FOLDER`` (the three state files; letters to
sound may be the folder of a shipped model, too).
"""

from __future__ import annotations

from pathlib import Path

import typer
from safetensors import safe_open

from speechsearch.models.device import Device
from speechsearch.models.mini.adapter import AdapterConfig, TokenAdapter
from speechsearch.models.mini.letter_to_sound import LetterToSound
from speechsearch.models.mini.network import MiniModel, save_model
from speechsearch.models.mini.packed import CONFIG, WEIGHTS
from speechsearch.training import frozen
from speechsearch.training.checkpoint import load_start, load_state
from speechsearch.training.whisper_start import count_layers, trained_encoder


def main(encoder: Path, adapter: Path, letter_to_sound: Path, folder: Path, pooled_after: int = 1) -> None:
    """Write FOLDER/model.safetensors and FOLDER/config.json, then load them once to be sure."""
    text_encoder = frozen.text_encoder()
    acoustic, step = trained_encoder(encoder, pooled_after)
    with safe_open(adapter, "pt") as file:
        vocabulary = file.get_tensor("adapter.vocabulary")
    layers, width = count_layers(adapter, "adapter.layers.", "feed_forward.down.weight")
    token_adapter = TokenAdapter(
        AdapterConfig(layers=layers, width=width, heads=width // 64), vocabulary, text_encoder.word_embeddings
    )
    network = LetterToSound()
    steps = {
        "encoder": step,
        "adapter": load_state(adapter, {"adapter": token_adapter}),
        "letter_to_sound": load_start(letter_to_sound, {"letter_to_sound": network}),
    }
    save_model(folder, acoustic, token_adapter, network)
    MiniModel(folder / CONFIG, folder / WEIGHTS, text_encoder, Device())
    size_bytes = sum(file.stat().st_size for file in folder.iterdir())
    print(f"wrote {folder} ({size_bytes / 1e6:.1f} MB), steps {steps}")


if __name__ == "__main__":
    typer.run(main)
