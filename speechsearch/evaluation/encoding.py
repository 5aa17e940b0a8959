"""Encode a collection of spoken passages for the engines and index it in memory, timed or heard once for all.

A file of up to 120 s (``Segmentation.longest_whole_s``) is one passage, whole; a longer one is cut as when it is taken
into the library, and counts by its best passage.

The ``text`` engines read the gold transcript instead of the sound: the ceilings.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any, TypeVar

import numpy as np

from speechsearch import audio
from speechsearch.domain.errors import SilentError, TooLongError
from speechsearch.domain.limits import Limits, Segmentation
from speechsearch.domain.values import NAMESPACE, Audio, Channel, Vector, Vectors, passage_id
from speechsearch.evaluation import IndexingFacts
from speechsearch.evaluation.dataset import EvaluationCollection, SpokenPassage
from speechsearch.index import ExactIndex
from speechsearch.index.vector_index import Point
from speechsearch.library.library import is_nothing
from speechsearch.models.base import Recognizer
from speechsearch.models.mini.encoder import MiniPassageEncoder
from speechsearch.models.mini.network import MiniModel
from speechsearch.models.minilm import TextEncoder
from speechsearch.models.transcripts import TranscriptEncoder, TranscriptQueryEncoder
from speechsearch.retrieval.engines import SPECS, Fusion, build_engines, build_recognizer
from speechsearch.retrieval.fused import FusedRetriever, draw_sample
from speechsearch.retrieval.retriever import Retriever
from speechsearch.retrieval.vector import VectorRetriever

CEILINGS = ("text", "text-bm25", "text-hybrid")
CEILING_SPECS = (Channel("text_dense", "dense", TextEncoder.dim), Channel("text_words", "sparse", has_idf=True))
SEARCHING_SOUND = (*MiniPassageEncoder.vector_names, "hybrid")
"""The engines whose vectors come from hearing; a channel of the hybrid that is no engine of its own does no harm."""
BATCH = 16

Finding = TypeVar("Finding")


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A collection that is encoded and indexed in memory, with what that took."""

    collection: EvaluationCollection
    model: MiniModel
    recognizer: Recognizer
    index: ExactIndex
    names: Mapping[str, str]
    """The collection's id of the file that each passage id of the index belongs to."""
    facts: Mapping[str, IndexingFacts]
    audio_s: float
    """Length of all passages; the silence between those of a file that was cut is not in it."""

    def engines(self, fusion: Fusion) -> dict[str, Retriever]:
        """Return the product's engines and the ceilings over the index."""
        sample = draw_sample(list(self.names))
        engines = build_engines(self.model, self.recognizer, self.index, lambda: sample, fusion)
        text = self.model.text_encoder
        dense = VectorRetriever("text", "text_dense", TranscriptQueryEncoder(text, is_sparse=False), self.index)
        words = VectorRetriever("text-bm25", "text_words", TranscriptQueryEncoder(text, is_sparse=True), self.index)
        weights = {"text": fusion["asr"]["meaning"], "text-bm25": fusion["asr"]["words"]}
        typical = {"text": fusion["typical"]["meaning"], "text-bm25": fusion["typical"]["words"]}
        both = FusedRetriever("text-hybrid", (dense, words), weights, lambda: sample, typical)
        return {**engines, "text": dense, "text-bm25": words, "text-hybrid": both}


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What is indexed as one: its id in the index, the collection's id of its file, its sound."""

    passage_id: str
    file_id: str
    sound: Audio


def parts_of(file: SpokenPassage) -> list[Part]:
    """Return a file whole, or if it is too long for that its passages in order of time; none if no speech is in it.

    Raises:
        DecodeError: it is not readable sound, is cut off, or holds samples that are not numbers.
        TooLongError: it is longer than a recording may be.
        TooLargeError: it has too many bytes, channels or samples a second.
    """
    limits, segmentation = Limits(), Segmentation()
    try:
        whole = audio.load(file.audio, limits, segmentation.longest_whole_s)
    except TooLongError:
        try:
            cut = [*audio.passages(file.audio, segmentation, limits)]
        except SilentError:
            return []  # heard as nothing: no engine finds it
        return [Part(passage_id(file.passage_id, span), file.passage_id, sound) for span, sound in cut]
    return [Part(whole_id(file), file.passage_id, whole)]


