"""A tiny speaker encoder as WeSpeaker exports them: mel bands pooled over time and projected, in an ONNX graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from speechsearch.models.card import ModelCard, ModelFile
from speechsearch.models.onnx_speaker import INPUT, MEL_BINS, OUTPUT, card_of_folder

DIM = 12
CARD = ModelCard(
    name="tiny-speaker",
    task="speaker encoder",
    factory="speechsearch.models.onnx_speaker:load",
    summary="random, as WeSpeaker exports them",
    licence="Apache-2.0",
    files=(ModelFile("random.onnx", "0" * 64),),
    dim=DIM,
)


def save(folder: Path, inputs: str = INPUT) -> ModelCard:
    """Write the graph into a folder and return its card; ``inputs``: what it calls the mel bands."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(graph(inputs), folder / CARD.files[0].name)
    return card_of_folder(folder.name, folder)


def graph(inputs: str) -> onnx.ModelProto:
    """Return mean and spread of the bands over time, times a random matrix."""
    matrix = np.random.default_rng(5).standard_normal((2 * MEL_BINS, DIM)).astype(np.float32)
    axis = np.array([1], np.int64)
    nodes = [
        helper.make_node("Identity", [inputs], ["mels"]),
        helper.make_node("ReduceMean", ["mels", "axis"], ["mean"], keepdims=0),
        helper.make_node("ReduceL2", ["mels", "axis"], ["spread"], keepdims=0),
        helper.make_node("Concat", ["mean", "spread"], ["pooled"], axis=1),
        helper.make_node("MatMul", ["pooled", "matrix"], [OUTPUT]),
    ]
    return helper.make_model(
        helper.make_graph(
            nodes,
            "speaker",
            [helper.make_tensor_value_info(inputs, TensorProto.FLOAT, ["batch", "frames", MEL_BINS])],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", DIM])],
            [numpy_helper.from_array(matrix, "matrix"), numpy_helper.from_array(axis, "axis")],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
