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
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, FloatMatrix, Query, SpokenWord, Vector
from speechsearch.models.base import EncodedPassage
from speechsearch.models.load import Located
from speechsearch.models.one_channel import passages_of, question_vector
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
        windows = [piece for window in audible_windows(sounds) for piece in pieces_of(window, self.longest_s)]
        return passages_of(self._heard(windows), len(sounds), self.channels[0])

    def encode_query(self, query: Query, channel: str) -> Vector:
        """Return a question's unit vector.

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

    def _heard(self, windows: Sequence[Window]) -> Iterator[tuple[Window, FloatMatrix]]:
        for start in range(0, len(windows), BATCH_WINDOWS):
            group = windows[start : start + BATCH_WINDOWS]
            sounds = [{"audio": {"array": one.samples, "sampling_rate": SAMPLE_RATE_HZ}} for one in group]
            yield from zip(group, self._unit(self._model.encode_document, sounds), strict=True)

    def _read(self, text: str) -> Vector:
        found: Vector = self._unit(self._model.encode_query, [text])[0]
        return found

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
