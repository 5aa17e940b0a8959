"""Sentence encoders of BERT's family, each as its card describes it.

Source: Reimers and Gurevych, 2019, Sentence-BERT (arXiv 1908.10084); the tokens' states pooled, then unit length.
Differs: texts are read by ONNX Runtime on the processor, so that a question loads no PyTorch; what is fed soft tokens
or trained further is the same network in PyTorch (``bert_network``), loaded when it is first wanted.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.importing import IMPORTING
from speechsearch.domain.values import FloatMatrix
from speechsearch.models.bert_graph import BertGraph
from speechsearch.models.card import ModelCard
from speechsearch.models.combiner import Combiner
from speechsearch.models.load import Located

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import BertModel

    from speechsearch.models.bert_network import BertNetwork

CONFIG, WEIGHTS = "config.json", "model.safetensors"
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
        settings = json.loads(files[CONFIG].read_text(encoding="utf-8"))
        width, longest_tokens = int(settings["hidden_size"]), int(settings["max_position_embeddings"])
        graph = BertGraph(settings, files[WEIGHTS])
        tokenizer = Tokenizer.from_file(str(files["tokenizer.json"]))
    except (OSError, KeyError, ValueError, RuntimeError, TypeError) as error:
        raise ModelUnavailableError(
            f"The text encoder '{card.name}' cannot be loaded: {error}.", "Install its files again."
        ) from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(longest_tokens)
    markers, prompted = tokenizer.encode("").ids, tokenizer.encode(card.passage_prompt).ids
    if width != card.dim or len(markers) != 2 or card.pooling == "last":
        raise ModelUnavailableError(
            f"The text encoder '{card.name}' is not as its card says: {width} numbers, "
            f"{len(markers)} markers, pooling '{card.pooling}'.",
            f"Its card says {card.dim} numbers; texts need two markers, and pooling is mean or cls.",
        )

    def network() -> BertNetwork:
        with IMPORTING:
            from speechsearch.models.bert_network import load_network

        return load_network(card, files[CONFIG], files[WEIGHTS], prompted, located.device.torch_device)

    return BertTextEncoder(card, graph, tokenizer, longest_tokens, network, located.threads)


class BertTextEncoder:
    """Turns texts, or soft tokens in their place, into unit vectors. Its weights never change and are float32."""

    def __init__(
        self,
        card: ModelCard,
        graph: BertGraph,
        tokenizer: Tokenizer,
        longest_tokens: int,
        network: Callable[[], BertNetwork],
        threads: int = 1,
    ) -> None:
        """``network`` loads the same network in PyTorch; ``threads``: so many compute at once."""
        self.dim, self.fingerprint, self.pooling = card.dim, card.fingerprint, card.pooling
        self.query_prompt, self.passage_prompt = card.query_prompt, card.passage_prompt
        self.tokenizer, self.longest_tokens = tokenizer, longest_tokens
        self._graph, self._load_network = graph, network
        self._threads, self._lock = threads, threading.Lock()
        self._loaded: BertNetwork | None = None
        combined: Combiner[str, NDArray[np.float32]] = Combiner(lambda texts: list(self._encode_some(texts)), threads)
        self._remembered = lru_cache(MOST_REMEMBERED)(combined)

    @property
    def bert(self) -> BertModel:
        """The same network in PyTorch, on the device of models. Raises ModelUnavailableError."""
        return self._network.bert

    @property
    def word_embeddings(self) -> Tensor:
        """The input embedding of every word piece, (pieces, dim) float32."""
        return self._network.word_embeddings

    def pool(self, embeddings: Sequence[Tensor]) -> Tensor:
        """Return one unit vector a row, (rows, dim) float32.

        ``embeddings``: one (pieces, dim) float32 tensor a row, without the markers at a text's ends and a passage's
        prompt; longer rows than the encoder can read are cut.
        """
        return self._network.pool(embeddings)

    def soft_states(self, embeddings: Sequence[Tensor]) -> list[Tensor]:
        """Return the state of every soft token of each row, (pieces, dim) float32; rows are as ``pool`` takes them."""
        return self._network.states(embeddings)

    def text_states(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """Return the state of every word piece of each question, (pieces, dim) float32, the markers left out."""
        found, mask = self._graph.states([self.tokenizer.encode(self.query_prompt + text).ids for text in texts])
        return [row[1 : count - 1] for row, count in zip(found, mask.sum(1).tolist(), strict=True)]

    def encode_queries(self, texts: Sequence[str]) -> FloatMatrix:
        """Return one unit vector a question, (texts, dim) float32; what was asked lately is remembered."""
        if len(texts) == 1:
            return self._remembered(self.query_prompt + texts[0])[None].copy()
        return self._encode([self.query_prompt + text for text in texts])

    def encode_passages(self, texts: Sequence[str]) -> FloatMatrix:
        """Return one unit vector a passage of text, (texts, dim) float32."""
        return self._encode([self.passage_prompt + text for text in texts])

    def _encode(self, texts: Sequence[str]) -> FloatMatrix:
        """Return one unit vector a text; texts of about the same length are read together."""
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        groups = [order[start : start + BATCH_TEXTS] for start in range(0, len(order), BATCH_TEXTS)]
        vectors = np.zeros((len(texts), self.dim), np.float32)

        def encode(group: Sequence[int]) -> None:
            vectors[group] = self._encode_some([texts[index] for index in group])

        with ThreadPoolExecutor(self._threads) as threads:
            list(threads.map(encode, groups))
        return vectors

    def _encode_some(self, texts: Sequence[str]) -> FloatMatrix:
        """Return one unit vector a text; all are read at once."""
        states, mask = self._graph.states([self.tokenizer.encode(text).ids for text in texts])
        pooled = states[:, 0] if self.pooling == "cls" else (states * mask[..., None]).sum(1, dtype=np.float32)
        vectors: FloatMatrix = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return vectors

    @property
    def _network(self) -> BertNetwork:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load_network()
            return self._loaded
