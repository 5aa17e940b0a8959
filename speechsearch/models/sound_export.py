"""The network of a sound embedder in a form that other programs run: a graph of ONNX, or TorchScript; checked.

What is exported turns codes into a vector; the tokenizer before it stays here (``speechsearch tokenize``).
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.errors import (
    CapabilityError,
    DuplicateError,
    InputError,
    MissingDependencyError,
    ModelUnavailableError,
)
from speechsearch.domain.values import FloatMatrix
from speechsearch.models import triton
from speechsearch.models.card import ModelCard

if TYPE_CHECKING:
    from speechsearch.models.similar_mini import SimilarNetwork

FACTORY = "speechsearch.models.similar_mini:load"
Form = Literal["onnx", "torchscript"]
FORMS: tuple[Form, ...] = get_args(Form)
FILE_OF: dict[Form, str] = {"onnx": "model.onnx", "torchscript": "model.pt"}
PLATFORM_OF: dict[Form, triton.Platform] = {"onnx": "onnxruntime_onnx", "torchscript": "pytorch_libtorch"}
PORTS_OF: dict[Form, tuple[str, str]] = {"onnx": ("codes", "vectors"), "torchscript": ("INPUT__0", "OUTPUT__0")}
"""Names of input and output; TorchScript has none, and Triton wants these."""
TOLERANCE = 1e-4
"""So far a number of a unit vector may lie from PyTorch's."""
TIMED_BATCHES, TIMED_RUNS = (1, 16), 20
OPERATORS = 18
READ_ME = """# {name}

`{file}` takes `{given}`, (sounds, {quantizers}, frames) int64: codes of the audio tokenizer `{tokenizer}`
(`speechsearch tokenize --model {tokenizer}`), frames in whole steps of {step}, {unknown} where there is no code.
It gives `{result}`, (sounds, {dim}) float32 of unit length.

It was trained on windows of {frames} frames. A longer sound is cut into such windows, of which a last one is left out
where less than {least} of it is there; the sound's vector is the sum of theirs, each times its frames, scaled to
length 1.

Licence of the weights: {licence}. Fingerprint: {fingerprint}.
"""
Codes = NDArray[np.int64]
Run = Callable[[Codes], FloatMatrix]


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a batch of whole windows takes, in milliseconds, the median of TIMED_RUNS."""

    batch: int
    pytorch_ms: float
    exported_ms: float


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, how far it lies from PyTorch at most, over how many vectors, and how fast both are."""

    file: str
    form: Form
    size_bytes: int
    largest_difference: float
    tolerance: float
    compared: int
    threads: int
    timings: tuple[Timing, ...]


def export(
    card: ModelCard, files: Mapping[str, Path], form: str, target: Path, serving: triton.Serving | None = None
) -> Exported:
    """Write an embedder's network to a new folder, which appears only once the file gives what PyTorch gives.

    Args:
        card: of the embedder.
        files: where its files lie, by name.
        form: onnx or torchscript.
        target: the folder.
        serving: write it as Triton's repository of models, with a description of how to run it.

    Raises:
        InputError: there is no such form.
        DuplicateError: the folder is there already.
        CapabilityError: such models are not exported.
        MissingDependencyError: a package that does it is not installed.
        ModelUnavailableError: its files cannot be read, or what is written gives other vectors than PyTorch.
    """
    kind = next((one for one in FORMS if one == form), None)
    if kind is None:
        raise InputError(f"{form!r:.40} is no form of a model.", f"Choose from: {', '.join(FORMS)}.")
    if target.exists():
        raise DuplicateError(f"{target} is there already.", "Name another folder, or remove it.")
    if card.factory != FACTORY:
        raise CapabilityError(
            f"The {card.task} '{card.name}' is of a kind that is not exported.", "Sound embedders of ours are."
        )
    network = _network(card, files)
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".export-", dir=target.parent) as work:
        made = Path(work) / "made"
        inner = made / card.name if serving else made
        file = inner / "1" / FILE_OF[kind] if serving else inner / FILE_OF[kind]
        file.parent.mkdir(parents=True)
        WRITERS[kind](network, file)
        found = compared(network, kind, file, target / file.relative_to(made))
        if serving:
            (inner / "config.pbtxt").write_text(triton_config(card, network, kind, serving), encoding="utf-8")
        (inner / "README.md").write_text(read_me(card, network, kind), encoding="utf-8")
        made.rename(target)
    return found


def _network(card: ModelCard, files: Mapping[str, Path]) -> SimilarNetwork:
    from safetensors import SafetensorError

    from speechsearch.models.similar_cards import CONFIG, WEIGHTS
    from speechsearch.models.similar_mini import read_network

    try:
        config = json.loads(files[CONFIG].read_text(encoding="utf-8"))
        return read_network(files[WEIGHTS], config).train(False).requires_grad_(False)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelUnavailableError(f"The sound embedder '{card.name}' cannot be read: {error}.") from error


def triton_config(card: ModelCard, network: SimilarNetwork, form: Form, serving: triton.Serving) -> str:
    """Return the ``config.pbtxt`` of a network."""
    given, result = PORTS_OF[form]
    inputs = [triton.Port(given, "TYPE_INT64", [network.sizes.quantizers, triton.VARIABLE])]
    outputs = [triton.Port(result, "TYPE_FP32", [network.sizes.dim])]
    return triton.config(card.name, PLATFORM_OF[form], inputs, outputs, serving)


