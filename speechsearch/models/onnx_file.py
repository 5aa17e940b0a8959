"""Graphs in the format of ONNX, written without its package: nodes and shapes only, the weights stay in their own file.

Source: onnx.proto of ONNX (https://onnx.ai), and the wire format of Protocol Buffers, of which two kinds of field are
enough: whole numbers and bytes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FLOAT, INT32, INT64 = 1, 6, 7
"""Kinds of numbers, as ONNX counts them."""
OPERATORS, MICROSOFTS_OPERATORS = 20, 1
"""The versions of the operators; ONNX Runtime has some of its own (``com.microsoft``)."""
FORMAT = 9
OF_FLOAT, OF_INT = 1, 2
EXTERNAL = 1
LONGEST_HEADER_BYTES = 100_000_000


def varint(number: int) -> bytes:
    """Return a whole number, not below 0, as Protocol Buffers write it: seven bits a byte, the lowest first.

    >>> varint(1).hex(), varint(300).hex()
    ('01', 'ac02')
    """
    written = bytearray()
    while number > 127:
        written.append(number & 127 | 128)
        number >>= 7
    written.append(number)
    return bytes(written)


def message(*fields: tuple[int, int | float | str | bytes]) -> bytes:
    """Return a message of (number of the field, value); a text or bytes, of another message too, begin with a length.

    >>> message((1, 300), (2, "ab")).hex()
    '08ac0212026162'
    """
    written = []
    for number, value in fields:
        if isinstance(value, int):
            written.append(varint(number << 3) + varint(value))
        elif isinstance(value, float):
            written.append(varint(number << 3 | 5) + struct.pack("<f", value))
        else:
            data = value.encode() if isinstance(value, str) else value
            written.append(varint(number << 3 | 2) + varint(len(data)) + data)
    return b"".join(written)


@dataclass(slots=True)
class Graph:
    """A graph that grows node by node; what a node gives is named by its number."""

    nodes: list[bytes] = field(default_factory=list)
    sizes: list[bytes] = field(default_factory=list)
    weights: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def node(self, operator: str, *inputs: str, domain: str = "", **attributes: float) -> str:
        """Add a node and return the name of what it gives; whole numbers stay whole."""
        given = f"{operator}:{len(self.nodes)}"
        written = [
            message((1, name), (3, value), (20, OF_INT))
            if isinstance(value, int)
            else message((1, name), (2, float(value)), (20, OF_FLOAT))
            for name, value in attributes.items()
        ]
        fields: list[tuple[int, int | float | str | bytes]] = [(1, one) for one in inputs]
        fields += [(2, given), (4, operator), *((5, one) for one in written), (7, domain)]
        self.nodes.append(message(*fields))
        return given

    def weight(self, name: str, array: NDArray[np.float32]) -> str:
        """Have an array be given under a name to who runs the graph, and return the name."""
        self.weights[name] = array
        return name

    def size(self, name: str, numbers: Sequence[int]) -> str:
        """Write whole numbers, a shape for example, into the graph under a name, and return the name."""
        written = struct.pack(f"<{len(numbers)}q", *numbers)
        self.sizes.append(message((1, len(numbers)), (2, INT64), (8, name), (9, written)))
        return name

    def written(self, inputs: Mapping[str, tuple[int, Sequence[str | int]]], outputs: Sequence[str]) -> bytes:
        """Return the model.

        ``inputs``: name -> kind of numbers and shape, where a text stands for a length that is not known before;
        ``outputs``: names of what nodes give, float32.
        """
        kept = [(5, one) for one in (*self.sizes, *(_weight(name, one) for name, one in self.weights.items()))]
        given = [(11, _value(name, *one)) for name, one in inputs.items()]
        results = [(12, _value(name, FLOAT, None)) for name in outputs]
        graph = message(*((1, one) for one in self.nodes), (2, "graph"), *kept, *given, *results)
        sets = message((1, ""), (2, OPERATORS)), message((1, "com.microsoft"), (2, MICROSOFTS_OPERATORS))
        return message((1, FORMAT), (7, graph), *((8, one) for one in sets))


def _weight(name: str, array: NDArray[np.float32]) -> bytes:
    """Return what stands for an array in the graph."""
    place = message((1, "location"), (2, "given"))
    return message(*((1, size) for size in array.shape), (2, FLOAT), (8, name), (13, place), (14, EXTERNAL))


def _value(name: str, kind: int, shape: Iterable[str | int] | None) -> bytes:
    fields: list[tuple[int, int | float | str | bytes]] = [(1, kind)]
    if shape is not None:
        sizes = [message((2 if isinstance(size, str) else 1, size)) for size in shape]
        fields.append((2, message(*((1, one) for one in sizes))))
    return message((1, name), (2, message((1, message(*fields)))))


def mapped_tensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return the float32 tensors of a file in safetensors, by name, as parts of the mapped file: nothing is copied.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not in this format.
    """
    whole = np.memmap(path, np.uint8, "r")
    size_bytes = int.from_bytes(whole[:8].tobytes(), "little") if len(whole) >= 8 else 0
    if not 0 < size_bytes <= min(LONGEST_HEADER_BYTES, len(whole) - 8):
        raise ValueError(f"{path} is no file of tensors")
    data = whole[8 + size_bytes :]
    found: dict[str, NDArray[np.float32]] = {}
    for name, one in json.loads(whole[8 : 8 + size_bytes].tobytes()).items():
        if name != "__metadata__" and one["dtype"] == "F32":
            start, end = one["data_offsets"]
            found[name] = data[start:end].view(np.float32).reshape(one["shape"])
    return found
