"""Where the heavy work runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from speechsearch.domain.errors import MissingDependencyError
from speechsearch.service.settings import is_on_zero_gpu

Work = TypeVar("Work", bound=Callable[..., object])


def on_gpu(work: Work) -> Work:
    """Return the same work for a Space with ZeroGPU, which then lends a GPU for as long as it runs; else ``work``.

    ZeroGPU runs it in a process of its own, so arguments and results are copied.

    >>> on_gpu(len) is len
    True
    """
    if not is_on_zero_gpu():
        return work
    try:
        import spaces
    except ImportError as error:
        raise MissingDependencyError("ZeroGPU needs the package spaces.", "pip install spaces") from error
    lent: Work = spaces.GPU(work)
    return lent
