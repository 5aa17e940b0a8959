"""Put every query of a collection to every engine and gather the figures."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeVar

from speechsearch.domain.errors import EmptyQueryError, InputError, NotFoundError
from speechsearch.domain.progress import Progress, ProgressCallback
from speechsearch.domain.values import Audio, Query
from speechsearch.evaluation.dataset import EvaluationCollection
from speechsearch.evaluation.machine import peak_memory_bytes
from speechsearch.evaluation.metrics import (
    DEEPEST_RANK,
    Figure,
    Floats,
    PairedTest,
    bootstrap_intervals,
    error_rate,
    paired_permutation_test,
    percentile,
    rank_metrics,
    share,
    word_error_rate,
)
from speechsearch.retrieval.calibration import Likelihood
from speechsearch.retrieval.engine_cards import BASELINE
from speechsearch.retrieval.retriever import Ranking, Retriever

TESTED_METRICS = ("recall@5", "mrr@10")
DEEPER = 4
"""How many times as many passages are asked for when the first hundred are of fewer files."""

Finding = TypeVar("Finding")

Pronounce = Callable[[str], Sequence[int]]
"""Turns gold text into phoneme symbols, all words of it in one row."""


@dataclass(frozen=True, slots=True)
class IndexingFacts:
    """What it took to index the collection for one engine, and what was heard; None or empty: not measured.

    ``real_time_factor``: seconds of audio indexed in a second of work, so higher is faster. ``transcripts`` and
    ``phonemes`` have the passages' ids in the collection as keys; a passage that they lack counts as heard as nothing.
    """

    real_time_factor: float | None = None
    index_bytes: int | None = None
    peak_memory_bytes: int | None = None
    transcripts: Mapping[str, str] = field(default_factory=dict)
    phonemes: Mapping[str, Sequence[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EngineRun:
    """One engine's raw answers: passages (best first, each once) and whether the first is confident, by query id.

    ``latencies_ms`` has one number a query, in the order of the queries; ``unsearchable`` queries had nothing that the
    engine could look for, and count as unanswered. ``first_passages`` has the index's id of the best passage, if any.
    """

    engine: str
    rankings: Mapping[str, tuple[str, ...]]
    confident: Mapping[str, bool]
    latencies_ms: tuple[float, ...]
    unsearchable: int
    first_passages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EngineReport:
    """One engine's figures; ``queries`` is the n of the rank metrics, which leave out queries without an answer.

    ``against_baseline`` is empty for the baseline itself and where it did not run. ``abstention_rate``: the share of
    unanswerable queries without a confident hit; ``confident_rate``: the share of answerable ones with one.
    """

    engine: str
    queries: int
    unanswerable: int
    unsearchable: int
    figures: Mapping[str, Figure]
    against_baseline: Mapping[str, PairedTest]
    abstention_rate: float | None
    confident_rate: float | None
    word_error_rate: float | None
    phoneme_error_rate: float | None
    query_p50_ms: float
    query_p95_ms: float
    indexing_real_time_factor: float | None
    index_bytes: int | None
    peak_memory_bytes: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The engines' figures, and the raw answers that they come from, by engine."""

    reports: Sequence[EngineReport]
    runs: Mapping[str, EngineRun]


def finished(steps: Generator[Progress, None, Finding], on_progress: ProgressCallback | None = None) -> Finding:
    """Return what a task that yields its progress comes to in the end."""
    while True:
        try:
            progress = next(steps)
        except StopIteration as end:
            finding: Finding = end.value
            return finding
        if on_progress:
            on_progress(progress)


def queries_of(collection: EvaluationCollection, load_sound: Callable[[Path], Audio]) -> Iterator[tuple[str, Query]]:
    """Yield (id, query), a spoken query's sound read when its turn comes."""
    for query in collection.queries:
        if query.audio is None:
            yield query.query_id, Query(text=query.text, top_k=DEEPEST_RANK)
        else:
            yield query.query_id, Query(audio=load_sound(query.audio), top_k=DEEPEST_RANK)


