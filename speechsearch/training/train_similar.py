"""Recipe, second half: train ``similar-mini``, which turns codes into one vector of what a sound is like.

``python -m speechsearch.training.train_similar VIEWS OUT`` (``--tiny``: a few seconds). VIEWS is what
``training/similar_views.py`` made. Two crops of a recording, changed in different ways, are to be nearer to each other
than to the other recordings of the batch (InfoNCE, both ways, with a learnt temperature); of music, now and then, two
renderings of a piece. What is of the same piece is no negative. Codes are forgotten by chance. Resumes from
OUT/state.safetensors when it is there; OUT/model is the best by validation, a folder for the folder of models;
OUT/log.jsonl has the curves (``benchmarks/similar_curves.py`` draws them).
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import typer
from numpy.typing import NDArray
from torch import Tensor, nn

from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, FloatMatrix
from speechsearch.models.base import AudioTokenizer
from speechsearch.models.catalog import catalog
from speechsearch.models.folders import with_folder
from speechsearch.models.load import ModelLoader
from speechsearch.models.rvq_mini import RvqTokenizer
from speechsearch.models.similar_mini import WINDOWS_AT_ONCE, SimilarNetwork, Sizes, write_network
from speechsearch.training.rates import rate_at
from speechsearch.training.similar_crops import Coded, Drawer, coded, in_steps
from speechsearch.training.similar_recordings import KINDS
from speechsearch.training.similar_validation import validate
from speechsearch.training.similar_views import HELD_OUT, TRAIN, read_views
from speechsearch.training.steps import Steps

LOWEST_RATE = 0.02
"""The part of the learning rate that is left at the end."""
WINDOW_S = 10.24
"""So long are the crops."""
FIRST_SCALE, LARGEST_SCALE = 10.0, 60.0
"""One over the temperature."""
SHORT_SHARE = 0.3
"""Of the batches have first crops of half the length."""
CHOSEN_BY = ("speech R@1", "music R@1", "other MRR")
"""The mean of these says which network is the best."""
VALIDATED = 100
"""Queries of each kind."""


@dataclass(frozen=True)
class Plan:
    """How long and how is trained; ``size``: pairs a step."""

    steps: int = 1500
    size: int = 96
    rate: float = 1e-3
    warmup: int = 100
    layers: int = 2
    width: int = 192
    seed: int = 1
    validate_every: int = 100
    is_bf16: bool = True


TINY = Plan(steps=6, size=8, layers=1, width=32, validate_every=3)


class Scale(nn.Module):
    """The learnt temperature, as the logarithm of what likenesses are multiplied by."""

    def __init__(self) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))

    def forward(self) -> Tensor:
        """Return what likenesses are multiplied by, a number."""
        return self.log.clamp(max=math.log(LARGEST_SCALE)).exp()


def info_nce(first: Tensor, second: Tensor, is_same: Tensor, scale: Tensor) -> Tensor:
    """Return how badly each of two sets of unit vectors (n, dim) finds its own in the other, in nats.

    ``is_same``: (n, n) bool, the pairs beside the diagonal that are no negatives.

    >>> apart = torch.eye(2)
    >>> round(info_nce(apart, apart, torch.zeros(2, 2, dtype=torch.bool), torch.tensor(0.0)).item() / math.log(2), 3)
    1.0
    >>> round(info_nce(apart, apart, torch.ones(2, 2, dtype=torch.bool), torch.tensor(1.0)).item(), 3)
    0.0
    """
    masked = is_same & ~torch.eye(len(first), dtype=torch.bool)
    logits = (scale * first @ second.T).masked_fill(masked, -torch.inf)
    wanted = torch.arange(len(first))
    return (F.cross_entropy(logits, wanted) + F.cross_entropy(logits.T, wanted)) / 2


def start_from_codebooks(network: SimilarNetwork, tokenizer: AudioTokenizer, recordings: Sequence[Coded]) -> None:
    """Let the embeddings of codes begin as what the codes stand for, turned by chance; their sum about 0, spread 1."""
    if not isinstance(tokenizer, RvqTokenizer):
        return
    codebooks = tokenizer.network.quantizer.codebooks.clone()
    sizes, levels = network.sizes, codebooks.shape[0]
    heard = torch.from_numpy(np.concatenate([one.codes[0] for one in recordings], 1)).long()
    vectors = torch.stack([codebooks[level, heard[level]] for level in range(levels)]).sum(0)
    mean = vectors.mean(0)
    codebooks[0] -= mean
    turned = torch.linalg.qr(torch.randn(sizes.embedding, sizes.embedding))[0][: codebooks.shape[2]]
    rows = (codebooks / (vectors - mean).std()).flatten(0, 1) @ turned * math.sqrt(sizes.embedding / codebooks.shape[2])
    with torch.no_grad():
        network.codes.weight[:-1] = rows


def embedded(network: SimilarNetwork, windows: NDArray[np.int16], *, is_bf16: bool) -> FloatMatrix:
    """Return the unit vectors of windows of codes, (windows, dim) float32."""
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=is_bf16):
        parts = torch.split(torch.from_numpy(windows), WINDOWS_AT_ONCE)
        found: FloatMatrix = torch.cat([network(part.long()) for part in parts]).numpy()
    return found


def read_coded(views: Path, part: str, tokenizer: AudioTokenizer) -> list[Coded]:
    """Return the codes of a part's views."""
    return [one for kind in KINDS for one in coded(read_views(views, part, kind), tokenizer)]


