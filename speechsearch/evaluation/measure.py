"""Evaluate engines on a folder of spoken passages: encode, index in memory, ask every question, report.

Files of up to 120 s are one passage each, longer ones are cut as ``ingest`` cuts them and count by their best passage.
The ``text`` engines read the gold transcript instead of the sound: the ceilings.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from speechsearch import audio
from speechsearch.domain.errors import InputError, NotFoundError
from speechsearch.domain.limits import Limits
from speechsearch.evaluation import EvaluationReport, describe_machine, evaluate, read_collection
from speechsearch.evaluation.dataset import EvaluationCollection, SpokenPassage
from speechsearch.evaluation.encoding import CEILINGS, prepare
from speechsearch.models.catalog import ENGINES
from speechsearch.retrieval.engines import learnt_fusion


def measure(
    folder: Path, engines: Sequence[str], recognizer_name: str = "mini", limit: int | None = None, command: str = ""
) -> EvaluationReport:
    """Return the figures of the engines on a folder; ``limit`` takes only so many passages, for a quick look.

    Raises:
        InputError: the folder is not an evaluation collection.
        NotFoundError: there is no such engine.
    """
    known = [*(row.name for row in ENGINES), *CEILINGS]
    for name in engines:
        if name not in known:
            raise NotFoundError(f"There is no engine '{name}'.", f"Choose among: {', '.join(known)}.")
    collection = read_collection(folder)
    if limit:
        collection = with_passages(collection, collection.passages[:limit])
    return measure_collection(collection, engines, recognizer_name, command)


def measure_collection(
    collection: EvaluationCollection, engines: Sequence[str], recognizer_name: str = "mini", command: str = ""
) -> EvaluationReport:
    """Return the figures of the engines on a collection, each engine's work timed by itself."""
    prepared = prepare(collection, engines, recognizer_name)
    limits = Limits()
    pronounce = prepared.model.lexicon.pronounce_text
    available = prepared.engines(learnt_fusion())
    reports = evaluate(
        collection,
        {name: available[name] for name in engines},
        load_sound=lambda path: audio.load(path, limits, limits.query_audio_s),
        facts=prepared.facts,
        passage_names=prepared.names,
        pronounce=lambda text: [symbol for word in pronounce(text) for symbol in word],
    )
    return EvaluationReport(
        collection=collection.name,
        passages=len(collection.passages),
        queries=len(collection.queries),
        audio_s=prepared.audio_s,
        engines=reports,
        machine=describe_machine(),
        command=command,
        date=time.strftime("%Y-%m-%d"),
        seed=1,
        baseline="asr",
    )


def with_passages(collection: EvaluationCollection, passages: Sequence[SpokenPassage]) -> EvaluationCollection:
    """Return a collection with only these of its passages and the questions that they answer.

    Raises:
        InputError: they answer none.
    """
    kept = {passage.passage_id for passage in passages}
    relevance = {
        query: {passage: grade for passage, grade in grades.items() if passage in kept}
        for query, grades in collection.relevance.items()
    }
    relevance = {query: grades for query, grades in relevance.items() if grades}
    queries = tuple(query for query in collection.queries if query.query_id in relevance)
    if not queries:
        raise InputError(f"No question is answered by these {len(passages)} passages.", "Take more.")
    return replace(collection, passages=tuple(passages), queries=queries, relevance=relevance)
