"""Smaller copies of models: the same files with coarser numbers, as a folder that the folder of models takes.

Source: Wu et al., 2020, Integer Quantization for Deep Learning Inference (arXiv 2004.09602), for one scale a row.
Differs: nothing is calibrated; activations stay as they are (``mini``), are scaled at run time (ONNX), or are what
CTranslate2 makes of them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

from speechsearch.domain.errors import (
    CapabilityError,
    DuplicateError,
    InputError,
    MissingDependencyError,
    ModelUnavailableError,
)
from speechsearch.models.card import ModelCard

Numbers = Literal["int8", "float16", "bfloat16"]
NUMBERS: tuple[Numbers, ...] = get_args(Numbers)
KEPT_BESIDES = ("README.md", "LICENSE", "LICENSE.txt")
"""Of a folder, where there are such files: they say whose the weights are."""
LARGEST_GRAPH_BYTES = 1_900_000_000
"""A graph with more weights must keep them in a file of their own."""
INTEGER_NODES = ("MatMulInteger", "DynamicQuantizeLinear")


def quantize(card: ModelCard, files: Mapping[str, Path], numbers: str, target: Path) -> None:
    """Write a copy of a model with coarser numbers to a new folder; it appears at once or not at all.

    Args:
        card: of the model.
        files: where its files lie, by name.
        numbers: int8, float16 or bfloat16.
        target: the folder; its name is that of the new model.

    Raises:
        InputError: there are no such numbers.
        DuplicateError: the folder is there already.
        CapabilityError: such models are not quantised here, or not into these numbers, or are so already.
        MissingDependencyError: a package that does it is not installed.
        ModelUnavailableError: the files cannot be read.
    """
    if numbers not in NUMBERS:
        raise InputError(f"{numbers!r:.40} is no kind of numbers.", f"Choose from: {', '.join(NUMBERS)}.")
    if target.exists():
        raise DuplicateError(f"{target} is there already.", "Name another --output, or remove it.")
    convert = _converter(card, files)
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".quantize-", dir=target.parent) as work:
        source, made = Path(work) / "source", Path(work) / "made"
        source.mkdir()
        folder = next(iter(files.values())).parent
        beside = {name: folder / name for name in KEPT_BESIDES if (folder / name).is_file()}
        for name, path in {**beside, **files}.items():
            (source / name).symlink_to(path.resolve())
        made.mkdir()
        convert(card, source, numbers, made)
        for name in beside:
            shutil.copyfile(source / name, made / name)
        made.rename(target)


def _converter(card: ModelCard, files: Mapping[str, Path]) -> Callable[[ModelCard, Path, str, Path], None]:
    """Return what quantises a model of such a kind. Raises CapabilityError."""
    kind = card.factory.removeprefix("speechsearch.models.")
    if kind == "mini.encoder:load":
        return _mini
    if kind == "onnx_asr:load":
        return _onnx
    if kind == "transformers_asr:load_seq2seq" and _config(files).get("model_type") == "whisper":
        return _whisper
    if kind == "whisper:load":
        raise CapabilityError(
            f"'{card.name}' is in CTranslate2's form already, and is computed in int8 on a CPU.",
            "Take the folder of the same Whisper as transformers saves it.",
        )
    raise CapabilityError(
        f"The {card.task} '{card.name}' is of a kind that is not quantised here.",
        "Our speech encoders, Whisper checkpoints of transformers and ONNX models are.",
    )


def _config(files: Mapping[str, Path]) -> dict[str, Any]:
    path = files.get("config.json")
    found = json.loads(path.read_text(encoding="utf-8")) if path else {}
    return found if isinstance(found, dict) else {}


def _mini(card: ModelCard, source: Path, numbers: str, made: Path) -> None:
    """Write the weights of our encoder and adapter in other numbers."""
    import torch
    from safetensors.torch import load_file, save_file

    from speechsearch.models.mini.packed import CONFIG, LARGE, WEIGHTS, packed, unpacked

    tensors = load_file(source / WEIGHTS)
    kinds = {
        str(one.dtype).removeprefix("torch.") for one in tensors.values() if one.ndim == 2 and one.numel() >= LARGE
    }
    if kinds == {numbers}:
        raise _is_so_already(card, numbers)
    plain = unpacked(tensors)
    half = torch.float16 if numbers == "float16" else torch.bfloat16
    cast = {name: one.to(half).contiguous() if one.is_floating_point() else one for name, one in plain.items()}
    save_file(packed(plain) if numbers == "int8" else cast, made / WEIGHTS)
    shutil.copyfile(source / CONFIG, made / CONFIG)


def _whisper(card: ModelCard, source: Path, numbers: str, made: Path) -> None:
    """Convert a Whisper of transformers for CTranslate2."""
    from ctranslate2.converters import TransformersConverter
    from safetensors import SafetensorError

    beside = [name for name in ("tokenizer.json", "preprocessor_config.json") if (source / name).is_file()]
    if "tokenizer.json" not in beside:
        raise ModelUnavailableError(
            f"'{card.name}' has no tokenizer.json.", "Save the tokeniser with transformers' AutoTokenizer."
        )
    try:
        converter = TransformersConverter(str(source), copy_files=beside)
        converter.convert(str(made), quantization=numbers, force=True)
    except (OSError, RuntimeError, ValueError, KeyError, SafetensorError) as error:
        raise ModelUnavailableError(f"'{card.name}' cannot be converted: {error}.") from error


def _onnx(card: ModelCard, source: Path, numbers: str, made: Path) -> None:
    """Write ONNX graphs whose products with weights are computed in int8; convolutions and all else stay."""
    if numbers != "int8":
        raise CapabilityError(f"ONNX models are not made {numbers} here.", "Choose int8.")
    try:
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError as error:
        raise MissingDependencyError("Quantising ONNX models needs the package onnx.", "pip install onnx") from error

    graphs = sorted(source.glob("*.onnx"))
    numbers_apart = {f"{graph.name}{ending}" for graph in graphs for ending in (".data", "_data")}
    for path in source.iterdir():
        if path not in graphs and path.name not in (*numbers_apart, *KEPT_BESIDES):
            shutil.copyfile(path, made / path.name)
    count = 0
    for graph in graphs:
        kinds = [node.op_type for node in onnx.load(graph, load_external_data=False).graph.node]
        if any(kind in INTEGER_NODES for kind in kinds):
            raise _is_so_already(card, numbers)
        size_bytes = sum(one.stat().st_size for one in source.glob(f"{graph.name}*"))
        written = made / f"{graph.stem.removesuffix('.int8')}.int8.onnx"
        quantize_dynamic(
            graph.resolve(),
            written,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            use_external_data_format=size_bytes > LARGEST_GRAPH_BYTES,
        )
        count += sum(
            node.op_type == "MatMulInteger" for node in onnx.load(written, load_external_data=False).graph.node
        )
    if not count:
        raise CapabilityError(f"'{card.name}' has no products with weights that could be made int8.")


def _is_so_already(card: ModelCard, numbers: str) -> CapabilityError:
    return CapabilityError(f"The weights of '{card.name}' are {numbers} already.", "There is nothing to do.")
