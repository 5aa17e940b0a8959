"""Measure engines on collections of spoken passages with known answers."""

from speechsearch.evaluation.dataset import (
    CollectionQuery,
    EvaluationCollection,
    SpokenPassage,
    read_collection,
)
from speechsearch.evaluation.machine import Machine, describe_machine, peak_memory_bytes
from speechsearch.evaluation.metrics import Figure, PairedTest
from speechsearch.evaluation.report import EvaluationReport, as_json, as_markdown
from speechsearch.evaluation.runner import EngineReport, EngineRun, IndexingFacts, evaluate, run_engine

__all__ = [
    "CollectionQuery",
    "EngineReport",
    "EngineRun",
    "EvaluationCollection",
    "EvaluationReport",
    "Figure",
    "IndexingFacts",
    "Machine",
    "PairedTest",
    "SpokenPassage",
    "as_json",
    "as_markdown",
    "describe_machine",
    "evaluate",
    "peak_memory_bytes",
    "read_collection",
    "run_engine",
]
