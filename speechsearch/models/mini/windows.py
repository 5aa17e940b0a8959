"""Long passages are heard in overlapping windows: less work, and no sound is longer than those of the training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from speechsearch.domain.values import SAMPLE_RATE_HZ
from speechsearch.models.mini.acoustic import FRAME_S

FRAME_SAMPLES = round(FRAME_S * SAMPLE_RATE_HZ)
LONGEST = 15 * SAMPLE_RATE_HZ // FRAME_SAMPLES
"""Frames of a window, 15 s."""
OVERLAP = SAMPLE_RATE_HZ // FRAME_SAMPLES
"""Frames that neighbours share, 1 s; each keeps the half next to its own."""


def windows(samples: int) -> list[tuple[int, int]]:
    """Return where the windows of a sound begin and end, in samples: as few as can be, about as long as each other.

    >>> windows(16_000 * 15), windows(16_000 * 20)
    ([(0, 240000)], [(0, 168320), (152320, 320000)])
    """
    frames = -(-samples // FRAME_SAMPLES)
    count = max(1, -(-(frames - OVERLAP) // (LONGEST - OVERLAP)))
    step = -(-(frames - OVERLAP) // count)
    starts = [number * step for number in range(count)]
    return [(start * FRAME_SAMPLES, min(samples, (start + step + OVERLAP) * FRAME_SAMPLES)) for start in starts]


def stitched(parts: Sequence[Tensor], spans: Sequence[tuple[int, int]]) -> Tensor:
    """Return the frames of a whole sound, (frames, n), from those of its windows.

    >>> long, short = torch.zeros(263, 1), torch.ones(262, 1)
    >>> stitched([long, short], [(0, 168320), (152320, 320000)]).squeeze(1).diff().nonzero().item()
    249
    """
    kept = []
    for number, (part, (start, _)) in enumerate(zip(parts, spans, strict=True)):
        first = OVERLAP // 2 if number else 0
        is_last = number + 1 == len(spans)
        end = len(part) if is_last else (spans[number + 1][0] - start) // FRAME_SAMPLES + OVERLAP // 2
        kept.append(part[first:end])
    return torch.cat(kept)
