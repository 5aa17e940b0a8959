"""A sentence-transformers model that reads texts and hears sound, as a ready-made speech encoder: nothing is trained.

``google/embeddinggemma-2`` and others whose folder has an ``audio_config``, or a route for sound beside one for texts.
Sentence-transformers itself computes, so
that prompts, pooling and sizes are as the model's authors have them; it is a package of its own
(requirements-train.txt). A model hears at most so many seconds at once: a longer passage is heard in windows, cut where
it is quietest if they may be 30 s long, and evenly if not; its vector is the mean of theirs, weighted by length.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from speechsearch.domain.errors import CapabilityError, EmptyQueryError, ModelUnavailableError
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, FloatMatrix, Query, SpokenWord, Vector
from speechsearch.models.base import EncodedPassage
from speechsearch.models.load import Located
from speechsearch.models.windows import Window, audible_windows

BATCH_WINDOWS = 8
USUAL_LONGEST_S = 30.0


def load(located: Located) -> OmniSpeechEncoder:
    """Return the speech encoder of a folder. Raises ModelUnavailableError: sentence-transformers cannot read it."""
    from sentence_transformers import SentenceTransformer

    # Its files stand in folders of their own, so the whole is read where it lies; each was hashed by the loader.
    folder = located.files["modules.json"].parent
    try:
        model = SentenceTransformer(
            str(folder),
            device=located.device.name,
            local_files_only=True,
            trust_remote_code=False,
        )
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, ImportError) as error:
        raise ModelUnavailableError(f"'{located.card.name}' cannot be loaded: {error}.") from error
    return OmniSpeechEncoder(located, model.to(located.device.torch_dtype), longest_heard_s(folder))


def longest_heard_s(folder: Path) -> float:
    """Return how many seconds a model hears at once, as its ``processor_config.json`` says it; 30 where it does not."""
    path = folder / "processor_config.json"
    if not path.is_file():
        return USUAL_LONGEST_S
    said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    tokens, ms = said.get("audio_seq_length"), said.get("audio_ms_per_token")
    return tokens * ms / 1000 if tokens and ms else USUAL_LONGEST_S


class OmniSpeechEncoder:
    """Hears passages and reads typed questions by one model."""

    def __init__(self, located: Located, model: Any, longest_s: float) -> None:
        """``longest_s``: how much the model hears at once."""
        self.channels, self.fingerprint = located.card.channels, located.card.fingerprint
        self.longest_s, self._model = longest_s, model

    def encode_passages(self, sounds: Sequence[Audio]) -> list[EncodedPassage]:
        """Return the vector of each passage, in order; zeros where nothing is to be heard."""
        (channel,) = self.channels
        windows = [piece for window in audible_windows(sounds) for piece in pieces_of(window, self.longest_s)]
        summed = np.zeros((len(sounds), channel.dim), np.float32)
        for start in range(0, len(windows), BATCH_WINDOWS):
            group = windows[start : start + BATCH_WINDOWS]
            heard = [{"audio": {"array": one.samples, "sampling_rate": SAMPLE_RATE_HZ}} for one in group]
            for window, vector in zip(group, self._unit(self._model.encode_document, heard), strict=True):
                summed[window.place] += vector * window.duration_s
        lengths = np.linalg.norm(summed, axis=1, keepdims=True)
        return [EncodedPassage({channel.name: row}) for row in summed / np.where(lengths > 0, lengths, 1)]

    def encode_query(self, query: Query, channel: str) -> Vector:
        """Return a question's unit vector.

        Raises:
            EmptyQueryError: there is nothing in the question.
            CapabilityError: there is no such channel.
        """
        if channel != self.channels[0].name:
            raise CapabilityError(f"There is no channel '{channel}'.", f"Choose: {self.channels[0].name}.")
        if query.audio is not None:
            vector = np.asarray(self.encode_passages([query.audio])[0].vectors[channel])
            if not vector.any():
                raise EmptyQueryError("No speech was found in the spoken question.", "Record it again, closer.")
            return vector
        if not query.text.strip():
            raise EmptyQueryError("The question is empty.", "Type some words or record a question.")
        found: Vector = self._unit(self._model.encode_query, [query.text])[0]
        return found

    def pronounce(self, query: Query) -> list[SpokenWord]:
        """Return nothing: no phonemes are heard."""
        return []

    def _unit(self, encode: Any, inputs: Sequence[Any]) -> FloatMatrix:
        made = encode(inputs, batch_size=1, show_progress_bar=False, convert_to_numpy=True)
        vectors: FloatMatrix = np.asarray(made, np.float32)[:, : self.channels[0].dim]
        unit: FloatMatrix = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


def pieces_of(window: Window, longest_s: float) -> list[Window]:
    """Return a window in equal pieces of at most so many seconds.

    >>> window = Window(0, 1.0, np.zeros(20 * SAMPLE_RATE_HZ, np.float32))
    >>> [(one.start_s, one.duration_s) for one in pieces_of(window, 11.2)]
    [(1.0, 10.0), (11.0, 10.0)]
    """
    count = max(1, math.ceil(window.duration_s / longest_s))
    bounds = np.linspace(0, len(window.samples), count + 1).round().astype(int)
    return [
        Window(window.place, window.start_s + start / SAMPLE_RATE_HZ, window.samples[start:end])
        for start, end in pairwise(bounds.tolist())
    ]
