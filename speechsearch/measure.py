"""Evaluate engines on a folder of spoken passages: encode, index in memory, ask every question, report.

One passage a file. The ``text`` engines read the gold transcript instead of the sound: the ceilings.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from speechsearch import audio
from speechsearch.asr.base import Recognizer
from speechsearch.catalog import ENGINES
from speechsearch.datatypes import NAMESPACE, Audio, Vector, Vectors
from speechsearch.encoders.mini import MiniPassageEncoder
from speechsearch.encoders.transcript import TranscriptEncoder, TranscriptQueryEncoder
from speechsearch.engines import SPECS, Fusion, build_engines, build_recognizer, learnt_fusion
from speechsearch.errors import InputError, NotFoundError
from speechsearch.evaluation import EvaluationReport, IndexingFacts, describe_machine, evaluate, read_collection
from speechsearch.evaluation.collections import EvaluationCollection
from speechsearch.index import ExactIndex
from speechsearch.index.base import Point, VectorSpec
from speechsearch.library import is_nothing
from speechsearch.mini.model import MiniModel
from speechsearch.mini.text import TextEncoder
from speechsearch.retrieval.base import Retriever
from speechsearch.retrieval.fused import FusedRetriever, draw_sample
from speechsearch.retrieval.vector import VectorRetriever
from speechsearch.settings import LimitSettings, SegmentationSettings

CEILINGS = ("text", "text-bm25", "text-hybrid")
CEILING_SPECS = (VectorSpec("text_dense", "dense", TextEncoder.dim), VectorSpec("text_words", "sparse", has_idf=True))
BATCH = 16


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A collection that is encoded and indexed in memory, with what that took."""

    collection: EvaluationCollection
    model: MiniModel
    recognizer: Recognizer
    index: ExactIndex
    names: Mapping[str, str]
    """The collection's id of each passage id of the index."""
    facts: Mapping[str, IndexingFacts]
    audio_s: float

    def engines(self, fusion: Fusion) -> dict[str, Retriever]:
        """Return the product's engines and the ceilings over the index."""
        sample = draw_sample(list(self.names))
        engines = build_engines(self.model, self.recognizer, self.index, lambda: sample, fusion)
        text = self.model.text_encoder
        dense = VectorRetriever("text", "text_dense", TranscriptQueryEncoder(text, is_sparse=False), self.index)
        words = VectorRetriever("text-bm25", "text_words", TranscriptQueryEncoder(text, is_sparse=True), self.index)
        weights = {"text": fusion["asr"]["meaning"], "text-bm25": fusion["asr"]["words"]}
        both = FusedRetriever("text-hybrid", (dense, words), weights, lambda: sample)
        return {**engines, "text": dense, "text-bm25": words, "text-hybrid": both}


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
        collection = first_passages(collection, limit)
    prepared = prepare(collection, engines, recognizer_name)
    limits = LimitSettings()
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


def prepare(collection: EvaluationCollection, engines: Sequence[str], recognizer_name: str) -> Prepared:
    """Encode a collection for the engines and index it in memory; each engine's own work is timed."""
    model = MiniModel()
    recognizer = build_recognizer(recognizer_name, model)
    transcript_encoder = TranscriptEncoder(model.text_encoder)
    ids = [passage.passage_id for passage in collection.passages]
    sounds = [
        audio.load(passage.audio, LimitSettings(), SegmentationSettings().longest_whole_s)
        for passage in collection.passages
    ]
    audio_s = sum(sound.duration_s for sound in sounds)
    vectors: list[dict[str, Vector]] = [{} for _ in sounds]
    facts: dict[str, IndexingFacts] = {}

    def timed(names: Sequence[str], work: Callable[[Sequence[Audio]], list[Vectors]], **heard: Any) -> None:
        started = time.perf_counter()
        for start in range(0, len(sounds), BATCH):
            for place, found in enumerate(work(sounds[start : start + BATCH]), start):
                vectors[place].update(found)
        factor = audio_s / (time.perf_counter() - started)
        for name in names:
            facts[name] = IndexingFacts(factor, size_bytes(vectors, name), **heard)

    if set(engines) & {"adapter", "phonetic", "hybrid"}:
        phonemes: dict[str, list[int]] = {}
        encoder, next_id = MiniPassageEncoder(model), iter(ids)

        def listen(batch: Sequence[Audio]) -> list[Vectors]:
            found = encoder.encode(batch)
            for one in model.hear(batch):  # kept from the line above
                phonemes[next(next_id)] = one.symbols.tolist()
            return found

        timed(("adapter", "phonetic", "hybrid"), listen, phonemes=phonemes)
    if "asr" in engines:
        transcripts: list[str] = []

        def write_down(batch: Sequence[Audio]) -> list[Vectors]:
            texts = [transcript.text for transcript in recognizer.transcribe(batch)]
            transcripts.extend(texts)
            return transcript_encoder.encode(texts)

        timed(("asr",), write_down)
        facts["asr"] = replace(facts["asr"], transcripts=dict(zip(ids, transcripts, strict=True)))
    if set(engines) & set(CEILINGS):
        for place, found in enumerate(transcript_encoder.encode([p.text for p in collection.passages])):
            vectors[place].update({name.replace("asr_", "text_"): vector for name, vector in found.items()})
    index = ExactIndex((*SPECS, *CEILING_SPECS))
    names = {str(uuid.uuid5(NAMESPACE, passage_id)): passage_id for passage_id in ids}
    index.upsert(
        [
            Point(passage_id, {name: one for name, one in found.items() if not is_nothing(one)}, {})
            for passage_id, found in zip(names, vectors, strict=True)
        ]
    )
    return Prepared(collection, model, recognizer, index, names, facts, audio_s)


def first_passages(collection: EvaluationCollection, limit: int) -> EvaluationCollection:
    """Return the first passages of a collection with the questions that these answer."""
    passages = collection.passages[:limit]
    kept = {passage.passage_id for passage in passages}
    relevance = {
        query: {passage: grade for passage, grade in grades.items() if passage in kept}
        for query, grades in collection.relevance.items()
    }
    relevance = {query: grades for query, grades in relevance.items() if grades}
    queries = tuple(query for query in collection.queries if query.query_id in relevance)
    if not queries:
        raise InputError(f"No question is answered by the first {limit} passages.", "Raise --limit.")
    return replace(collection, passages=passages, queries=queries, relevance=relevance)


def size_bytes(vectors: Sequence[Mapping[str, Any]], engine: str) -> int:
    """Return how many bytes an engine's vectors take."""
    names = {"hybrid": ("adapter", "phonetic"), "asr": ("asr_dense", "asr_words")}.get(engine, (engine,))
    total = 0
    for found in vectors:
        for name in names:
            one = found[name]
            total += one.nbytes if isinstance(one, np.ndarray) else one.indices.nbytes + one.values.nbytes
    return total
