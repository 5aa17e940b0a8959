"""Evaluate the running program's engines on one of its collections; nothing is encoded or indexed anew."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import InputError, NotFoundError
from speechsearch.domain.progress import Progress
from speechsearch.domain.values import Audio, Filters, Query
from speechsearch.domain.visitors import Visitor, shown_name
from speechsearch.evaluation.dataset import EvaluationCollection
from speechsearch.evaluation.machine import describe_machine
from speechsearch.evaluation.questions import Names, QuestionSet, from_shipped, read_questions
from speechsearch.evaluation.report import EvaluationReport
from speechsearch.evaluation.runner import EngineRun, Evaluation, evaluation_steps
from speechsearch.retrieval.retriever import Ranking, Retriever

if TYPE_CHECKING:
    from collections.abc import Mapping

    from speechsearch.service.open import Service

SHIPPED = "samples"
"""The collection that comes with questions."""
SEED = 1


class Within:
    """An engine that searches one collection only."""

    def __init__(self, inner: Retriever, collection: str) -> None:
        self.inner, self.collection = inner, collection
        self.name = inner.name

    def retrieve(self, query: Query, limit: int) -> Ranking:
        """Return at most ``limit`` passages of the collection, best first. Raises EmptyQueryError."""
        return self.inner.retrieve(replace(query, filters=Filters(collections=(self.collection,))), limit)


@dataclass(frozen=True, slots=True)
class CollectionEvaluation:
    """The report of an evaluation, with the questions and the raw answers that it comes from."""

    report: EvaluationReport
    questions: EvaluationCollection
    runs: Mapping[str, EngineRun]


def evaluate_within(
    service: Service, collection: str, files: Sequence[Path], engines: Sequence[str], baseline: str, visitor: Visitor
) -> Generator[Progress, None, CollectionEvaluation]:
    """Yield after every answer and return the evaluation; a recording counts as found when a passage of it is.

    Args:
        files: the questions; without any, those that ship with the samples.

    Raises:
        InputError: no engine was chosen, or the questions cannot be used.
        NotFoundError: the visitor has no such collection, or there are no questions about it.
    """
    if not engines:
        raise InputError("No engine was chosen.", "Tick at least one.")
    known = service.search.engines
    key = service.browse.resolve(collection, visitor)
    recordings = service.browse.recordings(collection, visitor)
    passages = [passage for one in recordings for passage in service.browse.passages_of(one.recording_id, visitor)]
    questions = questions_about(key, files, Names(recordings, passages)).over(shown_name(key), recordings)
    evaluation: Evaluation = yield from evaluation_steps(
        questions,
        {name: Within(known[name].retriever, key) for name in engines if name in known},
        load_sound=no_sound,
        likelihoods={name: known[name].likelihood for name in engines if name in known},
        passage_names={passage.passage_id: passage.recording_id for passage in passages},
        baseline=baseline,
        seed=SEED,
    )
    report = EvaluationReport(
        collection=questions.name,
        passages=len(passages),
        queries=len(questions.queries),
        audio_s=sum(one.duration_s for one in recordings),
        engines=evaluation.reports,
        machine=describe_machine(),
        command="the page: Compare, Measure accuracy",
        date=time.strftime("%Y-%m-%d"),
        seed=SEED,
        baseline=baseline,
    )
    return CollectionEvaluation(report, questions, evaluation.runs)


def questions_about(collection: str, files: Sequence[Path], names: Names) -> QuestionSet:
    """Return the questions that were handed in, or those that ship with the collection.

    Raises:
        InputError: they cannot be used.
        NotFoundError: there are none.
    """
    if files:
        return read_questions(files, names)
    if not has_questions(collection):
        raise NotFoundError(
            f"There are no questions about '{shown_name(collection)}'.", "Drop some below: a CSV file is enough."
        )
    return from_shipped(SAMPLES, names)


def has_questions(collection: str) -> bool:
    """Say whether questions about a collection ship with the program."""
    return collection == SHIPPED and (SAMPLES / "queries.jsonl").is_file()


def no_sound(path: Path) -> Audio:
    """Refuse a spoken question: only typed ones are taken here."""
    raise InputError(f"{path.name}: spoken questions cannot be measured here.", "Give them a text.")
