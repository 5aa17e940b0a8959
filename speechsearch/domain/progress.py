"""What a long task reports while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a long task: ``done`` of ``total`` units (0 when unknown), the rate and the time left."""

    stage: str
    name: str
    done: float
    total: float
    rate: float = 0.0
    remaining_s: float | None = None
    message: str = ""

    @property
    def fraction(self) -> float:
        """The part done, 0 to 1; 0 when the total is unknown.

        >>> Progress("ingest", "talk.mp3", 1, 4).fraction
        0.25
        """
        return min(1.0, self.done / self.total) if self.total else 0.0


ProgressCallback = Callable[[Progress], None]
