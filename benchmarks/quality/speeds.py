"""How fast the engines of the product index and answer: a run of its own, with every step timed and nothing kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from benchmarks.quality.measure import Models, key_for, model_fingerprint, write
from benchmarks.quality.recognizers import ASR, ASR_KEYS, BASELINE, EVERYTHING, FROM_SOUND
from benchmarks.quality.sets import QualitySet
from speechsearch.evaluation import EngineReport, describe_machine
from speechsearch.evaluation.measure import measure_collection

TIMED = (BASELINE, "mini")
"""The recognisers whose speed is measured, the baseline's first, which gives its engines the plain names."""
Speeds = dict[str, dict[str, float]]


def speeds(kept: Path, models: Models, one: QualitySet, *, is_fresh: bool) -> Speeds:
    """Return the speed of each engine by its key; measured once and then read from ``kept``."""
    recognizers = [name for name in TIMED if name in models.recognizers]
    makers = models.makers([models.recognizers[name] for name in recognizers])
    key = key_for(model_fingerprint(makers), one.key, str(describe_machine()))
    file = kept / one.name / "speed.json"
    if file.is_file() and not is_fresh:
        before = json.loads(file.read_text(encoding="utf-8"))
        if before["key"] == key:
            known: Speeds = before["speeds"]
            return known
    asr = {ASR_KEYS[name]: ASR if name == recognizers[0] else ASR_KEYS[name] for name in recognizers}
    names = asr | {name: name for name in (*FROM_SOUND, *((EVERYTHING,) if BASELINE in recognizers else ()))}
    report = measure_collection(one.collection, tuple(names.values()), makers, models.text_encoder)
    found = {key: speed_of(engine) for key, engine in zip(names, report.engines, strict=True)}
    if EVERYTHING in found:
        found[EVERYTHING] |= indexed_by_both(found["hybrid"], found[ASR])
    write(file, {"key": key, "speeds": found})
    return found


def speed_of(engine: EngineReport) -> dict[str, float]:
    """Return an engine's speed: seconds of audio indexed in a second, milliseconds a question, bytes."""
    return {
        "indexing_real_time_factor": engine.indexing_real_time_factor or 0.0,
        "query_p50_ms": engine.query_p50_ms,
        "query_p95_ms": engine.query_p95_ms,
        "index_bytes": float(engine.index_bytes or 0),
    }


def indexed_by_both(sound: Mapping[str, float], transcripts: Mapping[str, float]) -> dict[str, float]:
    """Return what it takes to index for an engine that searches what two others search, one after the other.

    >>> one, other = ({"indexing_real_time_factor": factor, "index_bytes": 10.0} for factor in (60.0, 30.0))
    >>> indexed_by_both(one, other)
    {'indexing_real_time_factor': 20.0, 'index_bytes': 20.0}
    """
    factors = [one["indexing_real_time_factor"] for one in (sound, transcripts)]
    return {
        "indexing_real_time_factor": 1 / sum(1 / factor for factor in factors) if all(factors) else 0.0,
        "index_bytes": sound["index_bytes"] + transcripts["index_bytes"],
    }
