"""Put every question to every engine on a set under a condition; what came of it is kept on disk as a cell.

A cell holds raw answers, so that figures, tests and pictures can be made again without hearing anything.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.figures import Cell, Rankings
from benchmarks.quality.sets import CLEAN, Condition, QualitySet
from speechsearch import audio
from speechsearch.domain.errors import CapabilityError
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import Audio, Transcript
from speechsearch.evaluation import EngineReport, EvaluationCollection, describe_machine, run_engine
from speechsearch.evaluation.encoding import CEILINGS, Prepared, prepare_shared, prepare_written
from speechsearch.evaluation.measure import measure_collection
from speechsearch.evaluation.metrics import error_rate, word_error_rate
from speechsearch.library.library import FORMAT
from speechsearch.models.mini.encoder import MiniPassageEncoder
from speechsearch.models.mini.network import ASSETS, MiniModel
from speechsearch.models.minilm import TextEncoder
from speechsearch.retrieval.engines import build_recognizer, learnt_fusion
from speechsearch.text.spoken import spoken_words

VERSION = "1"
"""Part of a cell's key; raised when the same model would be measured otherwise."""
MINI = ("asr", "adapter", "phonetic", "hybrid")
"""The engines that rest on the shipped model."""
SPHINX = "asr-pocketsphinx"
DEEPEST = 10
"""So many passages of an answer are kept: the deepest rank of the metrics."""


class RememberingTextEncoder(TextEncoder):
    """The text encoder with a memory for questions: each is put in fifteen conditions to five engines."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[str, NDArray[np.float32]] = {}

    def embed(self, texts: Sequence[str], batch: int = 32) -> NDArray[np.float32]:
        """Return one unit vector a text, (texts, 384) float32; a single text is encoded once and for all."""
        if len(texts) != 1:
            return super().embed(texts, batch)
        if texts[0] not in self._known:
            self._known[texts[0]] = super().embed(texts, batch)
        return self._known[texts[0]]


class WrittenAhead:
    """Stands for a recogniser whose transcripts are made elsewhere; typed questions never come to it."""

    name = "pocketsphinx"
    fingerprint = "pocketsphinx-ahead"

    def transcribe(self, passages: Sequence[Audio]) -> list[Transcript]:
        """Refuse."""
        raise CapabilityError("The transcripts of PocketSphinx are made ahead.")


class Measurer:
    """Measures cells with one model; those that are kept and still fit are read instead."""

    def __init__(self, kept: Path, *, is_fresh: bool) -> None:
        self.kept, self.is_fresh = kept, is_fresh
        self.model = MiniModel()
        self.model.text_encoder = RememberingTextEncoder()
        self.fingerprint = model_fingerprint(self.model)
        self.recognizer = build_recognizer("mini", self.model)

    def cell(self, one: QualitySet, condition: Condition, transcripts: Sequence[str] | None) -> Cell:
        """Return what comes of a set under a condition; ``transcripts``: PocketSphinx's, one a passage."""
        is_clean = condition.name == CLEAN
        heard_by = [self.fingerprint, one.key, repr(condition.how), transcripts, one.spoken_key if is_clean else ""]
        key = hashlib.sha256(json.dumps(heard_by).encode()).hexdigest()[:16]
        file = self.kept / one.name / f"{condition.name}.json"
        if file.is_file() and not self.is_fresh:
            cell = Cell(**json.loads(file.read_text(encoding="utf-8")))
            if cell.key == key:
                return cell
        cell = replace(self.measured(one, condition, transcripts), key=key)
        write(file, asdict(cell))
        return cell

    def measured(self, one: QualitySet, condition: Condition, transcripts: Sequence[str] | None) -> Cell:
        """Hear a set and put every question to every engine."""
        started = time.perf_counter()
        is_clean = condition.name == CLEAN
        engines = (*CEILINGS, *MINI) if is_clean else MINI
        prepared = prepare_shared(one.collection, engines, one.heard(condition), self.model, self.recognizer)
        found = answers(prepared, engines, one.collection)
        rates = {"asr": word_errors(prepared)}
        spoken: Rankings = {}
        if is_clean and one.spoken:
            spoken = answers(prepared, MINI, replace(one.collection, queries=one.spoken))
        if transcripts is not None:
            written = prepare_written(one.collection, transcripts, self.model, WrittenAhead())
            found[SPHINX] = answers(written, ["asr"], one.collection)["asr"]
            rates[SPHINX] = word_errors(written)
        gold = [self.pronounce(passage.text) for passage in one.collection.passages]
        heard = prepared.facts["hybrid"].phonemes
        phonemes = error_rate(gold, [heard[passage.passage_id] for passage in one.collection.passages])
        return Cell(
            rankings=found,
            spoken=spoken,
            word_error_rate=rates,
            phoneme_error_rate=phonemes or 0.0,
            words=sum(len(spoken_words(passage.text)) for passage in one.collection.passages),
            phonemes=sum(map(len, gold)),
            audio_s=prepared.audio_s,
            seconds=time.perf_counter() - started,
        )

    def pronounce(self, text: str) -> list[int]:
        """Return the phonemes of a text."""
        return [symbol for word in self.model.lexicon.pronounce_text(text) for symbol in word]

    def speeds(self, one: QualitySet) -> dict[str, dict[str, float]]:
        """Return how fast each engine of the model indexes and answers, in a run of its own with every step timed."""
        key = hashlib.sha256(json.dumps([self.fingerprint, one.key, str(describe_machine())]).encode()).hexdigest()[:16]
        file = self.kept / one.name / "speed.json"
        if file.is_file() and not self.is_fresh:
            before = json.loads(file.read_text(encoding="utf-8"))
            if before["key"] == key:
                kept: dict[str, dict[str, float]] = before["speeds"]
                return kept
        report = measure_collection(one.collection, MINI)
        speeds = {engine.engine: speed_of(engine) for engine in report.engines}
        write(file, {"key": key, "speeds": speeds})
        return speeds