def same_pieces(pieces: Sequence[str]) -> Tensor:
    """Return which are of the same piece, (n, n) bool.

    >>> same_pieces(("a", "b", "a")).int().tolist()
    [[1, 0, 1], [0, 1, 0], [1, 0, 1]]
    """
    numbers = torch.tensor([pieces.index(piece) for piece in pieces])
    return numbers[:, None] == numbers


def chosen_by(row: Mapping[str, float]) -> float:
    """Return how good a network is by what validation found; what was not measured counts nothing.

    >>> chosen_by({"speech R@1": 0.9, "music R@1": 0.6})
    0.5
    """
    return sum(row.get(key, 0.0) for key in CHOSEN_BY) / len(CHOSEN_BY)


def train(views: Path, out: Path, loader: ModelLoader, tokenizer: str, plan: Plan) -> None:
    """Train on VIEWS over a tokenizer; keep the state, the curves and the best network in OUT."""
    torch.manual_seed(plan.seed)
    torch.set_flush_denormal(True)
    heard = loader.model("audio tokenizer", tokenizer)
    began = time.monotonic()
    train, held_out = (read_coded(views, part, heard) for part in (TRAIN, HELD_OUT))
    print(f"{len(train)} recordings, {len(held_out)} held out, codes in {time.monotonic() - began:.0f} s", flush=True)
    tokens = heard.tokenize([Audio(np.zeros(SAMPLE_RATE_HZ, np.float32))])[0]
    frames = in_steps(round(WINDOW_S * tokens.frame_hz))
    sizes = Sizes(len(tokens.codes), tokens.codebook_size, frames, width=plan.width, layers=plan.layers)
    network, scale = SimilarNetwork(sizes), Scale()
    parameters = [*network.parameters(), *scale.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=plan.rate, betas=(0.9, 0.98), weight_decay=0.02)
    parts: dict[str, nn.Module] = {"network": network, "scale": scale}
    training = Steps(
        plan.steps,
        parts,
        optimiser,
        out,
        lambda step: rate_at(step, plan.steps, plan.warmup, LOWEST_RATE),
        tell_every=0,
        save_every=0,
    )
    log, best = out / "log.jsonl", 0.0
    if training.first:
        best = max(chosen_by(json.loads(line)) for line in log.read_text(encoding="utf-8").splitlines())
    else:
        start_from_codebooks(network, heard, train)
    drawer = Drawer(train, tokens.frame_hz, random.Random(plan.seed + training.first))
    for step in training:
        is_short = drawer.rng.random() < SHORT_SHARE
        pairs = drawer.pairs(plan.size, (in_steps(frames // 2) if is_short else frames, frames))
        with torch.autocast("cpu", torch.bfloat16, enabled=plan.is_bf16):
            first, second = network(pairs.first), network(pairs.second)
        loss = info_nce(first.float(), second.float(), same_pieces(pairs.pieces), scale())
        training.take(loss)
        if not training.is_time(plan.validate_every):
            continue
        network.train(False)
        figures = validate(held_out, lambda some: embedded(network, some, is_bf16=plan.is_bf16), frames, VALIDATED)
        network.train()
        spent = {"s": round(training.spent_s), **training.means(), "scale": scale().item()}
        row = {"step": step + 1, **spent, **figures}
        print(" ".join(f"{key} {value:.3g}" for key, value in row.items()), flush=True)
        training.save()
        with log.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(row) + "\n")
        if chosen_by(row) > best:
            best = chosen_by(row)
            write_network(out / "model", network, (tokenizer, heard.fingerprint), frames / tokens.frame_hz)


def main(
    views: Path,
    out: Path,
    tokenizer: str = "rvq-mini",
    models: Path | None = None,
    steps: int = Plan.steps,
    size: int = Plan.size,
    tiny: bool = False,
) -> None:
    """Train on VIEWS; keep the state and the best network in OUT."""
    loader = ModelLoader(with_folder(catalog(), models).catalog, models, device="cpu", dtype="float32")
    train(views, out, loader, tokenizer, TINY if tiny else Plan(steps=steps, size=size))


if __name__ == "__main__":
    typer.run(main)
