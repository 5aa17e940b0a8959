"""How well a sound embedder finds held-out recordings again, while it is trained.

Each recording is the windows of it as it is; a query is one window of a changed view. ``other``: a window of a piece as
it is finds the other renderings of it, the recording itself left out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.values import FloatMatrix
from speechsearch.training.similar_crops import Coded, crop, whole_windows

Embed = Callable[[NDArray[np.int16]], FloatMatrix]
"""From windows of codes (n, quantizers, frames) to unit vectors (n, dim)."""


def ranks(scores: FloatMatrix, relevant: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the rank of the best relevant recording a query, from 1; ties count against it.

    ``scores``: (queries, recordings); -inf where a recording is left out. ``relevant``: the same shape.

    >>> ranks(np.array([[0.9, 0.2, 0.5]], np.float32), np.array([[False, False, True]])).tolist()
    [2]
    """
    best = np.where(relevant, scores, -np.inf).max(1, keepdims=True)
    found: NDArray[np.int64] = 1 + ((scores >= best) & ~relevant & np.isfinite(scores)).sum(1)
    return found


def best_windows(queries: FloatMatrix, windows: FloatMatrix, first: NDArray[np.int64]) -> FloatMatrix:
    """Return how like each query the best window of each recording is, (queries, recordings).

    ``first``: the row of each recording's first window.

    >>> best_windows(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), np.array([0])).tolist()
    [[1.0], [1.0]]
    """
    found: FloatMatrix = np.maximum.reduceat(queries @ windows.T, first, axis=1)
    return found


def validate(recordings: Sequence[Coded], embed: Embed, frames: int, queries: int, seed: int = 1) -> dict[str, float]:
    """Return R@1 and R@10 by kind of changed queries and of other renderings, and their mean reciprocal ranks."""
    rng, figures = random.Random(seed), dict[str, float]()
    by_recording = [whole_windows(one.codes[0], frames, frames // 2) for one in recordings]
    first = np.cumsum([0, *(len(some) for some in by_recording)])[:-1]
    windows = embed(np.concatenate(by_recording))
    for name, kind in (("speech", "speech"), ("music", "music"), ("other", "music")):
        own = [place for place, one in enumerate(recordings) if one.kind == kind]
        if name == "other":
            own = [place for place in own if sum(one.piece == recordings[place].piece for one in recordings) > 1]
        asked = rng.sample(own, min(queries, len(own)))
        if not asked:
            continue
        view = [0 if name == "other" else rng.randrange(1, len(recordings[place].codes)) for place in asked]
        chosen = [recordings[place].codes[one] for place, one in zip(asked, view, strict=True)]
        crops = [crop(codes, rng.randint(0, max(0, codes.shape[1] - frames)), frames) for codes in chosen]
        scores = best_windows(embed(np.stack(crops)), windows, first)
        relevant = np.array([[one.piece == recordings[place].piece for one in recordings] for place in asked])
        itself = np.array([[other == place for other in range(len(recordings))] for place in asked])
        if name == "other":
            scores, relevant = np.where(itself, -np.inf, scores), relevant & ~itself
        else:
            relevant = itself
        found = ranks(scores, relevant)
        figures |= {
            f"{name} R@1": float((found == 1).mean()),
            f"{name} R@10": float((found <= 10).mean()),
            f"{name} MRR": float((1 / found).mean()),
        }
    return figures
