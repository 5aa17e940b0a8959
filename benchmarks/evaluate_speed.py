"""Measure how long an evaluation takes: ``python -m benchmarks.evaluate_speed --passages 15000 --questions 5000``.

The runner, the figures, the index in memory and the fusion are the program's own. The collection is synthetic, made in
memory from a fixed seed: a passage is a dense unit vector, some 300 sounds, 60 word pieces and 60 words, drawn as words
are (few of them often); a question holds a part of what its passage holds, and noise. Hearing passages and encoding
questions are no part of the run: their vectors are there before. What one question takes the text encoder is measured
apart (``--encoding 0`` leaves that out). Questions are put one after the other, by one thread.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.progress import Progress
from speechsearch.domain.values import NAMESPACE, Audio, Channel, Query, SparseVector, SpokenWord, Vector
from speechsearch.evaluation import (
    CollectionQuery,
    EngineReport,
    EvaluationCollection,
    IndexingFacts,
    SpokenPassage,
    describe_machine,
    evaluate,
)
from speechsearch.index import ExactIndex, Point
from speechsearch.models.baseline import Baseline
from speechsearch.models.catalog import catalog
from speechsearch.models.transcripts import transcript_channels
from speechsearch.retrieval.calibration import Calibrations, read_calibrations
from speechsearch.retrieval.engine_cards import ADAPTER, ASR, BUILT_IN, HYBRID, PHONETIC
from speechsearch.retrieval.engines import Engine, build_engines, retrievers
from speechsearch.retrieval.fused import draw_sample
from speechsearch.service.open import new_loader
from speechsearch.service.settings import Settings

SEED = 1
SYMBOLS = 39
SOUND = catalog().get("speech encoder", "mini").channels
WRITTEN = transcript_channels("made up", SOUND[0].dim)
CHANNELS = (*SOUND, *WRITTEN)
ENGINES = tuple(card.name for card in (ADAPTER, PHONETIC, HYBRID, ASR))
MAKING = "making the collection (no part of an evaluation)"
FIGURES = "figures, intervals and tests"


@dataclass(frozen=True, slots=True)
class Terms:
    """How many terms a sparse channel knows, a passage has and a question has."""

    known: int
    of_passage: int
    of_question: int


SPARSE = {
    SOUND[1].name: Terms(59_319, 300, 40),
    SOUND[2].name: Terms(30_000, 60, 8),
    WRITTEN[1].name: Terms(30_000, 60, 6),
}


@dataclass(frozen=True, slots=True)
class Synthetic:
    """A collection, what its passages are found by, and what its questions look for, by channel."""

    collection: EvaluationCollection
    points: Sequence[Point]
    names: Mapping[str, str]
    asked: Mapping[str, Mapping[str, Vector]]
    facts: Mapping[str, IndexingFacts]


class Encoded:
    """Stands for an encoder, a text encoder and a recogniser: gives a question the vector made for it before."""

    name = fingerprint = "made up"

    def __init__(self, channels: Sequence[Channel], vectors: Mapping[str, Mapping[str, Vector]]) -> None:
        self.channels, self.vectors = tuple(channels), vectors
        self.text_encoder = self

    def encode_query(self, query: Query, channel: str) -> Vector:
        """Return the question's vector."""
        return self.vectors[channel][query.text]

    def pronounce(self, query: Query) -> list[SpokenWord]:
        """Return nothing: no words are spotted; benchmarks.keyword_speed times that."""
        return []


@dataclass(frozen=True, slots=True)
class Taken:
    """What a stage took by the clock, and of the processor: less where other programs run too."""

    clock_s: float
    processor_s: float


class Stopwatch:
    """What each stage takes: each engine from its first answer to its last, then all that follows."""

    def __init__(self) -> None:
        self.started_s = time.perf_counter(), time.process_time()
        self.taken: dict[str, Taken] = {}

    def lap(self, stage: str) -> None:
        """End a stage; the next one begins."""
        now_s = time.perf_counter(), time.process_time()
        self.taken[stage] = Taken(now_s[0] - self.started_s[0], now_s[1] - self.started_s[1])
        self.started_s = now_s

    def watch(self, progress: Progress) -> None:
        """End an engine's stage at its last answer."""
        if progress.done == progress.total:
            self.lap(f"engine {progress.name}")


