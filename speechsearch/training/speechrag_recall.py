"""What early stopping looks at: whether the text of a development passage finds the passage's own sound."""

from __future__ import annotations

import torch
from torch import Tensor

from speechsearch.training.speechrag_model import SpeechRag
from speechsearch.training.speechrag_pairs import KeptPairs


def recalls(model: SpeechRag, pairs: KeptPairs, batch: int) -> dict[str, float]:
    """Return recall at 1 and 5 of texts among all sounds of the pairs, and the mean cosine of a text and its sound."""
    heard, said = [], []
    places = sorted(range(len(pairs.rows)), key=lambda place: pairs.states.length(pairs.rows[place].key))
    for start in range(0, len(places), batch):
        some, device = pairs.of(places[start : start + batch]), model.encoder.device
        heard.append(model([row.to(device) for row in some.states]).vectors.float().cpu())
        said.append(some.vectors)
    sounds = torch.cat(heard)
    texts = torch.nn.functional.normalize(torch.cat(said)[:, : sounds.shape[1]], dim=-1)
    scores = texts @ sounds.T
    return {
        "recall@1": recall_at(scores, 1),
        "recall@5": recall_at(scores, 5),
        "cosine": float(scores.diagonal().mean()),
    }


def recall_at(scores: Tensor, rank: int) -> float:
    """Return the share of rows whose own column is among the ``rank`` highest, (rows, rows) scores; ties count against.

    >>> recall_at(torch.tensor([[0.9, 0.1], [0.8, 0.2]]), 1)
    0.5
    """
    own = scores.diagonal()[:, None]
    return float((((scores >= own).sum(1)) <= rank).float().mean())
