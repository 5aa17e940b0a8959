"""Beam search over addresses: the likeliest ones, with their log-probabilities, many questions at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Next = Callable[[Tensor], Tensor]
"""Tokens (rows * beams, so far) -> log-probabilities of the next (rows * beams, vocabulary); a row's beams together."""
Keep = Callable[[Tensor, Tensor], Tensor]
"""What a ``LogitsProcessor`` does: tokens so far, scores -> scores, -inf for what may not come."""


@torch.inference_mode()
def beam_search(following: Next, rows: int, length: int, beams: int, keep: Keep | None = None) -> tuple[Tensor, Tensor]:
    """Return the likeliest addresses of each row, (rows, found, length) int64, and their log-probabilities.

    Best first; (rows, found) float32, -inf where there are fewer addresses that may be written than beams. With as many
    beams as there are addresses the search is exhaustive.
    """
    tokens = torch.zeros(rows, 1, 0, dtype=torch.long)
    totals = torch.zeros(rows, 1)
    for _ in range(length):
        so_far = tokens.flatten(0, 1)
        scores = following(so_far).float().cpu()
        if keep is not None:
            scores = keep(so_far, scores)
        vocabulary = scores.shape[1]
        extended = (totals.flatten()[:, None] + scores).view(rows, -1)
        totals, places = extended.topk(min(beams, extended.shape[1]), dim=1)
        before = tokens.gather(1, (places // vocabulary)[..., None].expand(-1, -1, tokens.shape[2]))
        tokens = torch.cat([before, (places % vocabulary)[..., None]], dim=2)
    return tokens, totals