def drawn(random: np.random.Generator, terms: Terms, count: int, of: NDArray[np.int64] | None = None) -> SparseVector:
    """Return a sparse vector of ``count`` terms, two thirds of them of another vector where one is given."""
    numbers = (terms.known ** random.random(3 * count)).astype(np.int64) - 1
    if of is not None:
        numbers = np.concatenate([random.permutation(of)[: 2 * count // 3], numbers])
    _, first = np.unique(numbers, return_index=True)
    chosen = np.sort(numbers[np.sort(first)[:count]])
    return SparseVector(chosen.astype(np.uint32), random.random(len(chosen)).astype(np.float32) + np.float32(0.01))


def dense(random: np.random.Generator, dim: int, near: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Return a dense vector, near another one where one is given."""
    noise = random.standard_normal(dim).astype(np.float32)
    return noise if near is None else near + 2 * noise


def synthetic(passages: int, questions: int) -> Synthetic:
    """Return the collection with all its vectors, from the seed."""
    random = np.random.default_rng(SEED)
    names = {str(uuid.uuid5(NAMESPACE, str(number))): f"p{number}" for number in range(passages)}
    points = [
        Point(
            passage_id,
            {
                spec.name: dense(random, spec.dim)
                if spec.kind == "dense"
                else drawn(random, SPARSE[spec.name], SPARSE[spec.name].of_passage)
                for spec in CHANNELS
            },
            {},
        )
        for passage_id in names
    ]
    targets = random.integers(passages, size=questions)
    asked: dict[str, dict[str, Vector]] = {spec.name: {} for spec in CHANNELS}
    for number, target in enumerate(targets):
        for spec in CHANNELS:
            answer = points[target].vectors[spec.name]
            asked[spec.name][f"question {number}"] = (
                drawn(random, SPARSE[spec.name], SPARSE[spec.name].of_question, answer.indices.astype(np.int64))
                if isinstance(answer, SparseVector)
                else dense(random, spec.dim, answer)
            )
    said = [[word(number) for number in random.integers(20_000, size=60).tolist()] for _ in range(passages)]
    written = [[word if random.random() < 0.8 else "other" for word in words] for words in said]
    collection = EvaluationCollection(
        "synthetic",
        tuple(
            SpokenPassage(name, Path(name), " ".join(words)) for name, words in zip(names.values(), said, strict=True)
        ),
        tuple(CollectionQuery(f"q{number}", f"question {number}") for number in range(questions)),
        {f"q{number}": {f"p{target}": 1} for number, target in enumerate(targets)},
    )
    transcripts = {name: " ".join(words) for name, words in zip(names.values(), written, strict=True)}
    heard = IndexingFacts(phonemes={name: sounds(text) for name, text in transcripts.items()})
    facts = {**dict.fromkeys(ENGINES, heard), ASR.name: IndexingFacts(transcripts=transcripts)}
    return Synthetic(collection, points, names, asked, facts)


def word(number: int) -> str:
    """Return a word for a number below 20^5, made of letters only: figures would have to be spoken first.

    >>> word(45)
    'rqddd'
    """
    return "".join("bcdfghjklmnpqrstvwxz"[number // 20**place % 20] for place in range(5))


def sounds(text: str) -> list[int]:
    """Return five made-up sounds a word."""
    return [1 + (hash_of * place) % SYMBOLS for hash_of in map(len_and_sum, text.split()) for place in range(2, 7)]


def len_and_sum(word: str) -> int:
    """Return a number that says little more than which word it is.

    >>> len_and_sum("ab")
    197
    """
    return len(word) + sum(word.encode())


def engines(index: ExactIndex, made: Synthetic) -> dict[str, Engine]:
    """Return the program's engines over the index, with vectors for their questions and the shipped weights."""
    heard, written = Encoded(SOUND, made.asked), Encoded(WRITTEN, made.asked)
    learnt = Calibrations(tuple(replace(row, models={}) for row in read_calibrations().rows))  # for whatever models
    sample = draw_sample(list(made.names))
    found = build_engines(BUILT_IN, index, heard, [Baseline(written, written)], learnt, lambda: sample, lambda ids: {})
    return {name: found[name] for name in ENGINES}


def no_sound(path: Path) -> Audio:
    """Refuse: no question is spoken."""
    raise ValueError(f"{path}: a question without a text")


def measured(passages: int, questions: int) -> tuple[dict[str, Taken], list[EngineReport]]:
    """Return what each stage of one evaluation took, and its figures."""
    watch = Stopwatch()
    made = synthetic(passages, questions)
    watch.lap(MAKING)
    index = ExactIndex(CHANNELS)
    index.upsert(made.points)
    for spec in CHANNELS:
        index.search(spec.name, made.points[0].vectors[spec.name], 1)
    watch.lap("indexing")
    found = engines(index, made)
    likelihoods = {name: engine.likelihood for name, engine in found.items()}
    reports = evaluate(
        made.collection, retrievers(found), load_sound=no_sound, likelihoods=likelihoods, facts=made.facts,
        passage_names=made.names, pronounce=sounds, on_progress=watch.watch,
    )  # fmt: skip
    watch.lap(FIGURES)
    return watch.taken, reports


def encoding_ms(questions: int) -> float:
    """Return the processor's milliseconds that the text encoder takes for a question of eight words, one at a time."""
    settings = Settings()
    encoder = new_loader(settings).text_encoder(settings.engines.text_encoder)
    texts = [f"who built the old bridge over river {number}" for number in range(questions)]
    encoder.encode_queries(texts[:1])
    started_s = time.process_time()
    for text in texts:
        encoder.encode_queries([text])
    return 1000 * (time.process_time() - started_s) / questions


def main() -> None:
    """Evaluate, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=15_000)
    parser.add_argument("--questions", type=int, default=5_000)
    parser.add_argument("--encoding", type=int, default=100, help="questions to time the text encoder with")
    arguments = parser.parse_args()
    stages, reports = measured(arguments.passages, arguments.questions)
    print(
        f"n = {arguments.questions} questions, {arguments.passages} passages, {len(reports)} engines, one thread asks"
    )
    print(f"{describe_machine()}\npython -m benchmarks.evaluate_speed {shlex.join(sys.argv[1:])}")
    print("| stage | s by the clock | s of the processor |\n|---|---|---|")
    for stage, taken in stages.items():
        print(f"| {stage} | {taken.clock_s:.1f} | {taken.processor_s:.1f} |")
    counted = [taken for stage, taken in stages.items() if stage != MAKING]
    clock_s, processor_s = sum(one.clock_s for one in counted), sum(one.processor_s for one in counted)
    print(f"| **evaluation in all** | **{clock_s:.1f}** | **{processor_s:.1f}** |")
    for report in reports:
        figure = report.figures["recall@10"]
        print(f"{report.engine}: recall@10 {figure.mean:.3f} ({figure.low:.3f} to {figure.high:.3f})")
    if arguments.encoding:
        print(
            f"Apart from that, the text encoder: {encoding_ms(arguments.encoding):.1f} ms of the processor a question"
        )


if __name__ == "__main__":
    main()
