"""Where the heavy work runs, and in which precision. What is asked for and cannot be had is an error, never replaced.

Text encoders compute in float32 everywhere, so that a question's vector is the same on every machine; the precision
is that of speech encoders, adapters and recognisers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

from speechsearch.domain.errors import ConfigurationError, MissingDependencyError

if TYPE_CHECKING:
    import torch

DeviceName = Literal["cpu", "cuda", "mps"]
Precision = Literal["float32", "bfloat16", "float16"]
Work = TypeVar("Work", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Device:
    """A device that is there, a precision that it computes in, and how many threads may feed it at once."""

    name: DeviceName = "cpu"
    dtype: Precision = "float32"
    threads: int = 1

    @property
    def torch_device(self) -> torch.device:
        """The same for PyTorch."""
        import torch

        return torch.device(self.name)

    @property
    def torch_dtype(self) -> torch.dtype:
        """The precision for PyTorch."""
        import torch

        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[self.dtype]


def choose_device(name: str = "auto", dtype: str = "auto") -> Device:
    """Return the device to compute on; "auto" is the fastest that is there, in its fastest precision that is safe.

    On a CPU that is bfloat16 where the processor multiplies it, else float32.

    Raises:
        ConfigurationError: the device is not there, or does not compute in this precision.

    >>> choose_device("cpu", "float32").dtype
    'float32'
    """
    import torch

    check_device(name, dtype)
    is_there: dict[str, Callable[[], bool]] = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
        "cpu": lambda: True,
    }
    if name == "auto":
        name = next(one for one in is_there if is_there[one]())
    elif not is_there[name]():
        raise ConfigurationError(
            f"There is no device '{name}' for PyTorch {torch.__version__}.",
            "Choose auto or cpu, or install a build of PyTorch for this device.",
        )
    fast: dict[str, Callable[[], bool]] = {
        "cpu": torch.cpu._is_avx512_bf16_supported,
        "cuda": torch.cuda.is_bf16_supported,
        "mps": lambda: False,
    }
    if dtype == "auto":
        dtype = "bfloat16" if fast[name]() else "float32"
    return Device(name, dtype, torch.get_num_threads() if name == "cpu" else 1)  # type: ignore[arg-type]


def check_device(name: str, dtype: str) -> None:
    """Do nothing if the words name a device and a precision; imports nothing, so that settings are checked early.

    Raises:
        ConfigurationError: they do not, or not together.
    """
    for kind, word, known in (("device", name, get_args(DeviceName)), ("precision", dtype, get_args(Precision))):
        if word not in ("auto", *known):
            raise ConfigurationError(f"There is no {kind} '{word}'.", f"Choose one of: auto, {', '.join(known)}.")
    if name == "cpu" and dtype == "float16":
        raise ConfigurationError("A CPU does not compute in float16.", "Choose auto, float32 or bfloat16.")


def on_gpu(work: Work, is_on_zero_gpu: bool) -> Work:
    """Return the same work for a Space with ZeroGPU, which then lends a GPU for as long as it runs; else ``work``.

    ZeroGPU runs it in a process of its own, so arguments and results are copied.

    Raises:
        MissingDependencyError: it is such a Space, and its package is missing.

    >>> on_gpu(len, is_on_zero_gpu=False) is len
    True
    """
    if not is_on_zero_gpu:
        return work
    try:
        import spaces
    except ImportError as error:
        raise MissingDependencyError(
            "ZeroGPU needs the package spaces.", "Run: python -m pip install spaces"
        ) from error
    lent: Work = spaces.GPU(work)
    return lent
