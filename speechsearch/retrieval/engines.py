"""The engines put together: encoders, index and what was learnt about how to weigh them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict

from speechsearch.domain.errors import ConfigurationError
from speechsearch.domain.values import Channel
from speechsearch.index import VectorIndex
from speechsearch.library.library import Library
from speechsearch.models.base import Recognizer
from speechsearch.models.mini.encoder import AdapterQueryEncoder, PhoneticQueryEncoder, PiecesQueryEncoder
from speechsearch.models.mini.network import ASSETS, MiniModel
from speechsearch.models.mini.recognizer import MiniRecognizer
from speechsearch.models.minilm import TextEncoder
from speechsearch.models.pocketsphinx import PocketSphinxRecognizer
from speechsearch.models.transcripts import TranscriptQueryEncoder
from speechsearch.retrieval.fused import FusedRetriever, draw_sample
from speechsearch.retrieval.fusion import Scale
from speechsearch.retrieval.retriever import Retriever
from speechsearch.retrieval.transcribed import TranscribedRetriever
from speechsearch.retrieval.vector import VectorRetriever

SPECS = (
    Channel("adapter", "dense", TextEncoder.dim),
    Channel("phonetic", "sparse", has_idf=True),
    Channel("pieces", "sparse", has_idf=True),
    Channel("asr_dense", "dense", TextEncoder.dim),
    Channel("asr_words", "sparse", has_idf=True),
)


class Fusion(TypedDict):
    """What was learnt about the engines' scores.

    The channel weights of the fused engines; by channel the usual mean and deviation of a question's scores; by engine
    the score from which an answer is likely, and slope and intercept of the logistic curve from score to likelihood.
    """

    hybrid: Mapping[str, float]
    asr: Mapping[str, float]
    typical: Mapping[str, Scale]
    thresholds: Mapping[str, float]
    calibration: Mapping[str, tuple[float, float]]


def learnt_fusion() -> Fusion:
    """Return what was learnt about the scores of the shipped model."""
    fusion: Fusion = json.loads((ASSETS / "fusion.json").read_text(encoding="utf-8"))
    return fusion


def build_recognizer(name: str, model: MiniModel) -> Recognizer:
    """Return a recogniser by its name in the catalog.

    Raises:
        ConfigurationError: there is none of that name.
    """
    if name == "mini":
        return MiniRecognizer(model)
    if name == "pocketsphinx":
        return PocketSphinxRecognizer()
    raise ConfigurationError(
        f"There is no recogniser '{name}'.", "Set SPEECHSEARCH_ENGINES__RECOGNIZER to mini or pocketsphinx."
    )


def build_engines(
    model: MiniModel,
    recognizer: Recognizer,
    index: VectorIndex,
    sample: Callable[[], Sequence[str]],
    fusion: Fusion,
) -> dict[str, Retriever]:
    """Return every engine by name; ``fusion`` is what was learnt on the tuning set."""

    def reading(name: str) -> tuple[float, tuple[float, float]]:
        slope, intercept = fusion["calibration"][name]
        return fusion["thresholds"][name], (slope, intercept)

    text = model.text_encoder
    adapter = VectorRetriever("adapter", "adapter", AdapterQueryEncoder(model), index, *reading("adapter"))
    phonetic = VectorRetriever("phonetic", "phonetic", PhoneticQueryEncoder(model), index, *reading("phonetic"))
    pieces = VectorRetriever("pieces", "pieces", PiecesQueryEncoder(model), index)
    meaning = VectorRetriever("meaning", "asr_dense", TranscriptQueryEncoder(text, is_sparse=False), index)
    words = VectorRetriever("words", "asr_words", TranscriptQueryEncoder(text, is_sparse=True), index)
    by_sound, typical = (adapter, phonetic, pieces), fusion["typical"]
    hybrid = FusedRetriever("hybrid", by_sound, fusion["hybrid"], sample, typical, *reading("hybrid"))
    asr = FusedRetriever("asr", (meaning, words), fusion["asr"], sample, typical, *reading("asr"))
    return {"hybrid": hybrid, "adapter": adapter, "phonetic": phonetic, "asr": TranscribedRetriever(asr, recognizer)}


class Sample:
    """The background passages of a library, drawn again after every change."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._drawn: tuple[int, list[str]] = (-1, [])
        self._lock = threading.Lock()

    def __call__(self) -> list[str]:
        """Return the passages' ids."""
        with self._lock:
            version = self.library.version
            if self._drawn[0] != version:
                self._drawn = (version, draw_sample(sorted(self.library.store.passage_ids())))
            return self._drawn[1]
