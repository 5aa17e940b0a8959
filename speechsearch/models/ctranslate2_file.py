"""Weights out of a ``model.bin`` of CTranslate2, for networks that PyTorch computes.

The file: version, name of the specification, its revision, how many arrays; of each array name, rank, shape, kind of
numbers, bytes and data; then aliases (a name that stands for another array). All integers are little-endian, names end
with a zero byte. A file may be damaged or hostile: every size is compared with what is left before anything is read.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speechsearch.domain.errors import ModelUnavailableError

VERSIONS = range(4, 7)
"""Of the format; the ones before keep aliases and kinds of numbers elsewhere."""
KINDS: dict[int, np.dtype[Any]] = {
    0: np.dtype("<f4"),
    1: np.dtype("i1"),
    2: np.dtype("<i2"),
    3: np.dtype("<i4"),
    4: np.dtype("<f2"),
}
BFLOAT16 = 5
MOST_DIMENSIONS = 4
LAYER = {
    "self_attn_layer_norm": "self_attention/layer_norm",
    "self_attn.out_proj": "self_attention/linear_1",
    "final_layer_norm": "ffn/layer_norm",
    "fc1": "ffn/linear_0",
    "fc2": "ffn/linear_1",
}
"""How transformers names the parts of a layer of Whisper's encoder, and how CTranslate2 does."""


def named_arrays(path: Path, prefix: str = "") -> dict[str, NDArray[np.float32]]:
    """Return the arrays of a file whose names start with ``prefix``, in float32, each in its own shape.

    Raises:
        ModelUnavailableError: the file is not in this format, is cut short, or has kinds of numbers that are not known.
    """
    try:
        with open(path, "rb") as file:
            return dict(_arrays(Reader(file, path.stat().st_size), prefix))
    except (OSError, ValueError) as error:
        raise ModelUnavailableError(
            f"{path} is no model of CTranslate2 that can be read: {error}.", "Install it again."
        ) from error


def whisper_encoder_state(path: Path) -> dict[str, Tensor]:
    """Return the weights of Whisper's encoder, float32, under the names of transformers' ``WhisperEncoder``.

    Raises:
        ModelUnavailableError: the file cannot be read or is no Whisper in floating point.
    """
    arrays = named_arrays(path, "encoder/")
    state: dict[str, NDArray[np.float32]] = {}
    try:
        state["embed_positions.weight"] = arrays["encoder/position_encodings/encodings"]
        for part, source in (("conv1", "conv1"), ("conv2", "conv2"), ("layer_norm", "layer_norm")):
            state.update(_weight_and_bias(arrays, part, f"encoder/{source}"))
        layers = len({name.split("/")[1] for name in arrays if name.startswith("encoder/layer_") and "/ffn/" in name})
        for number in range(layers):
            old, new = f"encoder/layer_{number}", f"layers.{number}"
            for part, source in LAYER.items():
                state.update(_weight_and_bias(arrays, f"{new}.{part}", f"{old}/{source}"))
            for kind in ("weight", "bias"):
                fused = arrays[f"{old}/self_attention/linear_0/{kind}"]
                query, key, value = np.split(fused, 3)
                state[f"{new}.self_attn.q_proj.{kind}"] = query
                state[f"{new}.self_attn.v_proj.{kind}"] = value
                if kind == "weight":  # Whisper's keys have no bias: it is zero in the file
                    state[f"{new}.self_attn.k_proj.{kind}"] = key
        if not layers or any(name.endswith("weight_scale") for name in arrays):
            raise KeyError("layers in floating point")
    except (KeyError, ValueError) as error:
        raise ModelUnavailableError(f"{path} is no Whisper that can be read: it lacks {error}.") from error
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in state.items()}


def _weight_and_bias(arrays: dict[str, NDArray[np.float32]], new: str, old: str) -> dict[str, NDArray[np.float32]]:
    weight, bias = ("gamma", "beta") if old.endswith("layer_norm") else ("weight", "bias")
    return {f"{new}.weight": arrays[f"{old}/{weight}"], f"{new}.bias": arrays[f"{old}/{bias}"]}


def _arrays(file: Reader, prefix: str) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield names and arrays. Raises ValueError when the file is not as it should be."""
    version = file.number("I")
    if version not in VERSIONS:
        raise ValueError(f"its version is {version}")
    file.text()
    file.number("I")
    for _ in range(file.number("I")):
        name = file.text()
        rank = file.number("B")
        if rank > MOST_DIMENSIONS:
            raise ValueError(f"'{name}' has {rank} dimensions")
        shape = tuple(file.number("I") for _ in range(rank))
        kind, size_bytes = file.number("B"), file.number("I")
        number: np.dtype[Any] | None = np.dtype("<u2") if kind == BFLOAT16 else KINDS.get(kind)
        if number is None:
            raise ValueError(f"'{name}' has numbers of the unknown kind {kind}")
        if math.prod(shape) * number.itemsize != size_bytes:
            raise ValueError(f"'{name}' has {size_bytes} bytes for the shape {shape}")
        if not name.startswith(prefix):
            file.skip(size_bytes)
            continue
        numbers: NDArray[Any] = np.frombuffer(file.take(size_bytes), number)
        if kind == BFLOAT16:
            numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
        yield name, numbers.astype(np.float32).reshape(shape)


class Reader:
    """Takes bytes from a file, never more than are left. Its methods raise ValueError when the file ends too early."""

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self._file, self._left_bytes = file, size_bytes

    def take(self, size_bytes: int) -> bytes:
        """Return the next bytes."""
        self._use(size_bytes)
        return self._file.read(size_bytes)

    def skip(self, size_bytes: int) -> None:
        """Go past the next bytes."""
        self._use(size_bytes)
        self._file.seek(size_bytes, 1)

    def number(self, kind: str) -> int:
        """Return the next number, of a kind as ``struct`` names it."""
        (found,) = struct.unpack(f"<{kind}", self.take(struct.calcsize(f"<{kind}")))
        return int(found)

    def text(self) -> str:
        """Return the next name."""
        return self.take(self.number("H")).rstrip(b"\0").decode()

    def _use(self, size_bytes: int) -> None:
        if size_bytes > self._left_bytes:
            raise ValueError(f"it ends {size_bytes - self._left_bytes} bytes too early")
        self._left_bytes -= size_bytes
