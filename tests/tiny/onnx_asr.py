"""Tiny random ONNX graphs with the inputs and outputs of NVIDIA's and Sber's exports, as onnx-asr reads them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper, save

from speechsearch.models.card import ModelCard, ModelFile
from speechsearch.models.onnx_asr_cards import FACTORY, TRANSLATING, VERSION
from tests.tiny.saving import sha256_of

WIDTH, STRIDE = 12, 8
PIECES = ["▁a", "▁se", "▁no", "t", "r", "en", "▁oc", "▁,"]
CANARY = ["▁", "<|startofcontext|>", "<|startoftranscript|>", "<|emo:undefined|>", "<|en|>", "<|de|>", "<|pnc|>",
          "<|noitn|>", "<|notimestamp|>", "<|nodiarize|>", "<|endoftext|>"]  # fmt: skip
FLOAT, INT64, INT32 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32


@dataclass(frozen=True)
class Family:
    """A card that lacks only its files, and the kind of graphs that are written for it."""

    kind: str
    CARD: ModelCard

    def save(self, folder: Path) -> ModelCard:
        """Write the graphs, the vocabulary and the config; return the card with all files."""
        folder.mkdir(parents=True, exist_ok=True)
        WRITERS[self.kind](Graphs(folder))
        order = sorted(folder.iterdir(), key=lambda path: (path.suffix != ".onnx", path.name))
        files = tuple(ModelFile(path.name, sha256_of(path)) for path in order)
        return replace(self.CARD, files=files)


class Graphs:
    """Writes graphs with random weights into a folder; the same every time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.random = np.random.default_rng(4)

    def write(self, name: str, inputs: dict, outputs: dict, nodes: list[NodeProto], **weights: np.ndarray) -> None:
        """One graph; inputs and outputs are {name: (type, shape)}."""
        of = [[helper.make_tensor_value_info(one, *what) for one, what in part.items()] for part in (inputs, outputs)]
        constants = [numpy_helper.from_array(array, one) for one, array in weights.items()]
        graph = helper.make_graph(nodes, name, *of, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        save(model, str(self.folder / name))

    def weight(self, *shape: int, scale: float = 1.0) -> np.ndarray:
        """A random array, float32."""
        return (scale * self.random.normal(size=shape)).astype(np.float32)

    def write_config(self, vocabulary: str, pieces: list[str], **config: object) -> None:
        """The vocabulary and ``config.json``."""
        lines = [f"{piece} {number}" for number, piece in enumerate(pieces)]
        (self.folder / vocabulary).write_text("\n".join(lines) + "\n", encoding="utf-8")
        (self.folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def node(kind: str, inputs: str, outputs: str, **attributes: object) -> NodeProto:
    """A node; names with spaces between."""
    return helper.make_node(kind, inputs.split(), outputs.split(), **attributes)


def strided(features: int, length: str) -> tuple[list[NodeProto], dict[str, np.ndarray]]:
    """Nodes from ``audio_signal`` and a length to ``states`` (batch, frames, width) and ``lengths`` int64."""
    numbers = {"start": 0, "end": 2**31 - 1, "axis": 1, "stride": STRIDE, "one": 1}
    constants = {name: np.array([number], np.int64) for name, number in numbers.items()}
    nodes = [
        node("Transpose", "audio_signal", "rows", perm=[0, 2, 1]),
        node("Slice", "rows start end axis stride", "some"),
        node("MatMul", "some into", "wide"),
        node("Tanh", "wide", "states"),
        node("Sub", f"{length} one", "less"),
        node("Div", "less stride", "whole"),
        node("Add", "whole one", "lengths"),
    ]
    return nodes, constants


def _ctc(to: Graphs) -> None:
    nodes, constants = strided(80, "length")
    pieces = [*PIECES, "<blk>"]
    nodes += [node("MatMul", "states head", "scores"), node("LogSoftmax", "scores", "logprobs", axis=-1)]
    to.write(
        "model.int8.onnx",
        {"audio_signal": (FLOAT, ["b", 80, "t"]), "length": (INT64, ["b"])},
        {"logprobs": (FLOAT, ["b", "n", len(pieces)])},
        nodes,
        **constants,
        into=to.weight(80, WIDTH, scale=0.2),
        head=to.weight(WIDTH, len(pieces)),
    )
    to.write_config("vocab.txt", pieces, model_type="nemo-conformer-ctc", features_size=80, subsampling_factor=STRIDE)


def _encoder(to: Graphs, file: str, features: int, names: tuple[str, str], length_type: int) -> None:
    nodes, constants = strided(features, "length")
    nodes += [
        node("Transpose", "states", names[0], perm=[0, 2, 1]),
        node("Cast", "lengths", names[1], to=length_type),
    ]
    to.write(
        file,
        {"audio_signal": (FLOAT, ["b", features, "t"]), "length": (INT64, ["b"])},
        {names[0]: (FLOAT, ["b", WIDTH, "n"]), names[1]: (length_type, ["b"])},
        nodes,
        **constants,
        into=to.weight(features, WIDTH, scale=0.2),
    )


def _tdt(to: Graphs) -> None:
    pieces = [*PIECES, "<blk>"]
    _encoder(to, "encoder-model.int8.onnx", 128, ("outputs", "encoded_lengths"), INT64)
    state = (FLOAT, [1, 1, WIDTH])
    to.write(
        "decoder_joint-model.int8.onnx",
        {"encoder_outputs": (FLOAT, [1, WIDTH, 1]), "targets": (INT32, [1, 1]), "target_length": (INT32, [1]),
         "input_states_1": state, "input_states_2": state},
        {"outputs": (FLOAT, [1, 1, 1, len(pieces) + 5]), "output_states_1": state, "output_states_2": state},
        [
            node("Gather", "embeddings targets", "said"),
            node("Add", "said input_states_1", "mixed"),
            node("Tanh", "mixed", "output_states_1"),
            node("Identity", "input_states_2", "output_states_2"),
            node("Transpose", "encoder_outputs", "heard", perm=[0, 2, 1]),
            node("Add", "heard output_states_1", "joint"),
            node("MatMul", "joint head", "scores"),
            node("Unsqueeze", "scores zero", "outputs"),
        ],
        embeddings=to.weight(len(pieces), WIDTH),
        head=to.weight(WIDTH, len(pieces) + 5),
        zero=np.array([0], np.int64),
    )  # fmt: skip
    to.write_config("vocab.txt", pieces, model_type="nemo-conformer-tdt", features_size=128, max_tokens_per_step=10)


def _rnnt(to: Graphs) -> None:
    pieces, wide = ["▁", *"аеинорст", "<blk>"], 320
    _encoder(to, "v3_rnnt_encoder.onnx", 64, ("encoded", "encoded_len"), INT32)
    state = (FLOAT, [1, 1, wide])
    to.write(
        "v3_rnnt_decoder.onnx",
        {"x": (INT32, [1, 1]), "h.1": state, "c.1": state},
        {"dec": state, "h": state, "c": state},
        [
            node("Gather", "embeddings x", "said"),
            node("Add", "said h.1", "mixed"),
            node("Tanh", "mixed", "h"),
            node("Identity", "h", "dec"),
            node("Identity", "c.1", "c"),
        ],
        embeddings=to.weight(len(pieces), wide, scale=0.1),
    )
    to.write(
        "v3_rnnt_joint.onnx",
        {"enc": (FLOAT, [1, WIDTH, 1]), "dec": (FLOAT, [1, wide, 1])},
        {"joint": (FLOAT, [1, 1, 1, len(pieces)])},
        [
            node("Transpose", "enc", "heard", perm=[0, 2, 1]),
            node("Transpose", "dec", "said", perm=[0, 2, 1]),
            node("MatMul", "heard of_heard", "a"),
            node("MatMul", "said of_said", "b"),
            node("Add", "a b", "sum"),
            node("Unsqueeze", "sum zero", "joint"),
        ],
        of_heard=to.weight(WIDTH, len(pieces)),
        of_said=to.weight(wide, len(pieces), scale=0.3),
        zero=np.array([0], np.int64),
    )
    to.write_config("v3_vocab.txt", pieces, version="v3", features_size=64, subsampling_factor=STRIDE)


def _aed(to: Graphs) -> None:
    pieces = [*CANARY, *PIECES[:-1]]
    nodes, constants = strided(128, "length")
    to.write(
        "encoder-model.int8.onnx",
        {"audio_signal": (FLOAT, ["b", 128, "t"]), "length": (INT64, ["b"])},
        {"encoder_embeddings": (FLOAT, ["b", "n", WIDTH]), "encoder_mask": (INT64, ["b", "n"])},
        [
            *nodes,
            node("Identity", "states", "encoder_embeddings"),
            node("Shape", "states", "count", start=1, end=2),
            node("Squeeze", "count", "frames"),
            node("Range", "zero frames step", "places"),
            node("Unsqueeze", "lengths one", "ends"),
            node("Less", "places ends", "inside"),
            node("Cast", "inside", "encoder_mask", to=INT64),
        ],
        **constants,
        into=to.weight(128, WIDTH, scale=0.2),
        zero=np.array(0, np.int64),
        step=np.array(1, np.int64),
    )
    to.write(
        "decoder-model.int8.onnx",
        {"input_ids": (INT64, ["b", "m"]), "encoder_embeddings": (FLOAT, ["b", "n", WIDTH]),
         "encoder_mask": (INT64, ["b", "n"]), "decoder_mems": (FLOAT, [1, "b", "k", WIDTH])},
        {"logits": (FLOAT, ["b", "m", len(pieces)]), "decoder_hidden_states": (FLOAT, [1, "b", "l", WIDTH])},
        [
            node("Gather", "embeddings input_ids", "said"),
            node("Unsqueeze", "said first", "row"),
            node("Concat", "decoder_mems row", "decoder_hidden_states", axis=2),
            node("Cast", "encoder_mask", "mask", to=FLOAT),
            node("Unsqueeze", "mask last", "column"),
            node("Mul", "encoder_embeddings column", "inside"),
            node("ReduceMax", "inside", "heard", axes=[1], keepdims=1),
            node("Add", "said heard", "joint"),
            node("MatMul", "joint head", "scores"),
            node("LogSoftmax", "scores", "logits", axis=-1),
        ],
        embeddings=to.weight(len(pieces), WIDTH),
        head=to.weight(WIDTH, len(pieces)),
        first=np.array([0], np.int64),
        last=np.array([2], np.int64),
    )  # fmt: skip
    to.write_config("vocab.txt", pieces, model_type=TRANSLATING, features_size=128, max_sequence_length=40)


WRITERS = {"nemo-conformer-ctc": _ctc, "nemo-conformer-tdt": _tdt, "gigaam-v3-rnnt": _rnnt, TRANSLATING: _aed}


def _family(name: str, kind: str, languages: tuple[str, ...]) -> Family:
    card = ModelCard(
        name=name,
        task="recognizer",
        factory=FACTORY,
        summary="random pieces",
        licence="Apache-2.0",
        languages=languages,
        package="onnx-asr",
        revision=VERSION,
        translates=kind == TRANSLATING,
    )
    return Family(kind, card)


CTC = _family("tiny-parakeet-ctc-onnx", "nemo-conformer-ctc", ("en",))
TDT = _family("tiny-parakeet-tdt-onnx", "nemo-conformer-tdt", ("en", "de"))
RNNT = _family("tiny-gigaam-rnnt-onnx", "gigaam-v3-rnnt", ("en", "ru"))
AED = _family("tiny-canary-onnx", TRANSLATING, ("en", "de"))
