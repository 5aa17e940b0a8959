"""A BERT in PyTorch that reads soft tokens: expected input embeddings in place of words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.models.card import ModelCard, Pooling


class BertNetwork:
    """A frozen BERT and how its states become one vector.

    ``around``: the ids that stand around every text; the last of them behind it.
    """

    def __init__(self, bert: BertModel, around: Sequence[int], pooling: Pooling) -> None:
        self.bert: BertModel = bert.train(False).requires_grad_(False)
        self.pooling = pooling
        self.longest_tokens: int = bert.config.max_position_embeddings
        self._around = torch.tensor(around, device=self.word_embeddings.device)

    @property
    def word_embeddings(self) -> Tensor:
        """The input embedding of every word piece, (pieces, dim) float32."""
        weight: Tensor = self.bert.get_input_embeddings().weight  # type: ignore[no-untyped-call]
        return weight

    def pool(self, embeddings: Sequence[Tensor]) -> Tensor:
        """Return one unit vector a row, (rows, dim) float32; ``BertTextEncoder.pool`` says of what."""
        states, lengths = self._read(embeddings)
        mask = torch.arange(states.shape[1], device=states.device)[None] < lengths[:, None]
        pooled = states[:, 0] if self.pooling == "cls" else (states * mask[..., None]).sum(1) / lengths[:, None]
        return F.normalize(pooled.float(), dim=-1)

    def states(self, embeddings: Sequence[Tensor]) -> list[Tensor]:
        """Return the state of every piece of each row, (pieces, dim), the markers left out; rows as ``pool`` takes."""
        states, lengths = self._read(embeddings)
        return [row[len(self._around) - 1 : length - 1] for row, length in zip(states, lengths.tolist(), strict=True)]

    def _read(self, embeddings: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the states of rows with their markers, (rows, longest, dim), and how many each has."""
        around = self.word_embeddings[self._around]
        first, last = around[:-1], around[-1:]
        most = self.longest_tokens - len(self._around)
        rows = [torch.cat([first, row[:most].to(first.device), last]) for row in embeddings]
        lengths = torch.tensor([len(row) for row in rows], device=first.device)
        inputs = nn.utils.rnn.pad_sequence(rows, batch_first=True)
        mask = torch.arange(inputs.shape[1], device=first.device)[None] < lengths[:, None]
        return self.bert(inputs_embeds=inputs, attention_mask=mask.long()).last_hidden_state, lengths


def load_network(
    card: ModelCard, config: Path, weights: Path, around: Sequence[int], device: torch.device
) -> BertNetwork:
    """Return the network of ``config.json`` and ``model.safetensors``.

    Raises:
        ModelUnavailableError: the files do not fit each other or this version of the program.
    """
    try:
        settings = json.loads(config.read_text(encoding="utf-8"))
        bert = BertModel(BertConfig.from_dict(settings, attn_implementation="sdpa"), add_pooling_layer=False)
        tensors = load_file(weights)
        bert.load_state_dict({key: tensors[key] for key in bert.state_dict()})
    except (OSError, KeyError, ValueError, RuntimeError, TypeError) as error:
        raise ModelUnavailableError(
            f"The text encoder '{card.name}' cannot be loaded: {error}.", "Install its files again."
        ) from error
    bert.to(device)  # type: ignore[arg-type]
    return BertNetwork(bert, around, card.pooling)