def whole_id(file: SpokenPassage) -> str:
    """Return the id in the index of a file that is one passage."""
    return str(uuid.uuid5(NAMESPACE, file.passage_id))


class Listener:
    """Turns passages into the vectors of the engines, batch by batch, and keeps what was heard and written down."""

    def __init__(self, model: MiniModel, recognizer: Recognizer) -> None:
        self.model, self.recognizer = model, recognizer
        self.encoder, self.transcript_encoder = MiniPassageEncoder(model), TranscriptEncoder(model.text_encoder)
        self.phonemes: list[list[int]] = []
        self.transcripts: list[str] = []

    def hear(self, batch: Sequence[Audio]) -> list[Vectors]:
        """Return the vectors of the engines that search sound."""
        found = self.encoder.encode(batch)
        self.phonemes += [one.symbols.tolist() for one in self.model.hear(batch)]  # kept from the line above
        return found

    def write_down(self, batch: Sequence[Audio]) -> list[Vectors]:
        """Return the vectors of the baseline."""
        texts = [transcript.text for transcript in self.recognizer.transcribe(batch)]
        self.transcripts += texts
        return self.transcript_encoder.encode(texts)


def prepare(collection: EvaluationCollection, engines: Sequence[str], recognizer_name: str) -> Prepared:
    """Encode a collection for the engines and index it in memory; each engine's own work is timed."""
    model = MiniModel()
    listener = Listener(model, build_recognizer(recognizer_name, model))
    parts = [part for file in collection.passages for part in parts_of(file)]
    sounds = [part.sound for part in parts]
    names = {part.passage_id: part.file_id for part in parts}
    audio_s = sum(sound.duration_s for sound in sounds)
    vectors: list[dict[str, Vector]] = [{} for _ in sounds]
    facts: dict[str, IndexingFacts] = {}
    model.embed(model.hear(sounds[:1]))  # the libraries load and compile on first use

    def timed(names: Sequence[str], work: Callable[[Sequence[Audio]], list[Vectors]]) -> None:
        started = time.perf_counter()
        for start in range(0, len(sounds), BATCH):
            batch = [Audio(sound.samples) for sound in sounds[start : start + BATCH]]  # heard anew
            for place, found in enumerate(work(batch), start):
                vectors[place].update(found)
        factor = audio_s / (time.perf_counter() - started)
        facts.update({name: IndexingFacts(factor, size_bytes(vectors, name)) for name in names})

    if set(engines) & set(SEARCHING_SOUND):
        timed(SEARCHING_SOUND, listener.hear)
    if "asr" in engines:
        timed(("asr",), listener.write_down)
    facts = with_findings(facts, listener, names)
    if set(engines) & set(CEILINGS):
        add_gold(vectors, collection, names, listener.transcript_encoder)
    return indexed(collection, model, listener.recognizer, names, vectors, facts, audio_s)


def prepare_shared(
    collection: EvaluationCollection,
    engines: Sequence[str],
    sounds: Iterable[Audio],
    model: MiniModel,
    recognizer: Recognizer,
) -> Prepared:
    """Encode a collection for the engines and index it in memory, every passage heard once for all of them, untimed.

    ``sounds``: one a passage, in order, in place of the collection's own; read a batch at a time.
    """
    listener = Listener(model, recognizer)
    vectors: list[dict[str, Vector]] = []
    audio_s = 0.0
    remaining = iter(sounds)
    while batch := list(islice(remaining, BATCH)):
        audio_s += sum(sound.duration_s for sound in batch)
        heard = listener.hear(batch)
        written = listener.write_down(batch) if "asr" in engines else [{} for _ in batch]
        vectors += [{**ours, **theirs} for ours, theirs in zip(heard, written, strict=True)]
    facts = dict.fromkeys((*SEARCHING_SOUND, *(["asr"] if "asr" in engines else [])), IndexingFacts())
    names = {whole_id(file): file.passage_id for file in collection.passages}
    facts = with_findings(facts, listener, names)
    if set(engines) & set(CEILINGS):
        add_gold(vectors, collection, names, listener.transcript_encoder)
    return indexed(collection, model, recognizer, names, vectors, facts, audio_s)


