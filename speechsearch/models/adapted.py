"""A speech adapter between a speech encoder and a text encoder, as a speech encoder of one channel.

Source: Min et al., 2024, SpeechRAG (arXiv 2412.16500).
Differs: a passage of more than 30 s is heard in windows, cut where it is quietest; its vector is the mean of theirs,
weighted by length.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.values import Audio, FloatMatrix, Query, SpokenWord, Vector
from speechsearch.models.adapter_folder import CONFIG, WEIGHTS, AdapterConfig, Between, read_config
from speechsearch.models.adapter_networks import Adapter, new_adapter
from speechsearch.models.base import EncodedPassage, SoftTextEncoder
from speechsearch.models.frames import FrameEncoder, padded_states
from speechsearch.models.load import Located
from speechsearch.models.one_channel import passages_of, question_vector
from speechsearch.models.windows import Window, audible_windows

BATCH_S = 60.0
"""Sound that is heard at once."""


def load(located: Located) -> AdaptedSpeechEncoder:
    """Return the speech encoder.

    Raises:
        ModelUnavailableError: files do not fit each other, or an encoder is not the one that it was trained for.
    """
    config = read_config(located.files[CONFIG])
    encoder, text_encoder = located.needed.values()
    check(config.speech_encoder, encoder.fingerprint)
    check(config.text_encoder, text_encoder.fingerprint)
    if not isinstance(text_encoder, SoftTextEncoder):
        raise ModelUnavailableError(f"The text encoder '{config.text_encoder.name}' reads no vectors.")
    try:
        tensors = load_file(located.files[WEIGHTS])
        words = text_encoder.word_embeddings
        vocabulary = tensors.get("adapter.tokens.vocabulary", torch.zeros(0, dtype=torch.int64))
        adapter = new_adapter(config.sizes, encoder.width, words, vocabulary)
        adapter.load_state_dict(part_of(tensors, "adapter."))
        if config.trained_layers:
            encoder = tuned(encoder, part_of(tensors, "encoder."), config.trained_layers)
    except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelUnavailableError(
            f"The adapter '{located.card.name}' cannot be loaded: {error}.", "Train it again."
        ) from error
    return AdaptedSpeechEncoder(located, config, encoder, adapter, text_encoder)


def check(wanted: Between, fingerprint: str) -> None:
    """Do nothing if a model has the weights that an adapter was trained for. Raises ModelUnavailableError."""
    if wanted.sha256[:16] not in fingerprint:
        raise ModelUnavailableError(
            f"The adapter was trained for another {wanted.name}: its weights' sha256 begins with {wanted.sha256[:16]}.",
            "Put that one into your folder of models, or train the adapter again.",
        )


def part_of(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin so, under the rest of their names.

    >>> list(part_of({"adapter.out": torch.zeros(1), "encoder.0": torch.zeros(1)}, "adapter."))
    ['out']
    """
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def tuned(encoder: FrameEncoder, layers: dict[str, Tensor], top: int) -> FrameEncoder:
    """Return a copy of a frame encoder whose last ``top`` layers have these weights; the one given stays as it is."""
    found = copy.deepcopy(encoder)
    found.layers[len(found.layers) - top :].load_state_dict(layers)
    return found


class AdaptedSpeechEncoder:
    """Hears passages through the adapter and reads typed questions by the text encoder: one space."""

    def __init__(
        self,
        located: Located,
        config: AdapterConfig,
        encoder: FrameEncoder,
        adapter: Adapter,
        text_encoder: SoftTextEncoder,
    ) -> None:
        self.channels, self.fingerprint = located.card.channels, located.card.fingerprint
        self.config, self.encoder, self.text_encoder = config, encoder, text_encoder
        self.adapter = adapter.train(False).requires_grad_(False).to(encoder.device, encoder.dtype)

    def encode_passages(self, sounds: Sequence[Audio]) -> list[EncodedPassage]:
        """Return the vector of each passage, in order; zeros where nothing is to be heard."""
        windows = audible_windows(sounds)
        heard = (pair for group in groups_of(windows) for pair in zip(group, self._hear(group), strict=True))
        return passages_of(heard, len(sounds), self.channels[0])

    def encode_query(self, query: Query, channel: str) -> Vector:
        """Return a question's unit vector: of words by the text encoder, of speech as a passage's.

        Raises:
            EmptyQueryError: there is nothing in the question.
            CapabilityError: there is no such channel.
        """
        return question_vector(
            query, channel, self.channels[0], lambda sound: self.encode_passages([sound])[0], self._read
        )

    def pronounce(self, query: Query) -> list[SpokenWord]:
        """Return nothing: no phonemes are heard."""
        return []

    def _read(self, text: str) -> Vector:
        found: Vector = shortened(self.text_encoder.encode_queries([text]), self.config.dim)[0]
        return found

    @torch.inference_mode()
    def _hear(self, windows: Sequence[Window]) -> FloatMatrix:
        """Return one unit vector a window, (windows, dim) float32."""
        states, counts = padded_states(self.encoder.below([window.samples for window in windows]))
        embeddings = self.adapter(states.to(self.encoder.dtype), counts)
        vectors = self.text_encoder.pool([row.float() for row in embeddings])
        found: FloatMatrix = F.normalize(vectors[:, : self.config.dim], dim=-1).cpu().numpy()
        return found


def shortened(vectors: FloatMatrix, dim: int) -> FloatMatrix:
    """Return the first ``dim`` numbers of unit vectors, of unit length again (Kusupati et al., 2022, Matryoshka).

    >>> shortened(np.array([[0.6, 0.8, 0.0]], np.float32), 1).tolist()
    [[1.0]]
    """
    if vectors.shape[1] == dim:
        return vectors
    kept = vectors[:, :dim]
    found: FloatMatrix = kept / np.linalg.norm(kept, axis=1, keepdims=True)
    return found


def groups_of(windows: Sequence[Window]) -> list[Sequence[Window]]:
    """Return windows that are heard together, those of like length beside each other.

    >>> windows = [Window(0, 0.0, np.zeros(n * 16_000, np.float32)) for n in (30, 20, 20, 1)]
    >>> [len(group) for group in groups_of(windows)]
    [2, 2]
    """
    found, start = [], 0
    while start < len(windows):
        count = max(1, int(BATCH_S / max(1.0, windows[start].duration_s)))
        found.append(windows[start : start + count])
        start += count
    return found
