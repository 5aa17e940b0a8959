"""The one way from a collection of spoken passages to engines: heard, written down, indexed in memory, timed.

A file up to ``Segmentation.longest_whole_s`` is one passage, however it pauses, so that figures can be compared with
those of others; a longer one is cut as ingest cuts it, and counts by its best passage. The ``text`` engines read what
was really said in place of a transcript: the ceilings.
"""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from speechsearch import audio
from speechsearch.domain.errors import CapabilityError, SilentError
from speechsearch.domain.limits import Limits, Segmentation
from speechsearch.domain.values import NAMESPACE, Audio, PhonemeTrack, Transcript, Vector, Vectors
from speechsearch.evaluation.dataset import EvaluationCollection
from speechsearch.evaluation.runner import IndexingFacts
from speechsearch.index import ExactIndex
from speechsearch.index.vector_index import Point, VectorIndex
from speechsearch.library.batches import batches
from speechsearch.library.library import is_nothing
from speechsearch.library.makers import Makers
from speechsearch.models.base import TextEncoder
from speechsearch.models.baseline import Baseline
from speechsearch.models.transcripts import TranscriptEncoder
from speechsearch.retrieval.calibration import Calibrations
from speechsearch.retrieval.engine_cards import ASR, EngineCard, engine_cards
from speechsearch.retrieval.engines import Engine, build_engines
from speechsearch.retrieval.fused import draw_sample
from speechsearch.text.keywords import heard_symbols

