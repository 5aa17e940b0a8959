"""Resumable training state in safetensors: weights, AdamW moments and the step."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from speechsearch.domain.errors import ConfigurationError
from speechsearch.models.mini.packed import WEIGHTS, unpacked

STATE = "state.safetensors"
"""The file of a state in the folder of its training."""


def save_state(path: Path, modules: dict[str, nn.Module], optimiser: torch.optim.Optimizer, step: int) -> None:
    """Write the state so that a crash leaves the old file or the new one, never half of one."""
    tensors = {f"{name}.{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{key}": torch.as_tensor(value) for key, value in state.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    save_file({key: value.contiguous() for key, value in tensors.items()}, unfinished, {"step": json.dumps(step)})
    unfinished.replace(path)


def fill(modules: dict[str, nn.Module], tensors: dict[str, torch.Tensor], folder: Path) -> None:
    """Give every module the tensors below its name; raises as ``load_state`` does."""
    try:
        for name, module in modules.items():
            prefix = f"{name}."
            module.load_state_dict({k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)})
    except RuntimeError as error:
        raise ConfigurationError(
            f"{folder} holds a training of another model.", "Name another folder, or delete that one."
        ) from error


def load_start(path: Path, modules: dict[str, nn.Module]) -> int:
    """Load what a training begins with: a state, whose step is returned, or the folder of the shipped model (0).

    Raises:
        ConfigurationError: it is another model's.
    """
    if not path.is_dir():
        return load_state(path, modules)
    fill(modules, unpacked(load_file(path / WEIGHTS)), path)
    return 0


def load_state(path: Path, modules: dict[str, nn.Module], optimiser: torch.optim.Optimizer | None = None) -> int:
    """Load the state into the modules (and the optimiser) and return the step.

    Raises:
        ConfigurationError: it is that of another training.
    """
    with safe_open(path, "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        step = int(json.loads(file.metadata()["step"]))
    fill(modules, tensors, path.parent)
    if optimiser is not None:
        state: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimiser."):
                _, index, name = key.split(".")
                state.setdefault(int(index), {})[name] = value
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    return step
