"""Recipe: write the weights of a folder's ``pytorch_model.bin`` as ``model.safetensors``, which alone is read here.

``python -m speechsearch.training.to_safetensors MODELS/hubert-large-ll60k``. The pickle is read by PyTorch's reader of
weights only, which runs no code of it.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
import typer
from safetensors.torch import save_file

from speechsearch.domain.errors import ModelUnavailableError

PICKLE, WEIGHTS = "pytorch_model.bin", "model.safetensors"


def convert(folder: Path) -> Path:
    """Write the safetensors beside the pickle and return where.

    Raises:
        ModelUnavailableError: there is no such pickle, or it holds anything but tensors.
    """
    try:
        read = torch.load(folder / PICKLE, map_location="cpu", weights_only=True)
        tensors = {name: tensor.clone().contiguous() for name, tensor in read.items()}
        part = folder / f".{WEIGHTS}"
        save_file(tensors, part, {"format": "pt"})
    except (OSError, pickle.UnpicklingError, RuntimeError, AttributeError, TypeError, ValueError) as error:
        raise ModelUnavailableError(f"{folder / PICKLE} holds no weights that can be read: {error}") from error
    return part.rename(folder / WEIGHTS)


def main(folder: Path) -> None:
    """Convert the weights of FOLDER."""
    print(f"wrote {convert(folder)}")


if __name__ == "__main__":
    typer.run(main)
