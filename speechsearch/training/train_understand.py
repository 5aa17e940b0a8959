"""Recipe: train a projector through which a frozen language model hears (``train understand``); experimental.

``python -m speechsearch.training.train_understand DATA OUT`` (``--tiny``: a minute; ``--language-model``: any of the
catalog, with ``--models`` also of your folder, for example Llama 3). First the projector is fitted so that word pieces
which both vocabularies write alike fall on the language model's own vectors; then by the language model's loss on
transcripts of heard speech and on answers to questions. Resumes from OUT/state.safetensors when it is there; OUT/model
is a folder to be put among your models and named by SPEECHSEARCH_ENGINES__UNDERSTANDING.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import torch
import torch.nn.functional as F
import typer
from safetensors.torch import save_file
from torch import Tensor, nn

from speechsearch.models.bert import BertTextEncoder
from speechsearch.models.card import ModelCard
from speechsearch.models.catalog import catalog
from speechsearch.models.causal_lm import CausalNetwork, open_network
from speechsearch.models.folders import with_folder
from speechsearch.models.load import ModelLoader
from speechsearch.models.mini.encoder import MiniSpeechEncoder
from speechsearch.models.mini.packed import packed
from speechsearch.models.speech_language_cards import CONFIG, WEIGHTS
from speechsearch.models.speech_language_model import Projector, around, width_of
from speechsearch.training.rates import rate_at
from speechsearch.training.steps import Steps
from speechsearch.training.understand_data import Lesson, hear, lessons, told_questions, utterances

IGNORED = -100
PAIRS_AT_ONCE = 1024


def shared_pieces(encoder: BertTextEncoder, opened: CausalNetwork) -> tuple[Tensor, Tensor]:
    """Return the vectors of the word pieces that both vocabularies write alike: (pieces, dim) and (pieces, width)."""
    ours, theirs = [], []
    for piece, number in encoder.tokenizer.get_vocab().items():
        tokens = opened.tokenizer.encode(piece[2:] if piece.startswith("##") else f" {piece}", add_special_tokens=False)
        if len(tokens) == 1:
            ours.append(number)
            theirs.append(tokens[0])
    embed = opened.network.get_input_embeddings().weight
    return encoder.word_embeddings[torch.tensor(ours)].float(), embed[torch.tensor(theirs)].detach().float()


def fit_pieces(projector: Projector, ours: Tensor, theirs: Tensor, steps: int) -> float:
    """Fit a projector to pairs of vectors and return what is left of the variance, 0 to 1."""
    optimiser = torch.optim.AdamW(projector.parameters(), lr=2e-3)
    spread = theirs.var(0).mean()
    loss = torch.ones(())
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * (1 - step / steps)
        some = torch.randint(len(ours), (min(PAIRS_AT_ONCE, len(ours)),))
        loss = F.mse_loss(projector(ours[some]), theirs[some]) / spread
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return float(loss.detach())


def answer_loss(projector: Projector, opened: CausalNetwork, batch: Sequence[Lesson]) -> Tensor:
    """Return the mean cross-entropy of the answers' tokens and their ends, after what is heard and the instruction."""
    network, tokenizer = opened.network, opened.tokenizer
    embed = network.get_input_embeddings()
    rows, labels = [], []
    for lesson in batch:
        before, after = around(tokenizer, lesson.instruction)
        answer = [*tokenizer.encode(lesson.answer, add_special_tokens=False), opened.ends[0]]
        heard = projector(lesson.heard).to(embed.weight.dtype)
        rows.append(torch.cat([embed(torch.tensor(before)), heard, embed(torch.tensor([*after, *answer]))]))
        unasked = len(before) + len(heard) + len(after)
        labels.append(torch.tensor([IGNORED] * unasked + answer))
    read = nn.utils.rnn.pad_sequence(rows, batch_first=True)
    wanted = nn.utils.rnn.pad_sequence(labels, batch_first=True, padding_value=IGNORED)
    mask = torch.arange(read.shape[1])[None] < torch.tensor([len(row) for row in rows])[:, None]
    states = network.get_decoder()(inputs_embeds=read, attention_mask=mask.long()).last_hidden_state
    is_asked = wanted[:, 1:] != IGNORED
    logits = network.get_output_embeddings()(states[:, :-1][is_asked]).float()
    return F.cross_entropy(logits, wanted[:, 1:][is_asked])


def save_folder(
    folder: Path, projector: Projector, encoder: tuple[str, str], language_model: ModelCard, files: Sequence[Path]
) -> None:
    """Write a projector, and what it stands between, as a folder of a user's models.

    ``encoder``: the speech encoder's name and fingerprint. ``files``: those of a language model that is not packaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_file(packed(projector.state_dict()), folder / WEIGHTS)
    config = {
        "hidden": projector.inputs.out_features,
        "speech_encoder": {"name": encoder[0], "fingerprint": encoder[1]},
        "language_model": {"name": language_model.name, "sha256": language_model.files[0].sha256},
    }
    (folder / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    for file in files:
        if not (folder / file.name).exists():
            shutil.copyfile(file, folder / file.name)


def main(
    data: Path,
    out: Path,
    language_model: str = "smollm2",
    speech_encoder: str = "mini",
    models: Path | None = None,
    steps: int = 600,
    piece_steps: int = 800,
    most_utterances: int = 2000,
    size: int = 4,
    rate: float = 1e-3,
    warmup: int = 30,
    hidden: int = 1024,
    seed: int = 1,
    save_every: int = 50,
    is_bf16: bool = True,
    tiny: bool = False,
) -> None:
    """Train on the readers of DATA and on questions about tales; keep the state in OUT."""
    torch.manual_seed(seed)
    if tiny:
        steps, piece_steps, size, hidden, warmup = 6, 20, 2, 32, 2
    loader = ModelLoader(with_folder(catalog(), models).catalog, models, device="cpu", dtype="float32")
    encoder: MiniSpeechEncoder = loader.model("speech encoder", speech_encoder)
    card = loader.catalog.get("language model", language_model)
    located = loader.located(card)
    opened = open_network(located)
    own_files = [located.files[file.name] for file in card.files if not file.sources]
    text_encoder = encoder.model.text_encoder
    projector = Projector(text_encoder.dim, hidden, width_of(opened))
    optimiser = torch.optim.AdamW(projector.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    training = Steps(
        steps,
        {"projector": projector},
        optimiser,
        out,
        lambda step: rate_at(step, steps, warmup),
        tell_every=10,
        save_every=save_every,
    )
    said = utterances(data, "train", 4 if tiny else most_utterances)
    heard = hear(encoder.model, [file for _, file, _ in said], out / "heard.safetensors")
    spoken = [(vectors, text) for vectors, (_, _, text) in zip(heard, said, strict=True)]
    if training.first == 0:
        ours, theirs = shared_pieces(text_encoder, opened)
        left = fit_pieces(projector, ours, theirs, piece_steps)
        print(f"{len(ours)} pieces in common, {left:.3f} of the variance left", flush=True)
    drawn = lessons(spoken, text_encoder, told_questions(data), seed + training.first)
    for _ in training:
        with torch.autocast("cpu", torch.bfloat16, enabled=is_bf16):
            loss = answer_loss(projector, opened, list(islice(drawn, size)))
        if training.take(loss):
            save_folder(out / "model", projector, (speech_encoder, encoder.fingerprint), card, own_files)


if __name__ == "__main__":
    typer.run(main)
