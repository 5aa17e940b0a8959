"""Recipe: train the reader, which finds answers in passages, over the frozen lower layers of the text encoder.

``python -m speechsearch.training.train_reader DATA OUT`` (``--tiny``: a minute). The loss is the marginal likelihood of
all places at which the answer may begin and end (Clark and Gardner, 2018, arXiv 1710.10723): the several places of a
literal answer, in a sentence that answers all pieces that say what the question does not, [CLS] where nothing does.
Resumes from OUT/state.safetensors when it is there; writes OUT/model.safetensors, what is shipped.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import typer
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from speechsearch.models.mini.packed import packed, unpacked
from speechsearch.models.reader import Pair, SpanNetwork, batch_of, lower_states, pairs_of
from speechsearch.text.question_words import new_letters
from speechsearch.training import frozen
from speechsearch.training.rates import rate_at
from speechsearch.training.reader_data import (
    PAIRS_TRAINED_SHARE,
    Example,
    examples,
    fairytale_questions,
    sentence_questions,
)
from speechsearch.training.steps import Steps

LONGEST_PIECES = 256
POOL = 16
"""So many batches are drawn at once, and pairs of about the same length are read together."""


def targets_of(pair: Pair, example: Example, length: int) -> Tensor:
    """Return where the answer may begin and end, (length, 2) bool; at [CLS] where there is none."""
    found = torch.zeros(length, 2, dtype=torch.bool)
    starts, ends = pair.offsets[:, 0], pair.offsets[:, 1]
    is_new = new_letters(example.question, example.text)[starts]
    for begin, end in example.spans:
        inside = np.flatnonzero((starts < end) & (ends > begin))
        if example.is_sentence and is_new[inside].any():
            inside = inside[is_new[inside]]
        if len(inside):
            places = pair.first + inside
            found[places if example.is_sentence else places[:1], 0] = True
            found[places if example.is_sentence else places[-1:], 1] = True
    if not found.any():
        found[0] = True
    return found


def marginal_loss(scores: Tensor, targets: Tensor) -> Tensor:
    """Return the mean of -log p(begins where it may) - log p(ends where it may); (pairs, pieces, 2) each.

    >>> import math
    >>> targets = torch.tensor([[[True, False], [True, False], [False, True], [False, False]]])
    >>> round(marginal_loss(torch.zeros(1, 4, 2), targets).item() / math.log(2), 3)
    3.0
    """
    log_p = scores.log_softmax(1)
    return -log_p.masked_fill(~targets, -torch.inf).logsumexp(1).sum(1).mean()


def batches(source: Iterator[Example], tokenizer: Tokenizer, size: int) -> Iterator[tuple[list[Pair], list[Example]]]:
    """Yield pairs of about the same length with their examples, drawn from many."""
    while True:
        some = islice(source, size * POOL)
        drawn = [(pairs_of(tokenizer, one.question, one.text, LONGEST_PIECES)[0], one) for one in some]
        drawn.sort(key=lambda pair: len(pair[0].ids))
        rows = [drawn[start : start + size] for start in range(0, len(drawn), size)]
        random.shuffle(rows)
        for row in rows:
            yield [pair for pair, _ in row], [one for _, one in row]


def main(
    data: Path,
    out: Path,
    steps: int = 3000,
    size: int = 16,
    rate: float = 2e-4,
    warmup: int = 80,
    layers: int = 3,
    nothing_share: float = 0.4,
    sentence_weight: float = 0.45,
    seed: int = 1,
    save_every: int = 100,
    is_bf16: bool = True,
    start: Path | None = None,
    tiny: bool = False,
) -> None:
    """Train on the questions of DATA, from the text encoder's layers or a reader's weights; keep the state in OUT."""
    torch.manual_seed(seed)
    torch.set_flush_denormal(True)
    if tiny:
        steps, size, layers = 10, 4, 1
    encoder = frozen.text_encoder()
    network = SpanNetwork(encoder.bert.config, layers)
    network.layers.load_state_dict(encoder.bert.encoder.layer[-layers:].state_dict())
    if start is not None:
        network.load_state_dict(unpacked(load_file(start)))
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    parts: dict[str, nn.Module] = {"reader": network}
    training = Steps(steps, parts, optimiser, out, lambda step: rate_at(step, steps, warmup), save_every=save_every)
    random.seed(seed + training.first)
    tales, told = fairytale_questions(data, "train")
    paragraphs, asked = sentence_questions(data)
    asked = asked[: int(len(asked) * PAIRS_TRAINED_SHARE)]
    sources = [(tales, told, 1 - sentence_weight), (paragraphs, asked, sentence_weight)]
    found = sum(bool(one.spans) for one in told)
    print(f"{found} of {len(told)} questions on tales, {len(asked)} on sentences", flush=True)
    drawn = batches(examples(sources, nothing_share, seed + training.first), encoder.tokenizer, size)
    network.train()
    for _ in training:
        pairs, shown = next(drawn)
        batch = batch_of(pairs)
        targets = torch.stack([targets_of(*both, batch.ids.shape[1]) for both in zip(pairs, shown, strict=True)])
        with torch.autocast("cpu", torch.bfloat16, enabled=is_bf16):
            loss = marginal_loss(network(lower_states(encoder.bert, batch, layers), batch), targets)
        if training.take(loss):
            save_file(packed(network.state_dict()), out / "model.safetensors")


if __name__ == "__main__":
    typer.run(main)