def prepare_written(
    collection: EvaluationCollection, transcripts: Sequence[str], model: MiniModel, recognizer: Recognizer
) -> Prepared:
    """Index transcripts that were made before, one a passage and in order, for the engine ``asr`` alone."""
    listener = Listener(model, recognizer)
    listener.transcripts += transcripts
    vectors = [dict(found) for found in listener.transcript_encoder.encode(transcripts)]
    names = {whole_id(file): file.passage_id for file in collection.passages}
    facts = with_findings({"asr": IndexingFacts()}, listener, names)
    return indexed(collection, model, recognizer, names, vectors, facts, 0.0)


def with_findings(
    facts: Mapping[str, IndexingFacts], listener: Listener, names: Mapping[str, str]
) -> dict[str, IndexingFacts]:
    """Return the facts with what was heard and written down of every file, its passages joined in order of time."""
    found = {}
    for name, fact in facts.items():
        if name == "asr":
            texts = by_file(listener.transcripts, names)
            found[name] = replace(fact, transcripts={file: " ".join(said) for file, said in texts.items()})
        else:
            tracks = by_file(listener.phonemes, names)
            found[name] = replace(fact, phonemes={file: [*chain(*heard)] for file, heard in tracks.items()})
    return found


def by_file(findings: Sequence[Finding], names: Mapping[str, str]) -> dict[str, list[Finding]]:
    """Return what was found in each file's passages, in their order.

    >>> by_file(["one", "two", "three"], {"p1": "long", "p2": "long", "p3": "short"})
    {'long': ['one', 'two'], 'short': ['three']}
    """
    found: dict[str, list[Finding]] = {}
    for one, file in zip(findings, names.values(), strict=True):
        found.setdefault(file, []).append(one)
    return found


def add_gold(
    vectors: Sequence[dict[str, Vector]],
    collection: EvaluationCollection,
    names: Mapping[str, str],
    encoder: TranscriptEncoder,
) -> None:
    """Add the vectors of what was really said to each file's first passage, as which passage said what is not known."""
    first = {file: place for place, file in reversed([*enumerate(names.values())])}
    files = [file for file in collection.passages if file.passage_id in first]
    for file, found in zip(files, encoder.encode([file.text for file in files]), strict=True):
        gold = {name.replace("asr_", "text_"): vector for name, vector in found.items()}
        vectors[first[file.passage_id]].update(gold)


def indexed(
    collection: EvaluationCollection,
    model: MiniModel,
    recognizer: Recognizer,
    names: Mapping[str, str],
    vectors: Sequence[Mapping[str, Vector]],
    facts: Mapping[str, IndexingFacts],
    audio_s: float,
) -> Prepared:
    """Return the collection with its vectors, one set for each of ``names`` and in order, in an index in memory."""
    index = ExactIndex((*SPECS, *CEILING_SPECS))
    index.upsert(
        [
            Point(passage_id, {name: one for name, one in found.items() if not is_nothing(one)}, {})
            for passage_id, found in zip(names, vectors, strict=True)
        ]
    )
    return Prepared(collection, model, recognizer, index, names, facts, audio_s)


def size_bytes(vectors: Sequence[Mapping[str, Any]], engine: str) -> int:
    """Return how many bytes an engine's vectors take."""
    fused = {"hybrid": MiniPassageEncoder.vector_names, "asr": TranscriptEncoder.vector_names}
    total = 0
    for found in vectors:
        for name in fused.get(engine, (engine,)):
            one = found[name]
            total += one.nbytes if isinstance(one, np.ndarray) else one.indices.nbytes + one.values.nbytes
    return total
