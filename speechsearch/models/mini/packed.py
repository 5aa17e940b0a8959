"""Weights as they are shipped: large matrices as bytes with one scale a row, all else in half precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS, CONFIG = "model.safetensors", "config.json"
SCALE = ".scale"
LARGE = 1 << 16
"""Matrices of fewer numbers stay in half precision."""


def packed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors as they are shipped; those of whole numbers stay as they are.

    >>> import torch
    >>> sizes = {name: str(one.dtype) for name, one in packed({"a": torch.ones(512, 512), "b": torch.ones(3)}).items()}
    >>> sizes
    {'a': 'torch.int8', 'a.scale': 'torch.float16', 'b': 'torch.float16'}
    """
    import torch

    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            found[name] = tensor.contiguous()
        elif tensor.ndim == 2 and tensor.numel() >= LARGE:
            scale = (tensor.abs().amax(1, keepdim=True) / 127).clamp(min=1e-6).half()
            found[name] = (tensor / scale.float()).round().clamp(-127, 127).to(torch.int8).contiguous()
            found[name + SCALE] = scale
        else:
            found[name] = tensor.half().contiguous()
    return found


def unpacked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return what was packed, numbers as float32.

    >>> import torch
    >>> back = unpacked(packed({"a": torch.full((512, 512), 0.25)}))
    >>> list(back), round(float(back["a"].mean()), 3)
    (['a'], 0.25)
    """
    return {
        name: tensor * tensors[name + SCALE].float()
        if name + SCALE in tensors
        else tensor.float()
        if tensor.is_floating_point()
        else tensor
        for name, tensor in tensors.items()
        if not name.endswith(SCALE)
    }


def unpacked_arrays(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
    """Return numbers that were packed as float32, without PyTorch.

    >>> unpacked_arrays({"a": np.array([[-4], [8]], np.int8), "a.scale": np.array([[0.5], [0.25]], np.float16)})["a"]
    array([[-2.],
           [ 2.]], dtype=float32)
    """
    return {
        name: array.astype(np.float32) * arrays[name + SCALE].astype(np.float32)
        if name + SCALE in arrays
        else array.astype(np.float32)
        for name, array in arrays.items()
        if not name.endswith(SCALE)
    }
