"""How large a speech adapter is; nothing heavy is imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["linear", "transformer", "token"]


@dataclass(frozen=True, slots=True)
class AdapterSizes:
    """What an adapter is: its kind, how many states become one, and for all but ``linear`` its own size."""

    kind: Kind = "linear"
    pool: int = 4
    width: int = 256
    layers: int = 2
    heads: int = 4
