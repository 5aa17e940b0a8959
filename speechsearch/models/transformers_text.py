"""Text encoders of the library transformers, out of a folder of sentence-transformers: any network, three poolings.

Source: Reimers and Gurevych, 2019, Sentence-BERT (arXiv 1908.10084); Wang et al., 2024, E5-Mistral (arXiv 2401.00368),
the state of the last token of a decoder; Kusupati et al., 2022, Matryoshka (arXiv 2205.13147).
Differs: computed in single precision, so that a question has the same vector on every machine; on a graphics card in
its own precision, for these networks may have billions of weights, and in four bits where that is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.values import FloatMatrix
from speechsearch.models.card import ModelCard, Pooling
from speechsearch.models.causal_lm import four_bit_config
from speechsearch.models.files import together
from speechsearch.models.load import Located
from speechsearch.models.text_cards import LENGTHS
from speechsearch.models.transformers_network import open_transformers

BATCH_TOKENS = 4_096
USUAL_LONGEST = 8_192
"""Tokens that are read at most where the folder does not say."""
ACTIVATIONS = {"Identity": nn.Identity, "Tanh": nn.Tanh, "ReLU": nn.ReLU, "GELU": nn.GELU}


def load(located: Located) -> TransformersTextEncoder:
    """Return the text encoder of a folder.

    Raises:
        ModelUnavailableError: the files do not fit each other or the card.
        CapabilityError: four bits are asked for where there are none.
        MissingDependencyError: four bits need packages that are not installed.
    """
    card, device = located.card, located.device
    how: dict[str, Any] = {"dtype": torch.float32 if device.name == "cpu" else device.torch_dtype}
    if located.bits == 4:
        how |= {"quantization_config": four_bit_config(device), "device_map": {"": device.torch_device}}
    network = open_transformers(located, "AutoModel", **how).train(False).requires_grad_(False)
    if located.bits != 4:
        network = network.to(device.torch_device)
    try:
        tokenizer = _tokenizer(located)
        dense = [_dense(located, name) for name in located.files if name.endswith("/config.json")]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailableError(f"The text encoder '{card.name}' cannot be loaded: {error}.") from error
    return TransformersTextEncoder(card, network, tokenizer, _longest(located, network), dense)


def _tokenizer(located: Located) -> Any:
    read: Any = transformers.AutoTokenizer
    with together({name: path for name, path in located.files.items() if "/" not in name}) as folder:
        return read.from_pretrained(folder, local_files_only=True)


def _longest(located: Located, network: Any) -> int:
    """Return how many tokens are read at most: what the folder says, else what the network has places for."""
    said: Path | None = located.files.get(LENGTHS)
    most = json.loads(said.read_text(encoding="utf-8")).get("max_seq_length") if said else None
    places = int(getattr(network.config, "max_position_embeddings", USUAL_LONGEST))
    if network.config.model_type in ("xlm-roberta", "roberta", "camembert"):
        places -= network.config.pad_token_id + 1  # their first places are never used
    return min(int(most or USUAL_LONGEST), places)


def _dense(located: Located, name: str) -> nn.Module:
    """Return a layer that sentence-transformers puts behind the pooling."""
    said = json.loads(located.files[name].read_text(encoding="utf-8"))
    weights = load_file(located.files[name.replace("config.json", "model.safetensors")])
    layer = nn.Linear(said["in_features"], said["out_features"], bias=said.get("bias", True))
    layer.load_state_dict({key.removeprefix("linear."): one.float() for key, one in weights.items()})
    activation = str(said.get("activation_function", "Identity")).rsplit(".", 1)[-1]
    return nn.Sequential(layer, ACTIVATIONS[activation]()).requires_grad_(False)


class TransformersTextEncoder:
    """Turns texts, or vectors in their place, into unit vectors."""

    def __init__(
        self, card: ModelCard, network: Any, tokenizer: Any, longest_tokens: int, dense: Sequence[nn.Module] = ()
    ) -> None:
        self.dim, self.fingerprint, self.pooling = card.dim, card.fingerprint, card.pooling
        self.query_prompt, self.passage_prompt = card.query_prompt, card.passage_prompt
        self.network, self.longest_tokens = network, longest_tokens
        self._tokenizer, self._lock = tokenizer, Lock()
        self._dense = nn.Sequential(*dense).to(network.device)
        self._ends: list[int] = []
        marks = self._tokenizer("a", return_special_tokens_mask=True)["special_tokens_mask"]
        closing = next((number for number, is_mark in enumerate(reversed(marks)) if not is_mark), 0)
        if card.pooling == "last" and not closing:
            self._ends, closing = [tokenizer.eos_token_id], 1  # E5-Mistral's text ends so, whatever its tokeniser says
        around = self._ids([card.passage_prompt])[0]
        self._around = around[: len(around) - closing], around[len(around) - closing :]

    @property
    def tokenizer(self) -> Tokenizer:
        """What cuts texts into the pieces of its vocabulary."""
        found: Tokenizer = self._tokenizer.backend_tokenizer
        return found

    @property
    def word_embeddings(self) -> Tensor:
        """The input embedding of every piece, (ids, width), frozen."""
        weight: Tensor = self.network.get_input_embeddings().weight
        return weight

    def encode_queries(self, texts: Sequence[str]) -> FloatMatrix:
        """Return one unit vector a question, (texts, dim) float32."""
        return self._encode([self.query_prompt + text for text in texts])

    def encode_passages(self, texts: Sequence[str]) -> FloatMatrix:
        """Return one unit vector a passage of text, (texts, dim) float32."""
        return self._encode([self.passage_prompt + text for text in texts])

    def pool(self, embeddings: Sequence[Tensor]) -> Tensor:
        """Return one unit vector a row, (rows, dim) float32; what is too long is cut."""
        weight = self.word_embeddings
        before, after = (weight[torch.tensor(ids, dtype=torch.long, device=weight.device)] for ids in self._around)
        most = self.longest_tokens - len(before) - len(after)
        rows = [torch.cat([before, row[:most].to(weight.device, weight.dtype), after]) for row in embeddings]
        counts = torch.tensor([len(row) for row in rows], device=weight.device)
        inputs = nn.utils.rnn.pad_sequence(rows, batch_first=True)
        return self._pooled(counts, inputs_embeds=inputs)

    @torch.inference_mode()
    def _encode(self, texts: Sequence[str]) -> FloatMatrix:
        """Return one unit vector a text; texts of about the same length are read together."""
        vectors = np.zeros((len(texts), self.dim), np.float32)
        ids = self._ids(texts)
        waiting = sorted(range(len(texts)), key=lambda place: len(ids[place]))
        while waiting:
            count = max(1, BATCH_TOKENS // max(1, len(ids[waiting[-1]])))
            group, waiting = waiting[-count:], waiting[:-count]
            counts = torch.tensor([len(ids[place]) for place in group], device=self.network.device)
            rows = [torch.tensor(ids[place], device=self.network.device) for place in group]
            pad = self._tokenizer.pad_token_id or 0
            inputs = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad)
            vectors[group] = self._pooled(counts, input_ids=inputs).cpu().numpy()
        return vectors

    def _pooled(self, counts: Tensor, **inputs: Tensor) -> Tensor:
        """Return the unit vectors of padded rows, (rows, dim) float32."""
        length = next(iter(inputs.values())).shape[1]
        inside = torch.arange(length, device=counts.device)[None] < counts[:, None]
        states = self.network(**inputs, attention_mask=inside.long()).last_hidden_state
        vectors = self._dense(pooled(states, counts, self.pooling).float())
        return F.normalize(F.normalize(vectors, dim=-1)[:, : self.dim], dim=-1)

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of texts as they are read: cut, and ended by what the pooling reads."""
        if not texts:
            return []
        most = self.longest_tokens - len(self._ends)
        with self._lock:  # the tokeniser's truncation is a state of its own
            read = self._tokenizer(list(texts), truncation=True, max_length=most)["input_ids"]
        return [[*ids, *self._ends] for ids in read]


def pooled(states: Tensor, counts: Tensor, pooling: Pooling) -> Tensor:
    """Return one vector a row of (rows, tokens, width) states, of which the first ``counts`` are of a text.

    >>> states, counts = torch.tensor([[[1.0], [3.0], [8.0]]]), torch.tensor([2])
    >>> [float(pooled(states, counts, way)) for way in ("cls", "mean", "last")]
    [1.0, 2.0, 3.0]
    """
    if pooling == "cls":
        return states[:, 0]
    if pooling == "last":
        return states[torch.arange(len(states), device=states.device), counts - 1]
    inside = torch.arange(states.shape[1], device=states.device)[None] < counts[:, None]
    return (states * inside[..., None]).sum(1) / counts[:, None]
