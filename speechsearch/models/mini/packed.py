"""Weights as they are shipped: large matrices as bytes with one scale a row, all else in half precision."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

SCALE = ".scale"
LARGE = 1 << 16
"""Matrices of fewer numbers stay in half precision."""


def packed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors as they are shipped; those of whole numbers stay as they are.

    >>> sizes = {name: str(one.dtype) for name, one in packed({"a": torch.ones(512, 512), "b": torch.ones(3)}).items()}
    >>> sizes
    {'a': 'torch.int8', 'a.scale': 'torch.float16', 'b': 'torch.float16'}
    """
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
