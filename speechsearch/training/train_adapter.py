"""Recipe: train the speech adapter on texts that are misheard as the encoder mishears, and on really heard speech.

``python -m speechsearch.training.train_adapter DATA SPIKES LETTER_TO_SOUND OUT`` (``--tiny``: a minute). Stage 1: where
word pieces end and which (cross-entropy). Stage 2 (``--distil``): the pooled vector of the soft tokens against that of
the text (1 - cosine, the loss of Min et al., 2024, plus InfoNCE over the batch), text encoder frozen. Resumes from
OUT/state.safetensors when it is there.
"""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
import typer
from torch import Tensor, nn

from speechsearch.models.bert import BertTextEncoder
from speechsearch.models.mini.adapter import AdapterConfig, TokenAdapter
from speechsearch.models.mini.letter_to_sound import LetterToSound, pronounce
from speechsearch.text.lexicon import Lexicon
from speechsearch.training import frozen
from speechsearch.training.adapter_data import AdapterBatch, AdapterBatches, WordForms, speakable_pieces
from speechsearch.training.checkpoint import load_start
from speechsearch.training.rates import rate_at
from speechsearch.training.spikes import SpikeBank
from speechsearch.training.steps import Steps

CANDIDATES = 4096


def token_loss(adapter: TokenAdapter, batch: AdapterBatch) -> tuple[Tensor, Tensor, Tensor, Tensor, float]:
    """Return (loss, states, ends, is_inside, accuracy): cross-entropy of ends and of pieces at true ends.

    Pieces are scored against those of the batch and random others, these with the weight of all they stand for.
    """
    states, ends = adapter(batch.posteriors, batch.counts)
    is_inside = torch.arange(ends.shape[1])[None] < batch.counts[:, None]
    is_end = batch.pieces >= 0
    end_loss = F.binary_cross_entropy_with_logits(ends[is_inside], is_end[is_inside].float())
    wanted, target = torch.unique(batch.pieces[is_end], return_inverse=True)
    vocabulary = len(adapter.vocabulary)
    others = torch.randint(vocabulary, (max(0, CANDIDATES - len(wanted)),))
    logits = adapter.piece_logits(states[is_end], torch.cat([wanted, others])).float()
    stands_for = math.log(max(1.0, (vocabulary - len(wanted)) / max(1, len(others))))
    is_other = torch.arange(logits.shape[1]) >= len(wanted)
    logits = logits + stands_for * is_other
    piece_loss = F.cross_entropy(logits, target)
    accuracy = float((logits.argmax(-1) == target).float().mean())
    return end_loss * 2 + piece_loss, states, ends, is_inside, accuracy


def distillation_loss(
    adapter: TokenAdapter, text_encoder: BertTextEncoder, batch: AdapterBatch, states: Tensor, ends: Tensor, rows: int
) -> tuple[Tensor, float]:
    """Return (loss, cosine): the soft tokens' vectors of some rows against their texts', 1 - cosine and InfoNCE."""
    chosen = [row for row in range(min(rows, len(states))) if bool((ends[row, : batch.counts[row]] > 0).any())]
    soft = []
    for row in chosen:
        count = batch.counts[row]
        embeddings, *_ = adapter.soft_tokens(states[row, :count], ends[row, :count])
        soft.append(embeddings)
    heard = text_encoder.pool(soft)
    said = torch.from_numpy(text_encoder.encode_passages([batch.texts[row] for row in chosen]))
    cosine = (heard * said).sum(-1)
    contrast = F.cross_entropy(heard @ said.T / 0.05, torch.arange(len(chosen)))
    return 3 * (1 - cosine).mean() + 0.5 * contrast, float(cosine.mean())


def main(
    data: Path,
    bank: Path,
    letter_to_sound: Path,
    out: Path,
    steps: int = 6000,
    rate: float = 1.5e-3,
    warmup: int = 200,
    seed: int = 1,
    distil: bool = False,
    start_from: Path | None = None,
    layers: int = 4,
    width: int = 256,
    save_every: int = 100,
    is_bf16: bool = False,
    tiny: bool = False,
) -> None:
    """Train on texts of DATA and the spikes of BANK; keep the state in OUT."""
    torch.manual_seed(seed)
    torch.set_flush_denormal(True)
    if tiny:
        steps, layers, width = 10, 1, 64
    network = LetterToSound()
    load_start(letter_to_sound, {"letter_to_sound": network})
    text_encoder = frozen.text_encoder()
    vocabulary = speakable_pieces(text_encoder.tokenizer)
    config = AdapterConfig(layers=layers, width=width, heads=width // 64)
    adapter = TokenAdapter(config, vocabulary, text_encoder.word_embeddings)
    optimiser = torch.optim.AdamW(adapter.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    parts: dict[str, nn.Module] = {"adapter": adapter}
    training = Steps(steps, parts, optimiser, out, lambda step: rate_at(step, steps, warmup), save_every=save_every)
    if training.first == 0 and start_from:
        load_start(start_from, {"adapter": adapter})
    forms = WordForms(Lexicon(partial(pronounce, network)), text_encoder.tokenizer, vocabulary)
    batches = iter(AdapterBatches(data, SpikeBank(bank), forms, seed + training.first))
    spikes = 0
    for _ in training:
        batch = next(batches)
        with torch.autocast("cpu", torch.bfloat16, enabled=is_bf16):
            loss, states, ends, _, accuracy = token_loss(adapter, batch)
            cosine = 0.0
            if distil:
                rows = 32 if batch.pieces.shape[1] < 300 else 12
                extra, cosine = distillation_loss(adapter, text_encoder, batch, states, ends, rows)
                loss = loss + extra
        spikes += int(batch.counts.sum())
        training.take(loss, f"{spikes / 1e6:.1f}M spikes", piece_accuracy=accuracy, cosine=cosine)


if __name__ == "__main__":
    typer.run(main)
