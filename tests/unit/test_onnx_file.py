"""Graphs written without the package onnx: that package accepts them, and ONNX Runtime computes what they say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from safetensors.numpy import save_file

from speechsearch.models.bert_graph import bert_graph
from speechsearch.models.onnx_file import FLOAT, Graph, mapped_tensors
from tests.tiny import bert


def test_the_package_reads_what_was_written() -> None:
    graph = Graph()
    weight = graph.weight("matrix", np.arange(6, dtype=np.float32).reshape(2, 3))
    flat = graph.size("flat", [-1, 2])
    given = graph.node("Gemm", graph.node("Reshape", "x", flat), weight, alpha=0.5, transB=0)
    read = onnx.load_from_string(graph.written({"x": (FLOAT, ("rows", 300))}, [given]))
    assert [one.op_type for one in read.graph.node] == ["Reshape", "Gemm"]
    assert list(read.graph.node[0].input) == ["x", "flat"] and list(read.graph.node[1].output) == [given]
    assert [onnx.helper.get_attribute_value(one) for one in read.graph.node[1].attribute] == [0.5, 0]
    sizes = [size.dim_value or size.dim_param for size in read.graph.input[0].type.tensor_type.shape.dim]
    assert sizes == ["rows", 300]
    assert onnx.numpy_helper.to_array(read.graph.initializer[0]).tolist() == [-1, 2]
    assert list(read.graph.initializer[1].dims) == [2, 3]


def test_a_graph_computes_with_the_arrays_that_it_is_given() -> None:
    graph = Graph()
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    given = graph.node("Gemm", "x", graph.weight("matrix", matrix))
    options = onnxruntime.SessionOptions()
    options.add_external_initializers(["matrix"], [onnxruntime.OrtValue.ortvalue_from_numpy(matrix)])
    model = graph.written({"x": (FLOAT, ("rows", 2))}, [given])
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": np.ones((1, 2), np.float32)})
    assert found.tolist() == [[3.0, 5.0, 7.0]]


def test_the_graph_of_a_bert_is_valid(tmp_path: Path) -> None:
    bert.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    _, model = bert_graph(config, mapped_tensors(tmp_path / "model.safetensors"))
    read = onnx.load_from_string(model)
    assert {one.op_type for one in read.graph.node if one.domain} == {"MultiHeadAttention", "Gelu"}
    assert len(read.graph.initializer) == len({one.name for one in read.graph.initializer})


def test_tensors_are_mapped_as_they_are(tmp_path: Path) -> None:
    save_file({"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.arange(3)}, tmp_path / "some.safetensors")
    found = mapped_tensors(tmp_path / "some.safetensors")
    assert list(found) == ["a"] and found["a"].tolist() == [[0, 1, 2], [3, 4, 5]] and not found["a"].flags.writeable


@pytest.mark.parametrize("content", [b"x", b"12345678", b"\xff" * 20, (2**40).to_bytes(8, "little") + b"{}"])
def test_what_is_no_file_of_tensors_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "some.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match="is no file of tensors"):
        mapped_tensors(tmp_path / "some.safetensors")