BATCH_S = 240.0
SOUND, GOLD = "", "gold"
"""What the speech encoder made, and the recogniser that is never wrong."""
MEANING, WORDS = ASR.channels
GREYS = ("#475569", "#94a3b8")
CEILINGS = (
    EngineCard("text", "Text, meaning", "What was said, by meaning.", "transcript", (MEANING,),
               "speechsearch.retrieval.engines:single", GREYS),
    EngineCard("text-bm25", "Text, words", "What was said, by its words.", "transcript", (WORDS,),
               "speechsearch.retrieval.engines:single", GREYS),
    EngineCard("text-hybrid", "Text, both", "What was said, by meaning and words.", "transcript",
               (MEANING, WORDS), "speechsearch.retrieval.engines:fused", GREYS),
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A passage of a file: the file's id in the collection, from which second on, and the sound."""

    file_id: str
    start_s: float
    sound: Audio

    @property
    def passage_id(self) -> str:
        """Its id in the index."""
        place = f":{round(self.start_s * 1000)}" if self.start_s else ""
        return str(uuid.uuid5(NAMESPACE, self.file_id + place))


class GivenTranscripts:
    """Stands for a recogniser whose transcripts are there already, in the order in which passages come."""

    def __init__(self, name: str, texts: Iterable[str]) -> None:
        self.name, self.fingerprint = name, f"{name}-given"
        self._texts = iter(texts)

    def transcribe(
        self, sounds: Sequence[Audio], language: str | None = None, hotwords: Sequence[str] = ()
    ) -> list[Transcript]:
        """Return the next transcripts.

        Raises:
            CapabilityError: there are no more; a spoken question cannot be written down.
        """
        found = [Transcript(text, self.name) for text, _ in zip(self._texts, sounds, strict=False)]
        if len(found) < len(sounds):
            raise CapabilityError(f"The transcripts of {self.name} were made before; it writes nothing down.")
        return found


@dataclass(slots=True)
class Made:
    """What one maker made of the passages, by file, and how long it took."""

    seconds: float = 0.0
    channel_bytes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    texts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    phonemes: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    tracks: dict[str, PhonemeTrack] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class EncodedCollection:
    """A collection that is indexed in memory; ``names`` is the file's id of each passage of the index."""

    collection: EvaluationCollection
    makers: Makers
    gold: Baseline
    index: ExactIndex
    names: Mapping[str, str]
    made: Mapping[str, Made]
    audio_s: float

    def engines(self, calibrations: Calibrations) -> dict[str, Engine]:
        """Return the product's engines and the ceilings over the index, those that can be made."""
        sample = draw_sample(list(self.names))
        return engines_over(self.index, self.makers, self.gold, calibrations, sample, self.made[SOUND].tracks)

    def facts(self, engines: Mapping[str, Engine]) -> dict[str, IndexingFacts]:
        """Return what indexing took for each engine, and what was heard or written for it."""
        found = {}
        for name, engine in engines.items():
            made = self.made[engine.recognizer]
            found[name] = IndexingFacts(
                self.audio_s / made.seconds if made.seconds else None,
                sum(made.channel_bytes[channel] for channel in engine.channels),
                transcripts={one: " ".join(texts) for one, texts in made.texts.items()},
                phonemes=made.phonemes,
            )
        return found


def engines_over(
    index: VectorIndex,
    makers: Makers,
    gold: Baseline,
    calibrations: Calibrations,
    sample: Sequence[str],
    tracks: Mapping[str, PhonemeTrack],
) -> dict[str, Engine]:
    """Return the product's engines and the ceilings over an index, those that these models make possible."""

    def made_of(cards: Sequence[EngineCard], baselines: Sequence[Baseline]) -> dict[str, Engine]:
        read = partial(kept, tracks)
        return build_engines(cards, index, makers.speech_encoder, baselines, calibrations, lambda: sample, read)

    return {**made_of(engine_cards(), makers.baselines), **made_of(CEILINGS, (gold,))}


def kept(tracks: Mapping[str, PhonemeTrack], passage_ids: Sequence[str]) -> dict[str, PhonemeTrack]:
    """Return passage id -> track, for those that have one.

    >>> kept({}, ["a"])
    {}
    """
    return {one: tracks[one] for one in passage_ids if one in tracks}


def gold_of(text_encoder: TextEncoder) -> Baseline:
    """Return the baseline that knows what was said; its transcripts are given to it batch by batch."""
    return Baseline(GivenTranscripts(GOLD, ()), TranscriptEncoder(text_encoder, GOLD))


def pieces_of(collection: EvaluationCollection) -> Iterator[Piece]:
    """Yield the passages of a collection's files, in their order, read one file at a time.

    Raises:
        DecodeError, TooLongError, TooLargeError: a file cannot be used.
    """
    for passage in collection.passages:
        yield from pieces_of_file(passage.passage_id, passage.audio)


def pieces_of_file(file_id: str, path: Path) -> Iterator[Piece]:
    """Yield the one passage of a file, or those of a long one; none of one without speech. Raises as ``pieces_of``."""
    segmentation, limits = Segmentation(), Limits()
    if audio.probe(path, limits).duration_s <= segmentation.longest_whole_s:
        yield Piece(file_id, 0.0, audio.load(path, limits, segmentation.longest_whole_s))
        return
    try:
        for span, sound in audio.passages(path, segmentation, limits):
            yield Piece(file_id, span.start_s, sound)
    except SilentError:
        return  # heard as nothing: no engine finds it


def encode_collection(
    collection: EvaluationCollection,
    makers: Makers,
    text_encoder: TextEncoder,
    pieces: Iterable[Piece] | None = None,
    *,
    has_sound: bool = True,
    has_gold: bool = True,
) -> EncodedCollection:
    """Encode a collection with all makers and index it in memory; every passage is read once.

    Args:
        collection: the files, questions and answers.
        makers: the speech encoder, and the recognisers.
        text_encoder: for what was really said.
        pieces: in place of the collection's own passages, in the same order.
        has_sound: whether the speech encoder is to hear the passages.
        has_gold: whether what was really said is encoded, for the ceilings.
    """
    unsaid = {passage.passage_id: passage.text for passage in collection.passages}
    gold = gold_of(text_encoder)
    index = ExactIndex((*makers.channels, *gold.encoder.channels))
    names: dict[str, str] = {}
    made = {name: Made() for name in (SOUND, GOLD, *(one.name for one in makers.baselines))}
    audio_s = 0.0
    for batch in batches(pieces or pieces_of(collection), BATCH_S, lambda piece: piece.sound.duration_s):
        if not names:
            warm_up(makers, batch[0].sound, has_sound)
        vectors: list[dict[str, Vector]] = [{} for _ in batch]
        if has_sound:
            hear(makers, batch, vectors, made[SOUND])
        for baseline in makers.baselines:
            write_down(baseline, batch, vectors, made[baseline.name])
        if has_gold:
            # Of a file that was cut, the first passage stands for all that is said in it.
            said = [unsaid.pop(piece.file_id, "") for piece in batch]
            write_down(Baseline(GivenTranscripts(GOLD, said), gold.encoder), batch, vectors, made[GOLD])
        audio_s += sum(piece.sound.duration_s for piece in batch)
        names.update({piece.passage_id: piece.file_id for piece in batch})
        index.upsert([Point(one.passage_id, real(found), {}) for one, found in zip(batch, vectors, strict=True)])
    return EncodedCollection(collection, makers, gold, index, names, made, audio_s)


def warm_up(makers: Makers, sound: Audio, has_sound: bool) -> None:
    """Have the models load and compile, which no figure is to hold."""
    if has_sound:
        makers.speech_encoder.encode_passages([sound])
    for baseline in makers.baselines:
        if not isinstance(baseline.recognizer, GivenTranscripts):
            baseline.recognizer.transcribe([sound])


def hear(makers: Makers, batch: Sequence[Piece], vectors: Sequence[dict[str, Vector]], made: Made) -> None:
    """Add what the speech encoder makes of some passages."""
    started = time.perf_counter()
    heard = makers.speech_encoder.encode_passages([piece.sound for piece in batch])
    made.seconds += time.perf_counter() - started
    for piece, one, found in zip(batch, heard, vectors, strict=True):
        keep(one.vectors, found, made)
        if one.track is not None:
            made.tracks[piece.passage_id] = one.track
            arrays = (one.track.symbols, one.track.losses, one.track.starts_s)
            for channel in (channel for channel in makers.speech_encoder.channels if channel.is_phonetic):
                made.channel_bytes[channel.name] += sum(array.nbytes for array in arrays)  # its second stage
            made.phonemes[piece.file_id] += heard_symbols(one.track)


def write_down(baseline: Baseline, batch: Sequence[Piece], vectors: Sequence[dict[str, Vector]], made: Made) -> None:
    """Add what a recogniser makes of some passages."""
    started = time.perf_counter()
    said = [one.text for one in baseline.recognizer.transcribe([piece.sound for piece in batch])]
    encoded = baseline.encoder.encode(said)
    made.seconds += time.perf_counter() - started
    for piece, text, ones, found in zip(batch, said, encoded, vectors, strict=True):
        keep(ones, found, made)
        made.texts[piece.file_id].append(text)


def keep(fresh: Vectors, found: dict[str, Vector], made: Made) -> None:
    """Add fresh vectors to those of a passage and count their bytes."""
    found.update(fresh)
    for name, one in fresh.items():
        arrays = (one,) if isinstance(one, np.ndarray) else (one.indices, one.values)
        made.channel_bytes[name] += sum(array.nbytes for array in arrays)


def real(vectors: Mapping[str, Vector]) -> dict[str, Vector]:
    """Return the vectors that hold something."""
    return {name: one for name, one in vectors.items() if not is_nothing(one)}
