"""The losses of a speech adapter; pure functions of vectors.

Source: Min et al., 2024, SpeechRAG (arXiv 2412.16500), 1 - cosine to the transcript's vector; van den Oord et al.,
2018, InfoNCE (arXiv 1807.03748); Kusupati et al., 2022, Matryoshka (arXiv 2205.13147).
Differs: the paper has the cosine alone; the loss of words is ours. Both vectors of a pair may be cut to several sizes;
the losses of all sizes are averaged.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def cosine_loss(heard: Tensor, said: Tensor) -> Tensor:
    """Return the mean of 1 - cosine over pairs of (pairs, dim) vectors.

    >>> heard, said = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    >>> round(float(cosine_loss(heard, said)), 3)
    0.5
    """
    return (1 - F.cosine_similarity(heard, said, dim=-1)).mean()


def contrastive_loss(heard: Tensor, said: Tensor, temperature: float) -> Tensor:
    """Return InfoNCE of (pairs, dim) vectors, the mean of both directions: each sound among texts, each text among
    sounds. Pairs with the same text are no counter-examples of each other.

    >>> same = torch.eye(2)
    >>> round(float(contrastive_loss(same, same, 1.0)), 4)
    0.3133
    """
    heard, said = F.normalize(heard, dim=-1), F.normalize(said, dim=-1)
    scores = heard @ said.T / temperature
    places = torch.arange(len(scores), device=scores.device)
    is_same = (said @ said.T > 1 - 1e-6) & (places[:, None] != places[None])
    scores = scores.masked_fill(is_same, float("-inf"))
    return (F.cross_entropy(scores, places) + F.cross_entropy(scores.T, places)) / 2


def word_loss(heard: Sequence[Tensor], said: Sequence[Tensor]) -> Tensor:
    """Return the part of the variance of ``said`` that ``heard`` misses; of each sound (frames, dim) embeddings.

    >>> said = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> float(word_loss([said], [said])), float(word_loss([said.mean(0).expand(2, 2)], [said]))
    (0.0, 1.0)
    """
    found, wanted = torch.cat(list(heard)).float(), torch.cat(list(said)).float()
    return (found - wanted).square().sum() / (wanted - wanted.mean(0)).square().sum()


def pair_loss(
    heard: Tensor, said: Tensor, cosine: float, contrast: float, temperature: float, sizes: Sequence[int] = ()
) -> Tensor:
    """Return the weighted sum of both losses, averaged over the whole vectors and these sizes of them.

    >>> whole = pair_loss(torch.eye(2), torch.eye(2), 1.0, 0.0, 1.0)
    >>> float(whole), round(float(pair_loss(torch.eye(2)[:1], torch.ones(1, 2), 1.0, 0.0, 1.0, sizes=[1])), 4)
    (0.0, 0.1464)
    """
    losses = []
    for size in dict.fromkeys((*sizes, heard.shape[1])):
        loss = heard.new_zeros(())
        if cosine:
            loss = loss + cosine * cosine_loss(heard[:, :size], said[:, :size])
        if contrast:
            loss = loss + contrast * contrastive_loss(heard[:, :size], said[:, :size], temperature)
        losses.append(loss)
    return torch.stack(losses).mean()