def speed_of(engine: EngineReport) -> dict[str, float]:
    """Return an engine's speed: seconds of audio indexed in a second, milliseconds a question, bytes."""
    return {
        "indexing_real_time_factor": engine.indexing_real_time_factor or 0.0,
        "query_p50_ms": engine.query_p50_ms,
        "query_p95_ms": engine.query_p95_ms,
        "index_bytes": float(engine.index_bytes or 0),
    }


def model_fingerprint(model: MiniModel) -> str:
    """Return a text that changes with the model, what was learnt about its scores, and how it is measured."""
    learnt = b"".join((ASSETS / name).read_bytes() for name in ("config.json", "fusion.json"))
    vectors = ",".join(MiniPassageEncoder.vector_names)
    return f"{VERSION}:{FORMAT}:{model.fingerprint}:{hashlib.sha256(learnt).hexdigest()[:8]}:{vectors}"


def answers(prepared: Prepared, engines: Sequence[str], asked: EvaluationCollection) -> dict[str, dict[str, list[str]]]:
    """Return the first passages that every engine finds for every question."""
    limits = Limits()
    available = prepared.engines(learnt_fusion())
    runs = {
        name: run_engine(
            name,
            available[name],
            asked,
            load_sound=lambda path: audio.load(path, limits, limits.query_audio_s),
            passage_names=prepared.names,
        )
        for name in engines
    }
    return {name: {one: list(found[:DEEPEST]) for one, found in run.rankings.items()} for name, run in runs.items()}


def word_errors(prepared: Prepared) -> float:
    """Return the word error rate of the baseline's transcripts."""
    passages, said = prepared.collection.passages, prepared.facts["asr"].transcripts
    return word_error_rate([one.text for one in passages], [said[one.passage_id] for one in passages]) or 0.0


def write(file: Path, value: object) -> None:
    """Write JSON that is there whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(value), encoding="utf-8")
    part.replace(file)