def read_me(card: ModelCard, network: SimilarNetwork, form: Form) -> str:
    """Return what whoever runs the file must know."""
    from speechsearch.models.similar_mini import LEAST_COVERED, STEP_FRAMES, UNKNOWN

    (tokenizer,) = (name for _, name in card.needs)
    given, result = PORTS_OF[form]
    sizes = network.sizes
    return READ_ME.format(
        name=card.name, file=FILE_OF[form], given=given, result=result, quantizers=sizes.quantizers, dim=sizes.dim,
        frames=sizes.frames, tokenizer=tokenizer, step=STEP_FRAMES, unknown=UNKNOWN, least=f"{LEAST_COVERED:.0%}",
        licence=card.licence, fingerprint=card.fingerprint,
    )  # fmt: skip


def example(network: SimilarNetwork, sounds: int, frames: int, seed: int = 0) -> Codes:
    """Return codes by chance, (sounds, quantizers, frames) int64, the last frame of all but the first unknown."""
    from speechsearch.models.similar_mini import UNKNOWN

    draw = np.random.default_rng(seed)
    codes = draw.integers(0, network.sizes.codebook_size, (sounds, network.sizes.quantizers, frames))
    codes[1:, :, -1] = UNKNOWN
    return codes


def compared(network: SimilarNetwork, form: Form, file: Path, place: Path) -> Exported:
    """Return how what was written compares with PyTorch: sounds of several lengths, alone and together.

    Raises:
        ModelUnavailableError: they differ by more than TOLERANCE.
    """
    import torch

    from speechsearch.models.similar_mini import STEP_FRAMES

    threads = torch.get_num_threads()
    run, whole = RUNNERS[form](file, threads), network.sizes.frames
    shapes = [(1, STEP_FRAMES), (3, max(STEP_FRAMES, whole // 2)), (1, whole), (16, whole), (2, 2 * whole)]
    inputs = [example(network, sounds, frames, seed) for seed, (sounds, frames) in enumerate(shapes)]
    largest = max(float(np.abs(run(one) - by_pytorch(network)(one)).max()) for one in inputs)
    if not largest <= TOLERANCE:  # not a number is no agreement either
        raise ModelUnavailableError(
            f"What was written gives vectors that differ from PyTorch's by {largest:.2g}, more than {TOLERANCE:g}.",
            "Report it: nothing was kept.",
        )
    timings = []
    for batch in TIMED_BATCHES:
        codes = example(network, batch, whole)
        timings.append(Timing(batch, batch_ms(by_pytorch(network), codes), batch_ms(run, codes)))
    return Exported(
        str(place), form, file.stat().st_size, largest, TOLERANCE, sum(map(len, inputs)), threads, tuple(timings)
    )


def batch_ms(run: Run, codes: Codes) -> float:
    """Return how long a batch takes, in milliseconds, the median."""
    run(codes)
    times = []
    for _ in range(TIMED_RUNS):
        started = time.perf_counter()
        run(codes)
        times.append((time.perf_counter() - started) * 1000)
    return median(times)


def by_pytorch(network: Any) -> Run:
    """Return a network, or a script, as a function of arrays."""
    import torch

    def run(codes: Codes) -> FloatMatrix:
        with torch.inference_mode():
            found: FloatMatrix = network(torch.from_numpy(codes)).numpy()
        return found

    return run


def _write_onnx(network: SimilarNetwork, file: Path) -> None:
    import torch

    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "Writing graphs of ONNX needs a package more.", "python -m pip install -r requirements-export.txt"
        ) from error
    given, result = PORTS_OF["onnx"]
    codes = torch.from_numpy(example(network, 2, network.sizes.frames))
    dynamic = {0: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about itself; what it gives is compared
        program = torch.onnx.export(
            network, (codes,), input_names=[given], output_names=[result], dynamic_shapes=(dynamic,),
            opset_version=OPERATORS, dynamo=True, verbose=False,
        )  # fmt: skip
    assert program is not None, "it is given a module, not a path"
    program.save(str(file), external_data=False)


def _write_torchscript(network: SimilarNetwork, file: Path) -> None:
    import torch

    jit: Any = torch.jit
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript is old; Triton runs it, and what it gives is compared
        script = jit.trace(network, torch.from_numpy(example(network, 2, network.sizes.frames)))
        script.save(str(file))


def _run_onnx(file: Path, threads: int) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()

    def run(codes: Codes) -> FloatMatrix:
        (found,) = session.run(None, {given.name: codes})
        return np.asarray(found, np.float32)

    return run


def _run_torchscript(file: Path, threads: int) -> Run:
    import torch

    jit: Any = torch.jit
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        script = jit.load(str(file), map_location="cpu")
    return by_pytorch(script)


WRITERS: dict[Form, Callable[[SimilarNetwork, Path], None]] = {
    "onnx": _write_onnx,
    "torchscript": _write_torchscript,
}
RUNNERS: dict[Form, Callable[[Path, int], Run]] = {"onnx": _run_onnx, "torchscript": _run_torchscript}
