"""Sentence encoders of BERT's family, each as its card describes it.

Source: Reimers and Gurevych, 2019, Sentence-BERT (arXiv 1908.10084); the tokens' states pooled, then unit length.
Differs: run as transformers' plain ``BertModel``, so that input embeddings can be given instead of words.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.values import FloatMatrix
from speechsearch.models.card import ModelCard
from speechsearch.models.load import Located

BATCH_TEXTS = 32
MOST_REMEMBERED = 8_192
"""Questions: several engines are asked the same, one after the other, and an evaluation asks thousands."""


def load(located: Located) -> BertTextEncoder:
    """Return the text encoder of ``config.json``, ``tokenizer.json`` and ``model.safetensors``.

    Raises:
        ModelUnavailableError: the files do not fit each other, the card or this version of the program.
    """
    card, files = located.card, located.files
    try:
        settings = json.loads(files["config.json"].read_text(encoding="utf-8"))
        config = BertConfig.from_dict(settings, attn_implementation="sdpa")
        bert = BertModel(config, add_pooling_layer=False)
        weights = load_file(files["model.safetensors"])
        bert.load_state_dict({key: weights[key] for key in bert.state_dict()})
        tokenizer = Tokenizer.from_file(str(files["tokenizer.json"]))
    except (OSError, KeyError, ValueError, RuntimeError, TypeError) as error:
        raise ModelUnavailableError(
            f"The text encoder '{card.name}' cannot be loaded: {error}.", "Install its files again."
        ) from error
    bert.to(located.device.torch_device)  # type: ignore[arg-type]
    return BertTextEncoder(card, bert, tokenizer)


class BertTextEncoder:
    """Turns texts, or soft tokens in their place, into unit vectors. Its weights never change and are float32."""

    def __init__(self, card: ModelCard, bert: BertModel, tokenizer: Tokenizer) -> None:
        """Raises ModelUnavailableError when network and tokeniser are not as the card says."""
        self.dim, self.fingerprint, self.pooling = card.dim, card.fingerprint, card.pooling
        self.query_prompt, self.passage_prompt = card.query_prompt, card.passage_prompt
        self.bert = bert.train(False).requires_grad_(False)
        self.longest_tokens: int = bert.config.max_position_embeddings
        self.tokenizer = tokenizer
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(self.longest_tokens)
        markers = self.tokenizer.encode("").ids
        if self.word_embeddings.shape[1] != card.dim or len(markers) != 2 or card.pooling == "last":
            raise ModelUnavailableError(
                f"The text encoder '{card.name}' is not as its card says: {self.word_embeddings.shape[1]} numbers, "
                f"{len(markers)} markers, pooling '{card.pooling}'.",
                f"Its card says {card.dim} numbers; texts need two markers, and pooling is mean or cls.",
            )
        self._remembered = lru_cache(MOST_REMEMBERED)(lambda text: self._encode([text]))
        self._markers = torch.tensor(markers, device=self.word_embeddings.device)

    @property
    def word_embeddings(self) -> Tensor:
        """The input embedding of every word piece, (pieces, dim) float32."""
        weight: Tensor = self.bert.get_input_embeddings().weight
        return weight

    def pool(self, embeddings: Sequence[Tensor]) -> Tensor:
        """Return one unit vector a row, (rows, dim) float32.

        ``embeddings``: one (pieces, dim) float32 tensor a row, without the markers at a text's ends; longer rows than
        the encoder can read are cut.
        """
        first, last = self.word_embeddings[self._markers][:, None]
        rows = [torch.cat([first, row[: self.longest_tokens - 2].to(first.device), last]) for row in embeddings]
        lengths = torch.tensor([len(row) for row in rows], device=first.device)
        inputs = nn.utils.rnn.pad_sequence(rows, batch_first=True)
        mask = torch.arange(inputs.shape[1], device=first.device)[None] < lengths[:, None]
        states = self.bert(inputs_embeds=inputs, attention_mask=mask.long()).last_hidden_state
        pooled = states[:, 0] if self.pooling == "cls" else (states * mask[..., None]).sum(1) / lengths[:, None]
        return F.normalize(pooled.float(), dim=-1)

    def encode_queries(self, texts: Sequence[str]) -> FloatMatrix:
        """Return one unit vector a question, (texts, dim) float32; what was asked lately is remembered."""
        if len(texts) == 1:
            return self._remembered(self.query_prompt + texts[0]).copy()
        return self._encode([self.query_prompt + text for text in texts])

    def encode_passages(self, texts: Sequence[str]) -> FloatMatrix:
        """Return one unit vector a passage of text, (texts, dim) float32."""
        return self._encode([self.passage_prompt + text for text in texts])

    @torch.inference_mode()
    def _encode(self, texts: Sequence[str]) -> FloatMatrix:
        """Return one unit vector a text; texts of about the same length are read together."""
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        vectors = np.zeros((len(texts), self.dim), np.float32)
        for start in range(0, len(order), BATCH_TEXTS):
            chosen = order[start : start + BATCH_TEXTS]
            rows = [self.word_embeddings[self._piece_ids(texts[index])] for index in chosen]
            vectors[chosen] = self.pool(rows).cpu().numpy()
        return vectors

    def _piece_ids(self, text: str) -> Tensor:
        """Return the word pieces of a text, without the markers at its ends, (pieces,) int64."""
        ids = self.tokenizer.encode(text, add_special_tokens=False).ids
        return torch.tensor(ids, dtype=torch.long, device=self.word_embeddings.device)
