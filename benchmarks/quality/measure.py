"""Put every question to every engine on a set under a condition; what came of it is kept on disk as a cell.

A cell holds raw answers, so that figures, tests and pictures can be made again without hearing anything.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.quality.figures import Cell, Rankings
from benchmarks.quality.sets import CLEAN, Condition, QualitySet
from speechsearch import audio
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import Query
from speechsearch.evaluation import EngineReport, EvaluationCollection, describe_machine, run_engine
from speechsearch.evaluation.encoding import (
    CEILINGS,
    SOUND,
    EncodedCollection,
    GivenTranscripts,
    Piece,
    encode_collection,
)
from speechsearch.evaluation.measure import measure_collection
from speechsearch.evaluation.metrics import error_rate, word_error_rate
from speechsearch.library.makers import Makers
from speechsearch.models.base import Recognizer
from speechsearch.models.baseline import Baseline
from speechsearch.models.transcripts import TranscriptEncoder
from speechsearch.retrieval.calibration import SHIPPED, read_calibrations
from speechsearch.retrieval.engines import Engine
from speechsearch.service.open import new_loader
from speechsearch.service.settings import Settings
from speechsearch.text.spoken import spoken_words

VERSION = "2"
"""Part of a cell's key; raised when the same model would be measured otherwise."""
MINI = ("asr", "adapter", "phonetic", "hybrid")
"""The engines that rest on the shipped model."""
MINI_NAME, SPHINX_NAME = "mini", "pocketsphinx"
SPHINX = "asr-pocketsphinx"
TRANSCRIBED = ("asr", SPHINX)
CEILING_NAMES = tuple(card.name for card in CEILINGS)
DEEPEST = 10
"""So many passages of an answer are kept: the deepest rank of the metrics."""


class Measurer:
    """Measures cells with one model; those that are kept and still fit are read instead."""

    def __init__(self, kept: Path, *, is_fresh: bool) -> None:
        self.kept, self.is_fresh = kept, is_fresh
        settings = Settings()
        loader = new_loader(settings)
        self.text_encoder = loader.text_encoder(settings.engines.text_encoder)
        encoder, recognizer = loader.speech_encoder(settings.engines.encoder), loader.recognizer(MINI_NAME)
        self.makers = Makers(encoder, (self.baseline(recognizer),))
        self.fingerprint = model_fingerprint(self.makers)

    def baseline(self, recognizer: Recognizer) -> Baseline:
        """Return a recogniser with the encoder of its transcripts."""
        return Baseline(recognizer, TranscriptEncoder(self.text_encoder, recognizer.name))

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
        makers, names = self.makers, (*CEILING_NAMES, *MINI) if is_clean else MINI
        if transcripts is not None:
            makers = Makers(
                makers.speech_encoder, (*makers.baselines, self.baseline(GivenTranscripts(SPHINX_NAME, transcripts)))
            )
            names = (*names, SPHINX)
        pieces = (Piece(passage.passage_id, 0.0, sound)
                  for passage, sound in zip(one.collection.passages, one.heard(condition), strict=True))  # fmt: skip
        encoded = encode_collection(one.collection, makers, self.text_encoder, pieces, has_gold=is_clean)
        engines = {name: engine for name, engine in encoded.engines(read_calibrations()).items() if name in names}
        found = answers(encoded, engines, one.collection)
        facts = encoded.facts(engines)
        rates = {name: word_errors(one.collection, facts[name].transcripts) for name in engines if name in TRANSCRIBED}
        spoken: Rankings = {}
        if is_clean and one.spoken:
            ours = {name: engines[name] for name in MINI}
            spoken = answers(encoded, ours, replace(one.collection, queries=one.spoken))
        gold = [self.pronounce(passage.text) for passage in one.collection.passages]
        heard = encoded.made[SOUND].phonemes
        phonemes = error_rate(gold, [heard[passage.passage_id] for passage in one.collection.passages])
        return Cell(
            rankings=found,
            spoken=spoken,
            word_error_rate=rates,
            phoneme_error_rate=phonemes or 0.0,
            words=sum(len(spoken_words(passage.text)) for passage in one.collection.passages),
            phonemes=sum(map(len, gold)),
            audio_s=encoded.audio_s,
            seconds=time.perf_counter() - started,
        )

    def pronounce(self, text: str) -> list[int]:
        """Return the phonemes of a text."""
        pronounce = self.makers.speech_encoder.pronounce
        return [symbol for word in pronounce(Query(text)) for symbol in word.pronunciations[0]]

    def speeds(self, one: QualitySet) -> dict[str, dict[str, float]]:
        """Return how fast each engine of the model indexes and answers, in a run of its own with every step timed."""
        key = hashlib.sha256(json.dumps([self.fingerprint, one.key, str(describe_machine())]).encode()).hexdigest()[:16]
        file = self.kept / one.name / "speed.json"
        if file.is_file() and not self.is_fresh:
            before = json.loads(file.read_text(encoding="utf-8"))
            if before["key"] == key:
                kept: dict[str, dict[str, float]] = before["speeds"]
                return kept
        report = measure_collection(one.collection, MINI, self.makers, self.text_encoder)
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


def model_fingerprint(makers: Makers) -> str:
    """Return a text that changes with the models, what was learnt about their scores, and how they are measured."""
    learnt = hashlib.sha256(SHIPPED.read_bytes()).hexdigest()[:8]
    return f"{VERSION}:{json.dumps(makers.made_by, sort_keys=True)}:{learnt}"


def answers(
    encoded: EncodedCollection, engines: Mapping[str, Engine], asked: EvaluationCollection
) -> dict[str, dict[str, list[str]]]:
    """Return the first passages that every engine finds for every question."""
    limits = Limits()
    runs = {
        name: run_engine(
            name,
            engine.retriever,
            asked,
            load_sound=lambda path: audio.load(path, limits, limits.query_audio_s),
            passage_names=encoded.names,
        )
        for name, engine in engines.items()
    }
    return {name: {one: list(found[:DEEPEST]) for one, found in run.rankings.items()} for name, run in runs.items()}


def word_errors(collection: EvaluationCollection, said: Mapping[str, str]) -> float:
    """Return the word error rate of a recogniser's transcripts."""
    passages = collection.passages
    return word_error_rate([one.text for one in passages], [said[one.passage_id] for one in passages]) or 0.0


def write(file: Path, value: object) -> None:
    """Write JSON that is there whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(value), encoding="utf-8")
    part.replace(file)
