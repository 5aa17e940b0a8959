"""Readers: where in a passage the answer to a question stands, if it does.

Source: Devlin et al., 2019, BERT for SQuAD (arXiv 1810.04805); Rajpurkar et al., 2018, questions without an answer.
Differs: only the last layers are trained, started from the text encoder's own; the layers below stay the text
encoder's, so a reader is small. Words of the passage that the question has too, by their stem, are told to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertConfig, BertModel
from transformers.models.bert.modeling_bert import BertLayer

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models.base import ReadPassage
from speechsearch.models.bert import BertTextEncoder
from speechsearch.models.load import Located
from speechsearch.models.mini.packed import unpacked
from speechsearch.text.question_words import shared_letters

QUESTION_SHARE = 4
"""A question is read up to this part of what can be read at once."""
OVERLAP_SHARE = 6
"""Two windows of a passage that is too long to be read at once have this part of them in common."""
BATCH_PAIRS = 8


def load(located: Located) -> BertReader:
    """Return the reader of ``model.safetensors``, over the text encoder that its card needs.

    Raises:
        ModelUnavailableError: the file does not fit the text encoder or this version of the program.
    """
    card, (encoder,) = located.card, located.needed.values()
    try:
        tensors = unpacked(load_file(located.files["model.safetensors"]))
        layers = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("layers."))
        network = SpanNetwork(encoder.bert.config, layers)
        network.load_state_dict(tensors)
    except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelUnavailableError(
            f"The reader '{card.name}' cannot be loaded: {error}.", "Install speechsearch again."
        ) from error
    network.to(located.device.torch_device)
    return BertReader(card.fingerprint, encoder, network, located.device.torch_dtype)


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A question and a passage, or a window of it, as the network reads them: [CLS] question [SEP] passage [SEP].

    ``shared``: 1 where a piece of the passage belongs to a word of the question. ``first``: the place of the
    passage's first piece. ``offsets`` (pieces, 2) int32: where the passage's pieces stand in it, in characters.
    """

    ids: tuple[int, ...]
    shared: tuple[int, ...]
    first: int
    offsets: NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Pairs filled up to one length, each (pairs, pieces): ids, segments and ``shared`` int64; the others bool.

    ``mask``: what is no filling. ``answers``: where an answer may begin or end: in the passage, or at [CLS] for none.
    """

    ids: Tensor
    segments: Tensor
    shared: Tensor
    mask: Tensor
    answers: Tensor


def pairs_of(tokenizer: Tokenizer, question: str, passage: str, longest: int = 512) -> list[Pair]:
    """Return a question with a passage, in several windows where they have more pieces than ``longest``."""
    asked = tokenizer.encode(question, add_special_tokens=False).ids[: longest // QUESTION_SHARE]
    whole = tokenizer.encode(passage, add_special_tokens=False)
    read = [whole, *whole.overflowing]  # the tokeniser cuts at the text encoder's length
    ids = [one for part in read for one in part.ids]
    offsets = np.array([one for part in read for one in part.offsets], np.int32).reshape(-1, 2)
    marks = shared_letters(question, passage)
    begin, end = tokenizer.encode("").ids
    head = (begin, *asked, end)
    size = longest - len(head) - 1
    overlap = size // OVERLAP_SHARE
    found = []
    for start in range(0, max(1, len(ids) - overlap), size - overlap):
        some = offsets[start : start + size]
        shared = [int(marks[place]) for place in some[:, 0]]
        found.append(Pair((*head, *ids[start : start + size], end), (*(0,) * len(head), *shared, 0), len(head), some))
    return found


def batch_of(pairs: Sequence[Pair]) -> Batch:
    """Return pairs filled up to the longest of them."""
    ids = nn.utils.rnn.pad_sequence([torch.tensor(one.ids) for one in pairs], batch_first=True)
    shared = nn.utils.rnn.pad_sequence([torch.tensor(one.shared) for one in pairs], batch_first=True)
    places = torch.arange(ids.shape[1])[None]
    lengths = torch.tensor([len(one.ids) for one in pairs])[:, None]
    firsts = torch.tensor([one.first for one in pairs])[:, None]
    in_passage = (places >= firsts) & (places < lengths - 1)
    is_read = places < lengths
    return Batch(ids, ((places >= firsts) & is_read).long(), shared, is_read, in_passage | (places == 0))


class SpanNetwork(nn.Module):
    """The trained part: the last layers of a BERT, and how likely each piece begins or ends the answer."""

    def __init__(self, config: BertConfig, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(BertLayer(config) for _ in range(layers))  # type: ignore[no-untyped-call]
        self.shared = nn.Embedding(2, config.hidden_size)
        self.head = nn.Linear(config.hidden_size, 2)
        nn.init.zeros_(self.shared.weight)

    def forward(self, states: Tensor, batch: Batch) -> Tensor:
        """Return two scores a piece, of beginning and of ending the answer, (pairs, pieces, 2) float32.

        ``states``: of the layers below, (pairs, pieces, dim). Where no answer may be, a score is -inf.
        """
        device = states.device
        mask = batch.mask.to(device)[:, None, None]
        x = states + self.shared(batch.shared.to(device))
        for layer in self.layers:
            x = layer(x, mask)
        scores: Tensor = self.head(x).float()
        return scores.masked_fill(~batch.answers.to(device)[..., None], -torch.inf)


@torch.no_grad()
def lower_states(bert: BertModel, batch: Batch, layers: int) -> Tensor:
    """Return what all but the last ``layers`` of a BERT make of a batch, (pairs, pieces, dim)."""
    device = bert.device
    mask = batch.mask.to(device)[:, None, None]
    x: Tensor = bert.embeddings(input_ids=batch.ids.to(device), token_type_ids=batch.segments.to(device))
    for layer in bert.encoder.layer[: len(bert.encoder.layer) - layers]:
        x = layer(x, mask)
    return x


class BertReader:
    """Reads passages for the answer to a question."""

    def __init__(
        self, fingerprint: str, encoder: BertTextEncoder, network: SpanNetwork, dtype: torch.dtype = torch.float32
    ) -> None:
        self.fingerprint = fingerprint
        self.encoder, self.dtype = encoder, dtype
        self.network = network.train(False).requires_grad_(False)

    @torch.inference_mode()
    def read(self, question: str, passages: Sequence[str]) -> list[ReadPassage]:
        """Return where in each passage the answer may begin and end, in order."""
        longest = self.encoder.longest_tokens
        windows = [pairs_of(self.encoder.tokenizer, question, passage, longest) for passage in passages]
        pairs = [pair for one in windows for pair in one]
        order = sorted(range(len(pairs)), key=lambda place: len(pairs[place].ids))
        odds: dict[int, NDArray[np.float32]] = {}
        for start in range(0, len(order), BATCH_PAIRS):
            chosen = order[start : start + BATCH_PAIRS]
            scores = self._scores(batch_of([pairs[place] for place in chosen]))
            for place, row in zip(chosen, scores, strict=True):
                first = pairs[place].first
                odds[place] = row[first : first + len(pairs[place].offsets)] - row[:1]
        found, place = [], 0
        for one in windows:
            found.append(_joined(one, [odds[place + number] for number in range(len(one))]))
            place += len(one)
        return found

    def _scores(self, batch: Batch) -> NDArray[np.float32]:
        device = self.encoder.word_embeddings.device.type
        with torch.autocast(device, self.dtype, enabled=self.dtype != torch.float32):
            states = lower_states(self.encoder.bert, batch, len(self.network.layers))
            scores: NDArray[np.float32] = self.network(states, batch).cpu().numpy()
        return scores


def _joined(windows: Sequence[Pair], odds: Sequence[NDArray[np.float32]]) -> ReadPassage:
    """Return the windows of a passage as one; what two windows have read counts by the one that is surer."""
    best: dict[tuple[int, int], NDArray[np.float32]] = {}
    for pair, rows in zip(windows, odds, strict=True):
        for (start, end), row in zip(pair.offsets.tolist(), rows, strict=True):
            before = best.get((start, end))
            best[start, end] = row if before is None else np.maximum(before, row)
    offsets = np.array(sorted(best), np.int32).reshape(-1, 2)
    scores = np.array([best[start, end] for start, end in offsets.tolist()], np.float32).reshape(-1, 2)
    return ReadPassage(offsets, scores[:, 0], scores[:, 1])
