"""Evaluate engines on a folder of spoken passages: encode, index in memory, ask every question, report.

One passage a file. The ``text`` engines read the gold transcript instead of the sound: the ceilings.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from speechsearch import audio
from speechsearch.datatypes import Audio, Vectors
from speechsearch.encoders.mini import MiniPassageEncoder
from speechsearch.encoders.transcript import TranscriptEncoder, TranscriptQueryEncoder
from speechsearch.engines import SPECS, build_engines, build_recognizer, learnt_fusion
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


def measure(
    folder: Path, engines: Sequence[str], recognizer_name: str = "mini", limit: int | None = None, command: str = ""
) -> EvaluationReport:
    """Return the figures of the engines on a folder; ``limit`` takes only so many passages, for a quick look.

    Raises:
        InputError: the folder is not an evaluation collection.
        NotFoundError: there is no such engine.
    """
    collection = read_collection(folder)
    if limit:
        collection = first_passages(collection, limit)
    model = MiniModel()
    recognizer = build_recognizer(recognizer_name, model)
    longest_s, limits = SegmentationSettings().longest_whole_s, LimitSettings()
    sounds = [audio.load(passage.audio, limits, longest_s) for passage in collection.passages]
    audio_s = sum(sound.duration_s for sound in sounds)
    transcript_encoder = TranscriptEncoder(model.text_encoder)
    index = ExactIndex((*SPECS, *CEILING_SPECS))
    vectors: list[dict[str, Any]] = [{} for _ in sounds]
    facts: dict[str, IndexingFacts] = {}

    def timed(
        names: Sequence[str], work: Callable[[Sequence[Audio]], list[Vectors]], **heard: Any
    ) -> None:
        started = time.perf_counter()
        for start in range(0, len(sounds), BATCH):
            for place, found in enumerate(work(sounds[start : start + BATCH]), start):
                vectors[place].update(found)
        factor = audio_s / (time.perf_counter() - started)
        for name in names:
            facts[name] = IndexingFacts(factor, size_bytes(vectors, name), **heard)

    phonemes: dict[str, Any] = {}
    transcripts: dict[str, str] = {}
    if set(engines) & {"adapter", "phonetic", "hybrid"}:
        timed(("adapter", "phonetic", "hybrid"), MiniPassageEncoder(model).encode, phonemes=phonemes)
        for start in range(0, len(sounds), BATCH):
            for place, heard in enumerate(model.hear(sounds[start : start + BATCH]), start):
                phonemes[collection.passages[place].passage_id] = heard.symbols.tolist()
    if "asr" in engines:
        names = iter([passage.passage_id for passage in collection.passages])

        def write_down(batch: Sequence[Audio]) -> list[Vectors]:
            texts = [transcript.text for transcript in recognizer.transcribe(batch)]
            transcripts.update(zip(names, texts, strict=False))
            return transcript_encoder.encode(texts)

        timed(("asr",), write_down, transcripts=transcripts)
    if set(engines) & set(CEILINGS):
        for place, found in enumerate(transcript_encoder.encode([p.text for p in collection.passages])):
            renamed = {name.replace("asr_", "text_"): vector for name, vector in found.items()}
            vectors[place].update(renamed)
    index.upsert(
        [
            Point(passage.passage_id, {name: one for name, one in found.items() if not is_nothing(one)}, {})
            for passage, found in zip(collection.passages, vectors, strict=True)
        ]
    )
    retrievers = available(model, recognizer, index, collection)
    unknown = [name for name in engines if name not in retrievers]
    if unknown:
        raise NotFoundError(f"There is no engine '{unknown[0]}'.", f"Choose among: {', '.join(retrievers)}.")
    pronounce = model.lexicon.pronounce_text
    reports = evaluate(
        collection,
        {name: retrievers[name] for name in engines},
        load_sound=lambda path: audio.load(path, limits, limits.query_audio_s),
        facts=facts,
        pronounce=lambda text: [symbol for word in pronounce(text) for symbol in word],
    )
    return EvaluationReport(
        collection=collection.name,
        passages=len(collection.passages),
        queries=len(collection.queries),
        audio_s=audio_s,
        engines=reports,
        machine=describe_machine(),
        command=command,
        date=time.strftime("%Y-%m-%d"),
        seed=1,
        baseline="asr",
    )


def available(
    model: MiniModel, recognizer: Any, index: ExactIndex, collection: EvaluationCollection
) -> dict[str, Retriever]:
    """Return the product's engines and the ceilings over one index."""
    sample = draw_sample([passage.passage_id for passage in collection.passages])
    fusion = learnt_fusion()
    retrievers = dict(build_engines(model, recognizer, index, lambda: sample, fusion))
    text = model.text_encoder
    dense = VectorRetriever("text", "text_dense", TranscriptQueryEncoder(text, is_sparse=False), index)
    words = VectorRetriever("text-bm25", "text_words", TranscriptQueryEncoder(text, is_sparse=True), index)
    weights = {"text": fusion["asr"]["meaning"], "text-bm25": fusion["asr"]["words"]}
    return {
        **retrievers,
        "text": dense,
        "text-bm25": words,
        "text-hybrid": FusedRetriever("text-hybrid", (dense, words), weights, lambda: sample),
    }


def first_passages(collection: EvaluationCollection, limit: int) -> EvaluationCollection:
    """Return the first passages of a collection with the questions that these answer."""
    from dataclasses import replace

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