def is_confident(ranking: Ranking, likelihood: Likelihood | None) -> bool:
    """Whether the first passage reaches the engine's threshold; an engine without one is always confident."""
    return bool(ranking.passages) and (likelihood is None or likelihood.is_confident(ranking))


def run_engine(
    engine: str, retriever: Retriever, collection: EvaluationCollection, *, load_sound: Callable[[Path], Audio],
    likelihood: Likelihood | None = None, passage_names: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.perf_counter, on_progress: ProgressCallback | None = None,
) -> EngineRun:  # fmt: skip
    """Return an engine's answers to all queries; see ``engine_steps``."""
    steps = engine_steps(
        engine, retriever, collection, load_sound=load_sound, likelihood=likelihood, passage_names=passage_names,
        clock=clock,
    )  # fmt: skip
    return finished(steps, on_progress)


def engine_steps(
    engine: str, retriever: Retriever, collection: EvaluationCollection, *, load_sound: Callable[[Path], Audio],
    likelihood: Likelihood | None = None, passage_names: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Generator[Progress, None, EngineRun]:  # fmt: skip
    """Put all queries to an engine, one at a time, 100 passages deep; yield after each, return the answers.

    The first query is put twice and timed the second time, so that loading a model is not taken for searching.

    Args:
        passage_names: the collection's id of each passage id of the index; without it they are the same. Several
            passages may have the same: then the first that an engine finds counts, and while the passages found are of
            fewer than 100 ids and a right one is missing, the engine is asked for more, untimed.

    Raises:
        NotFoundError: the engine found a passage that is not in the collection.
    """
    known = {passage.passage_id: passage.passage_id for passage in collection.passages}
    names = known if passage_names is None else passage_names

    def named(ranking: Ranking) -> list[str]:
        found = [names.get(passage.passage_id, "") for passage in ranking.passages]
        if not known.keys() >= set(found):
            stray = next(p.passage_id for p, name in zip(ranking.passages, found, strict=True) if name not in known)
            raise NotFoundError(f"{engine} found the passage {stray!r}, which is not in {collection.name}.")
        return found

    rankings: dict[str, tuple[str, ...]] = {}
    confident: dict[str, bool] = {}
    first_passages: dict[str, str] = {}
    latencies_ms: list[float] = []
    unsearchable = 0
    for number, (query_id, query) in enumerate(queries_of(collection, load_sound), 1):
        if number == 1:
            answer(retriever, query)
        started_s = clock()
        ranking = answer(retriever, query)
        latencies_ms.append((clock() - started_s) * 1000)
        unsearchable += ranking is None
        ranking = ranking or Ranking((), 0.0, 0.0)
        right = collection.relevance.get(query_id, {}).keys()
        found, depth = dict.fromkeys(named(ranking)), DEEPEST_RANK
        deepest = ranking
        while len(deepest.passages) == depth and len(found) < DEEPEST_RANK and not right <= found.keys():
            depth *= DEEPER
            deepest = retriever.retrieve(query, depth)
            found.update(dict.fromkeys(named(deepest)))  # those that are there keep their places
        rankings[query_id], confident[query_id] = tuple(found), is_confident(ranking, likelihood)
        if ranking.passages:
            first_passages[query_id] = ranking.passages[0].passage_id
        yield Progress("evaluate", engine, number, len(collection.queries))
    return EngineRun(engine, rankings, confident, tuple(latencies_ms), unsearchable, first_passages)


def answer(retriever: Retriever, query: Query) -> Ranking | None:
    """Return an engine's ranking, None when the query holds nothing that it can look for."""
    try:
        return retriever.retrieve(query, DEEPEST_RANK)
    except EmptyQueryError:
        return None


def evaluate(
    collection: EvaluationCollection, retrievers: Mapping[str, Retriever], *, load_sound: Callable[[Path], Audio],
    likelihoods: Mapping[str, Likelihood | None] | None = None, facts: Mapping[str, IndexingFacts] | None = None,
    passage_names: Mapping[str, str] | None = None, pronounce: Pronounce | None = None, baseline: str = BASELINE,
    seed: int = 1, on_progress: ProgressCallback | None = None,
) -> list[EngineReport]:  # fmt: skip
    """Return the figures of each engine, in the order given; see ``evaluation_steps``."""
    steps = evaluation_steps(
        collection, retrievers, load_sound=load_sound, likelihoods=likelihoods, facts=facts,
        passage_names=passage_names, pronounce=pronounce, baseline=baseline, seed=seed,
    )  # fmt: skip
    return list(finished(steps, on_progress).reports)


def evaluation_steps(
    collection: EvaluationCollection, retrievers: Mapping[str, Retriever], *, load_sound: Callable[[Path], Audio],
    likelihoods: Mapping[str, Likelihood | None] | None = None, facts: Mapping[str, IndexingFacts] | None = None,
    passage_names: Mapping[str, str] | None = None, pronounce: Pronounce | None = None, baseline: str = BASELINE,
    seed: int = 1,
) -> Generator[Progress, None, Evaluation]:  # fmt: skip
    """Yield after every answer and return the evaluation; the same seed gives the same intervals and p-values.

    Args:
        facts: what the caller measured while it indexed, for each engine.
        pronounce: turns gold text into phonemes; without it there are no phoneme error rates.

    Raises:
        InputError: no engine was given.
        NotFoundError: an engine found a passage that is not in the collection.
    """
    if not retrievers:
        raise InputError("There is no engine to evaluate.")
    runs: dict[str, tuple[EngineRun, int]] = {}
    for name, retriever in retrievers.items():
        likelihood = (likelihoods or {}).get(name)
        run = yield from engine_steps(
            name, retriever, collection, load_sound=load_sound, likelihood=likelihood, passage_names=passage_names
        )
        runs[name] = run, peak_memory_bytes()
    values = {name: rank_metrics(run.rankings, collection.relevance)[1] for name, (run, _) in runs.items()}
    pronounce = cache(pronounce) if pronounce else None  # the gold text is the same for every engine
    reports = []
    for name, (run, peak_bytes) in runs.items():
        rival = values.get(baseline) if name != baseline else None
        known = (facts or {}).get(name, IndexingFacts())
        reports.append(engine_report(collection, run, values[name], rival, known, pronounce, peak_bytes, seed))
    return Evaluation(reports, {name: run for name, (run, _) in runs.items()})


def engine_report(
    collection: EvaluationCollection, run: EngineRun, values: Mapping[str, Floats],
    rival: Mapping[str, Floats] | None, facts: IndexingFacts, pronounce: Pronounce | None, peak_bytes: int, seed: int,
) -> EngineReport:  # fmt: skip
    """Return an engine's figures from its answers, its rank metrics and the baseline's."""
    tests = {m: paired_permutation_test(values[m], rival[m], seed=seed) for m in TESTED_METRICS} if rival else {}
    asked = [(run.confident[query.query_id], collection.is_answerable(query.query_id)) for query in collection.queries]
    gold = [passage for passage in collection.passages if passage.text.strip()]
    words = phonemes = None
    if facts.transcripts:
        words = word_error_rate([p.text for p in gold], [facts.transcripts.get(p.passage_id, "") for p in gold])
    if facts.phonemes and pronounce:
        phonemes = error_rate([pronounce(p.text) for p in gold], [facts.phonemes.get(p.passage_id, ()) for p in gold])
    return EngineReport(
        engine=run.engine,
        queries=sum(is_answerable for _, is_answerable in asked),
        unanswerable=sum(not is_answerable for _, is_answerable in asked),
        unsearchable=run.unsearchable,
        figures=bootstrap_intervals(values, seed=seed),
        against_baseline=tests,
        abstention_rate=share([not is_sure for is_sure, is_answerable in asked if not is_answerable]),
        confident_rate=share([is_sure for is_sure, is_answerable in asked if is_answerable]),
        word_error_rate=words,
        phoneme_error_rate=phonemes,
        query_p50_ms=percentile(run.latencies_ms, 50),
        query_p95_ms=percentile(run.latencies_ms, 95),
        indexing_real_time_factor=facts.real_time_factor,
        index_bytes=facts.index_bytes,
        peak_memory_bytes=peak_bytes if facts.peak_memory_bytes is None else facts.peak_memory_bytes,
    )
