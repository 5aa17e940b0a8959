"""How an adapter may begin: from where the words of English speech are said, which the shipped model hears.

A forced alignment says which word piece is said in which averaged frame. The linear adapter begins as the least-squares
map from frames to the input embeddings of their pieces, the token adapter with some steps of cross-entropy over pieces
at the frames in which they end. Then the distillation does not have to find out by itself which frame is which word.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor

from speechsearch.domain.errors import ConfigurationError
from speechsearch.models.adapter_networks import LinearAdapter, TokenAdapter, averaged
from speechsearch.models.load import ModelLoader
from speechsearch.training.speechrag_model import SpeechRag
from speechsearch.training.speechrag_pairs import KeptPairs
from speechsearch.training.speechrag_words import NO_PIECE, Said, said_in

MARKS = ("##", "▁", "Ġ")
"""What tokenisers put before a piece that does not, or does, begin a word."""
PENALTY = 1e-3
"""On the squares of the linear map, as a part of the states' mean variance."""
TOKEN_STEPS, TOKEN_RATE, TOKEN_BATCH = 400, 1e-3, 16
CANDIDATES = 4096


def sayable(tokenizer: Tokenizer) -> Tensor:
    """Return the ids of the pieces that can be said, ascending, (pieces,) int64: those of letters only."""
    found = []
    for piece, number in tokenizer.get_vocab().items():
        for mark in MARKS:
            piece = piece.removeprefix(mark)
        if piece.isalpha():
            found.append(number)
    return torch.tensor(sorted(found))


def start_aligned(
    model: SpeechRag, pairs: KeptPairs, loader: ModelLoader, folder: Path, say: Callable[[str], None]
) -> None:
    """Give an adapter the weights that the alignment of its training speech suggests.

    ``pairs``: of the speech encoder's last states.

    Raises:
        ConfigurationError: the adapter's kind has no such start.
    """
    adapter = model.adapter
    if not isinstance(adapter, LinearAdapter | TokenAdapter):
        raise ConfigurationError(f"An adapter of the kind '{adapter.sizes.kind}' has no aligned start.")
    said = said_in(model, pairs, loader, folder)
    found = f"{len(said.spans)} of {len(pairs.rows)} sounds aligned"
    if isinstance(adapter, LinearAdapter):
        say(f"linear start: {found}, {fit_linear(adapter, pairs, said):.3f} of the variance explained")
    else:
        say(f"token start: {found}, piece accuracy {fit_tokens(adapter, pairs, said):.3f}")


def fit_linear(adapter: LinearAdapter, pairs: KeptPairs, said: Said) -> float:
    """Set the linear layer to the least-squares map from frames to embeddings; return the variance it explains, 0 to 1.

    Frames in which nothing is said are mapped to a comma. What the map leaves out of the embeddings' variance is put
    back by a factor, so that they are as long as those of words.
    """
    width, dim = adapter.out.in_features, adapter.out.out_features
    covariance, product = torch.zeros(width, width, dtype=torch.float64), torch.zeros(width, dim, dtype=torch.float64)
    states_sum, words_sum = torch.zeros(width, dtype=torch.float64), torch.zeros(dim, dtype=torch.float64)
    squares, count = 0.0, 0
    for one in pairs.rows:
        if one.key in said.spans:
            means = _frames(pairs, one.key, adapter.sizes.pool).double()
            targets = said.embeddings(one, len(means)).double()
            covariance += means.T @ means
            product += means.T @ targets
            states_sum, words_sum = states_sum + means.sum(0), words_sum + targets.sum(0)
            squares, count = squares + float(targets.square().sum()), count + len(means)
    states_mean, words_mean = states_sum / count, words_sum / count
    covariance = covariance / count - torch.outer(states_mean, states_mean)
    product = product / count - torch.outer(states_mean, words_mean)
    ridge = PENALTY * covariance.diagonal().mean() * torch.eye(width, dtype=torch.float64)
    weights = torch.linalg.solve(covariance + ridge, product)
    variance = squares / count - float(words_mean.square().sum())
    explained = float((weights * product).sum()) / variance
    weights = weights / math.sqrt(max(explained, 1e-3))
    with torch.no_grad():
        adapter.out.weight.copy_(weights.T)
        adapter.out.bias.copy_(words_mean - states_mean @ weights)
    return explained


def fit_tokens(adapter: TokenAdapter, pairs: KeptPairs, said: Said, steps: int = TOKEN_STEPS) -> float:
    """Train the token adapter on the frames in which pieces end; return the share of pieces that are right at the end.

    Pieces are scored against those of the batch and random others.
    """
    rows = [one for one in pairs.rows if one.key in said.spans]
    place_of = {int(number): place for place, number in enumerate(adapter.tokens.vocabulary)}
    optimiser = torch.optim.AdamW(adapter.parameters(), lr=TOKEN_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    rng = np.random.default_rng(1)
    right: list[float] = []
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = TOKEN_RATE * min((step + 1) / 40, 1.0, (steps - step) / (0.5 * steps))
        chosen = [rows[place] for place in rng.choice(len(rows), min(TOKEN_BATCH, len(rows)), replace=False)]
        means = [_frames(pairs, one.key, adapter.sizes.pool) for one in chosen]
        ends = torch.full((len(means), max(map(len, means))), NO_PIECE)
        for row, one, frames in zip(ends, chosen, means, strict=True):
            _, found = said.pieces(one, len(frames))
            row[: len(found)] = torch.tensor([place_of.get(int(piece), NO_PIECE) for piece in found])
        counts = torch.tensor([len(frames) for frames in means])
        states, is_end_logits = adapter.tokens(torch.nn.utils.rnn.pad_sequence(means, batch_first=True), counts)
        inside = torch.arange(ends.shape[1])[None] < counts[:, None]
        is_end = ends >= 0
        loss = 2 * F.binary_cross_entropy_with_logits(is_end_logits[inside], is_end[inside].float())
        wanted, target = torch.unique(ends[is_end], return_inverse=True)
        others = torch.from_numpy(rng.integers(len(adapter.tokens.vocabulary), size=CANDIDATES))
        logits = adapter.tokens.piece_logits(states[is_end], torch.cat([wanted, others])).float()
        stands_for = math.log(max(1.0, (len(adapter.tokens.vocabulary) - len(wanted)) / CANDIDATES))
        logits = logits + stands_for * (torch.arange(logits.shape[1]) >= len(wanted))
        loss = loss + F.cross_entropy(logits, target)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(adapter.parameters(), 1.0)
        optimiser.step()
        right.append(float((logits.argmax(-1) == target).float().mean()))
    return float(np.mean(right[-20:]))


def _frames(pairs: KeptPairs, key: str, pool: int) -> Tensor:
    """Return a sound's averaged states, (frames, width) float32."""
    states = torch.from_numpy(pairs.states.get(key).astype(np.float32))
    means, _ = averaged(states[None], torch.tensor([len(states)]), pool)
    return means[0]
