"""The description of a model for NVIDIA's Triton Inference Server: ``config.pbtxt``, the text form of its ModelConfig.

Source: model_config.proto and "Model Configuration" of the Triton Inference Server.
Differs: only what our models need; no Triton was at hand, so that this was parsed by its own message definition and not
run.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from speechsearch.domain.errors import InputError

Platform = Literal["onnxruntime_onnx", "pytorch_libtorch"]
MOST_BATCH, MOST_INSTANCES, MOST_DELAY_MS = 1024, 64, 10_000
VARIABLE = -1
"""A length that each request may choose; only requests of one length become one batch."""


@dataclass(frozen=True, slots=True)
class Serving:
    """How Triton runs a model: requests that wait together, up to ``batch`` and ``delay_ms``, on so many instances."""

    batch: int = 16
    delay_ms: int = 20
    instances: int = 1
    on_gpu: bool = False

    def __post_init__(self) -> None:
        limits = {"batch": MOST_BATCH, "instances": MOST_INSTANCES, "delay_ms": MOST_DELAY_MS}
        for name, most in limits.items():
            least = 0 if name == "delay_ms" else 1
            if not least <= getattr(self, name) <= most:
                raise InputError(f"{name} is {getattr(self, name)}.", f"Choose {least} to {most:,}.")


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output: its name, its kind of numbers as Triton calls it, its shape without the batch."""

    name: str
    kind: Literal["TYPE_INT64", "TYPE_FP32"]
    shape: Sequence[int]


def preferred_batches(most: int) -> list[int]:
    """Return the sizes that are sent at once without waiting for more: the largest, and its half and quarter.

    >>> preferred_batches(16), preferred_batches(3), preferred_batches(1)
    ([4, 8, 16], [1, 3], [1])
    """
    return sorted({max(1, most // 4), max(1, most // 2), most})


def config(name: str, platform: Platform, inputs: Sequence[Port], outputs: Sequence[Port], serving: Serving) -> str:
    """Return the text of ``config.pbtxt``.

    >>> text = config("m", "onnxruntime_onnx", [Port("codes", "TYPE_INT64", [8, -1])], [], Serving(batch=2))
    >>> [line for line in text.splitlines() if "batch" in line]
    ['max_batch_size: 2', 'dynamic_batching {', '  preferred_batch_size: [ 1, 2 ]']
    """
    lines = [f"name: {quoted(name)}", f"platform: {quoted(platform)}", f"max_batch_size: {serving.batch}"]
    for kind, ports in (("input", inputs), ("output", outputs)):
        for port in ports:
            shape = ", ".join(map(str, port.shape))
            facts = f"name: {quoted(port.name)} data_type: {port.kind} dims: [ {shape} ]"
            lines.append(f"{kind} [ {{ {facts} }} ]")
    sizes = ", ".join(map(str, preferred_batches(serving.batch)))
    lines += [
        "dynamic_batching {",
        f"  preferred_batch_size: [ {sizes} ]",
        f"  max_queue_delay_microseconds: {serving.delay_ms * 1000}",
        "}",
        f"instance_group [ {{ count: {serving.instances} kind: {'KIND_GPU' if serving.on_gpu else 'KIND_CPU'} }} ]",
        "version_policy { latest { num_versions: 1 } }",
    ]
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    r"""Return text as the text form of Protocol Buffers writes it, in ASCII.

    >>> quoted('a "b"')
    '"a \\"b\\""'
    """
    return json.dumps(text)
