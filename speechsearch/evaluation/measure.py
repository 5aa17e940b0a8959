"""Evaluate engines on a folder of spoken passages: encode, index in memory, ask every question, report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from speechsearch import audio
from speechsearch.domain.errors import InputError
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import Query
from speechsearch.evaluation.dataset import EvaluationCollection, SpokenPassage, read_collection
from speechsearch.evaluation.encoding import GOLD, SOUND, encode_collection, engines_over, gold_of
from speechsearch.evaluation.machine import describe_machine
from speechsearch.evaluation.report import EvaluationReport
from speechsearch.evaluation.runner import evaluate
from speechsearch.evaluation.spoken_squad import NAME as SPOKEN_SQUAD
from speechsearch.evaluation.spoken_squad import read_spoken_squad
from speechsearch.index import ExactIndex
from speechsearch.library.makers import Makers
from speechsearch.models.base import TextEncoder
from speechsearch.retrieval.calibration import read_calibrations
from speechsearch.retrieval.engine_cards import BASELINE, engine_cards, engine_named
from speechsearch.retrieval.engines import retrievers


def measure(
    folder: Path,
    names: Sequence[str],
    makers: Makers,
    text_encoder: TextEncoder,
    limit: int | None = None,
    command: str = "",
) -> EvaluationReport:
    """Return the figures of engines on a folder; ``limit`` takes only so many passages, for a quick look.

    Raises:
        InputError: the folder is not an evaluation collection.
        NotFoundError: there is no such engine, or the models do not make it possible.
    """
    return measure_collection(read_limited(str(folder), "", limit, folder), names, makers, text_encoder, command)


def read_limited(name: str, source: str, limit: int | None, work: Path) -> EvaluationCollection:
    """Return a folder's collection, or a protocol's of ``source``; only so many passages if there is a limit.

    ``work``: a folder for sound that has to be written. Raises InputError, NotFoundError: it cannot be used.
    """
    if name == SPOKEN_SQUAD:
        if not source:
            raise InputError(f"{SPOKEN_SQUAD} has no source.", "Name its folder or a set of the hub with --source.")
        where, _, revision = source.partition("@")
        collection = read_spoken_squad(where, work, revision)
    else:
        collection = read_collection(Path(name))
    return with_passages(collection, collection.passages[:limit]) if limit else collection


def possible_engines(makers: Makers, text_encoder: TextEncoder) -> list[str]:
    """Return the names of the product's engines that these models make possible."""
    found = engines_over(ExactIndex(()), makers, gold_of(text_encoder), read_calibrations(), (), {})
    return [card.name for card in engine_cards() if card.name in found and not card.is_learnt]


def measure_collection(
    collection: EvaluationCollection,
    names: Sequence[str],
    makers: Makers,
    text_encoder: TextEncoder,
    command: str = "",
) -> EvaluationReport:
    """Return the figures of engines on a collection, each maker's work timed by itself. Raises NotFoundError."""
    possible = engines_over(ExactIndex(()), makers, gold_of(text_encoder), read_calibrations(), (), {})
    for name in names:
        engine_named(name, [engine.card for engine in possible.values()])
    searched = {possible[name].recognizer for name in names}
    encoded = encode_collection(
        collection,
        makers if searched - {SOUND, GOLD} else Makers(makers.speech_encoder),
        text_encoder,
        has_sound=SOUND in searched,
        has_gold=GOLD in searched,
    )
    available = encoded.engines(read_calibrations())
    engines = {name: available[name] for name in names}
    limits, pronounce = Limits(), makers.speech_encoder.pronounce
    reports = evaluate(
        collection,
        retrievers(engines),
        load_sound=lambda path: audio.load(path, limits, limits.query_audio_s),
        likelihoods={name: engine.likelihood for name, engine in engines.items()},
        facts=encoded.facts(engines),
        passage_names=encoded.names,
        pronounce=lambda text: [symbol for word in pronounce(Query(text)) for symbol in word.pronunciations[0]],
    )
    return EvaluationReport(
        collection=collection.name,
        passages=len(collection.passages),
        queries=len(collection.queries),
        audio_s=encoded.audio_s,
        engines=reports,
        machine=describe_machine(),
        command=command,
        date=time.strftime("%Y-%m-%d"),
        seed=1,
        baseline=BASELINE,
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
