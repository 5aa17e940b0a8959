"""A BERT as a graph for ONNX Runtime: no PyTorch is loaded, Python's lock is let go of for a whole run, and weights
are read where they lie.

Source: Devlin et al., 2019, BERT (arXiv 1810.04805); the names of the weights are those of transformers.
Differs: three matrices of an attention stay three; attention and GELU are ONNX Runtime's own operators.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechsearch.models.onnx_file import INT32, INT64, Graph, mapped_tensors

OWN = "com.microsoft"


def bert_graph(config: Mapping[str, Any], tensors: Mapping[str, NDArray[np.float32]]) -> tuple[Graph, bytes]:
    """Return the graph of a BERT and its model, from ``config.json`` and the weights.

    It takes ``ids`` (texts, pieces) int64, ``places`` (pieces,) int64 and ``mask`` (texts, pieces) int32, 1 where a
    piece is no filling, and gives the states (texts, pieces, width).

    Raises:
        KeyError: a weight or a size is absent.
        ValueError: it is another kind of BERT, or the weights are of other sizes.
    """
    if config.get("hidden_act", "gelu") != "gelu":
        raise ValueError(f"its activation is '{config['hidden_act']}', not 'gelu'")
    graph = Graph()
    width, epsilon = int(config["hidden_size"]), float(config.get("layer_norm_eps", 1e-12))

    def weight(name: str, *shape: int) -> str:
        if tensors[name].shape != shape:
            raise ValueError(f"'{name}' is {tensors[name].shape}, not {shape}")
        return graph.weight(name, tensors[name])

    def linear(x: str, name: str, inputs: int, outputs: int) -> str:
        matrix = weight(f"{name}.weight", outputs, inputs)
        return graph.node("Gemm", x, matrix, weight(f"{name}.bias", outputs), transB=1)

    def norm(x: str, name: str) -> str:
        both = weight(f"{name}.weight", width), weight(f"{name}.bias", width)
        return graph.node("LayerNormalization", x, *both, axis=1, epsilon=epsilon)

    words = weight("embeddings.word_embeddings.weight", int(config["vocab_size"]), width)
    places = weight("embeddings.position_embeddings.weight", int(config["max_position_embeddings"]), width)
    first = graph.weight("first type", tensors["embeddings.token_type_embeddings.weight"][0])
    embedded = graph.node("Add", graph.node("Gather", words, "ids"), graph.node("Gather", places, "places"))
    embedded = graph.node("Add", embedded, first)
    shape = graph.node("Shape", embedded)
    flat = graph.size("flat", [-1, width])
    x = norm(graph.node("Reshape", embedded, flat), "embeddings.LayerNorm")
    for number in range(int(config["num_hidden_layers"])):
        layer, inner = f"encoder.layer.{number}", int(config["intermediate_size"])
        asked = (linear(x, f"{layer}.attention.self.{one}", width, width) for one in ("query", "key", "value"))
        seen = [graph.node("Reshape", one, shape) for one in asked]
        heads = int(config["num_attention_heads"])
        mixed = graph.node("MultiHeadAttention", *seen, "", "mask", domain=OWN, num_heads=heads)
        mixed = linear(graph.node("Reshape", mixed, flat), f"{layer}.attention.output.dense", width, width)
        x = norm(graph.node("Add", mixed, x), f"{layer}.attention.output.LayerNorm")
        grown = graph.node("Gelu", linear(x, f"{layer}.intermediate.dense", width, inner), domain=OWN)
        x = norm(
            graph.node("Add", linear(grown, f"{layer}.output.dense", inner, width), x), f"{layer}.output.LayerNorm"
        )
    states = graph.node("Reshape", x, shape)
    texts = ("texts", "pieces")
    return graph, graph.written({"ids": (INT64, texts), "places": (INT64, texts[1:]), "mask": (INT32, texts)}, [states])


class BertGraph:
    """A BERT that can be run; safe to use from several threads, each of which computes by itself."""

    def __init__(self, config: Mapping[str, Any], weights: Path) -> None:
        """Open the weights, ``model.safetensors``.

        Raises:
            OSError, KeyError, ValueError: the files do not fit each other.
            RuntimeError: ONNX Runtime refuses the graph.
        """
        import onnxruntime

        self._graph, model = bert_graph(config, mapped_tensors(weights))
        options = onnxruntime.SessionOptions()
        # Questions come from several threads at once: one thread each does more than all on one after the other.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        arrays = self._graph.weights
        self._kept = [onnxruntime.OrtValue.ortvalue_from_numpy(one) for one in arrays.values()]
        options.add_external_initializers(list(arrays), self._kept)
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def states(self, texts: Sequence[Sequence[int]]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Return the states of texts, given as ids of pieces with their markers, and where they are no filling.

        (texts, pieces, width) float32 and (texts, pieces) int32.
        """
        longest = max(map(len, texts))
        ids, mask = np.zeros((len(texts), longest), np.int64), np.zeros((len(texts), longest), np.int32)
        for row, filled, one in zip(ids, mask, texts, strict=True):
            row[: len(one)], filled[: len(one)] = one, 1
        (states,) = self._session.run(None, {"ids": ids, "places": np.arange(longest), "mask": mask})
        return states, mask
