"""Put every question to every engine on a set under a condition; what came of it is kept on disk as a cell.

A cell holds raw answers, so that figures, tests and pictures can be made again without hearing anything.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from benchmarks.quality.figures import Cell, Rankings
from benchmarks.quality.recognizers import ASR_KEYS, HEARD, HEARS, hearing, key_of
from benchmarks.quality.sets import CLEAN, Condition, QualitySet
from benchmarks.quality.transcripts import KeptTranscripts
from speechsearch import audio
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import Query
from speechsearch.evaluation import EvaluationCollection, run_engine
from speechsearch.evaluation.encoding import (
    CEILINGS,
    SOUND,
    EncodedCollection,
    Piece,
    encode_collection,
)
from speechsearch.evaluation.metrics import error_rate, word_error_rate
from speechsearch.library.makers import Makers
from speechsearch.models.base import Recognizer, SpeechEncoder, TextEncoder
from speechsearch.models.baseline import Baseline
from speechsearch.models.transcripts import TranscriptEncoder
from speechsearch.retrieval.calibration import SHIPPED, read_calibrations
from speechsearch.retrieval.engines import Engine
from speechsearch.service.open import new_loader
from speechsearch.service.settings import Settings
from speechsearch.text.spoken import spoken_words

VERSION = "3"
"""Part of a cell's key; raised when the same model would be measured otherwise."""
CEILING_NAMES = tuple(card.name for card in CEILINGS)
DEEPEST = 10
"""So many passages of an answer are kept: the deepest rank of the metrics."""


@dataclass(frozen=True, slots=True)
class Models:
    """What is measured; ``recognizers`` by their names in the catalog, those that were left out are not there."""

    speech_encoder: SpeechEncoder
    text_encoder: TextEncoder
    recognizers: Mapping[str, Recognizer] = field(default_factory=dict)

    def makers(self, recognizers: Sequence[Recognizer]) -> Makers:
        """Return the speech encoder together with recognisers, each with the encoder of its transcripts."""
        baselines = (Baseline(one, TranscriptEncoder(self.text_encoder, one.name)) for one in recognizers)
        return Makers(self.speech_encoder, tuple(baselines))

    def pronounce(self, text: str) -> list[int]:
        """Return the phonemes of a text."""
        return [symbol for word in self.speech_encoder.pronounce(Query(text)) for symbol in word.pronunciations[0]]


def usual_models(without: Sequence[str] = ()) -> Models:
    """Return the models that the product comes with, and the recognisers to compare them with."""
    settings = Settings()
    loader = new_loader(settings)
    return Models(
        loader.speech_encoder(settings.engines.encoder_name),
        loader.text_encoder(settings.engines.text_encoder),
        {name: loader.recognizer(name) for name in HEARS if name not in without},
    )


class Measurer:
    """Measures cells with one model; those that are kept and still fit are read instead."""

    def __init__(self, kept: Path, models: Models, *, is_fresh: bool) -> None:
        self.kept, self.models, self.is_fresh = kept, models, is_fresh
        self.transcripts = {
            name: KeptTranscripts(recognizer, kept / "transcripts") for name, recognizer in models.recognizers.items()
        }

    def makers_under(self, condition: Condition) -> Makers:
        """Return what hears the sets under a condition; transcripts are kept."""
        heard_by = [self.transcripts[name] for name in hearing(condition.name) if name in self.transcripts]
        return self.models.makers(heard_by)

    def news(self) -> list[str]:
        """Return what each recogniser wrote down since this was asked last, for a line of progress."""
        return [said for one in self.transcripts.values() if (said := one.news())]

    def cell(self, one: QualitySet, condition: Condition) -> Cell:
        """Return what comes of a set under a condition."""
        makers = self.makers_under(condition)
        spoken_key = one.spoken_key if condition.name == CLEAN else ""
        key = key_for(model_fingerprint(makers), one.key, repr(condition.how), spoken_key)
        file = self.kept / one.name / f"{condition.name}.json"
        if file.is_file() and not self.is_fresh:
            cell = Cell(**json.loads(file.read_text(encoding="utf-8")))
            if cell.key == key:
                return cell
        cell = replace(self.measured(one, condition, makers), key=key)
        write(file, asdict(cell))
        return cell

    def measured(self, one: QualitySet, condition: Condition, makers: Makers) -> Cell:
        """Hear a set and put every question to every engine."""
        started = time.perf_counter()
        is_clean = condition.name == CLEAN
        pieces = (Piece(passage.passage_id, 0.0, sound)
                  for passage, sound in zip(one.collection.passages, one.heard(condition), strict=True))  # fmt: skip
        encoded = encode_collection(one.collection, makers, self.models.text_encoder, pieces, has_gold=is_clean)
        engines = by_key(encoded.engines(read_calibrations()), is_clean)
        found = answers(encoded, engines, one.collection)
        facts = encoded.facts(engines)
        asr_keys = [key for key in ASR_KEYS.values() if key in engines]
        spoken: Rankings = {}
        if is_clean and one.spoken:
            heard = {key: engine for key, engine in engines.items() if key in HEARD}
            spoken = answers(encoded, heard, replace(one.collection, queries=one.spoken))
        gold = [self.models.pronounce(passage.text) for passage in one.collection.passages]
        phonemes = encoded.made[SOUND].phonemes
        errors = error_rate(gold, [phonemes[passage.passage_id] for passage in one.collection.passages])
        return Cell(
            rankings=found,
            spoken=spoken,
            word_error_rate={key: word_errors(one.collection, facts[key].transcripts) for key in asr_keys},
            phoneme_error_rate=errors or 0.0,
            words=sum(len(spoken_words(passage.text)) for passage in one.collection.passages),
            phonemes=sum(map(len, gold)),
            audio_s=encoded.audio_s,
            seconds=time.perf_counter() - started,
        )


def by_key(engines: Mapping[str, Engine], has_ceilings: bool) -> dict[str, Engine]:
    """Return the engines that are measured by their keys in the results, in the order of the tables."""
    keyed = {key_of(name, engine.recognizer): engine for name, engine in engines.items()}
    return {key: keyed[key] for key in (*(CEILING_NAMES if has_ceilings else ()), *HEARD) if key in keyed}


def key_for(*parts: str) -> str:
    """Return a short text that changes with any of several."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


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
