"""Engines put together from their cards: models, index, and what was learnt about how to weigh them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from speechsearch.domain.errors import CapabilityError
from speechsearch.domain.values import Channel, Query, Vector
from speechsearch.index.vector_index import VectorIndex
from speechsearch.models.base import PassageGenerator, SpeechEncoder
from speechsearch.models.baseline import Baseline
from speechsearch.retrieval.calibration import Calibrations, Fusion, Likelihood
from speechsearch.retrieval.engine_cards import EngineCard
from speechsearch.retrieval.fused import FusedRetriever
from speechsearch.retrieval.retriever import Retriever
from speechsearch.retrieval.spotting import NAME as SPOTTING
from speechsearch.retrieval.spotting import KeptTracks, KeywordRetriever, ReadTracks
from speechsearch.retrieval.vector import VectorRetriever
from speechsearch.retrieval.written import Writer
from speechsearch.text.spoken import spoken_words

Sample = Callable[[], Sequence[str]]
"""Gives the ids of the background passages of a library."""


@dataclass(frozen=True, slots=True)
class EngineParts:
    """What the factory of an engine gets.

    ``baseline`` and ``writer``, of its recogniser, are None for an engine that searches sound; ``fusion`` is None where
    no weights were learnt for these models; ``tracks`` reads what was heard in passages; ``generators`` were trained on
    collections.
    """

    card: EngineCard
    index: VectorIndex
    speech_encoder: SpeechEncoder
    baseline: Baseline | None
    writer: Writer | None
    fusion: Fusion | None
    sample: Sample
    tracks: ReadTracks
    generators: Sequence[PassageGenerator] = ()


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that can be asked.

    ``channels`` are the index's names of what it ranks by, ``needed`` those without which it finds no passage;
    ``recognizer`` names whose transcripts it searches, empty for sound; ``likelihood`` is None where it was never
    learnt for these models.
    """

    card: EngineCard
    retriever: Retriever
    channels: tuple[str, ...]
    needed: tuple[str, ...]
    recognizer: str
    likelihood: Likelihood | None


def single(parts: EngineParts) -> Retriever:
    """Return an engine of one channel."""
    (retriever,) = parts_of(parts)
    return retriever


def fused(parts: EngineParts) -> Retriever:
    """Return an engine of several channels; where phonemes are among them, the words of a question are spotted too."""
    retrievers = parts_of(parts)
    hear = parts.speech_encoder.pronounce
    spotting = [
        KeywordRetriever(SPOTTING, one, hear, parts.tracks, parts.sample)
        for one in retrievers
        if one.channel.is_phonetic
    ]
    return FusedRetriever(
        parts.card.name, [*retrievers, *spotting], parts.fusion, partial(words_of, parts), parts.sample, SPOTTING
    )


def words_of(parts: EngineParts, query: Query) -> list[str]:
    """Return the words of a question: typed, heard, or written down where the engine searches transcripts alone."""
    if query.audio is None:
        return list(spoken_words(query.text))
    if parts.writer and parts.card.searches == "transcript":
        return list(spoken_words(parts.writer(query).text))
    return [word.text for word in parts.speech_encoder.pronounce(query)]


def parts_of(parts: EngineParts) -> list[VectorRetriever]:
    """Return the retrievers of the channels that an engine ranks by, in the order of its card."""
    found = []
    for channel in channels_for(parts.card, available(parts.card, parts.speech_encoder, parts.baseline)):
        is_heard = channel in parts.speech_encoder.channels
        encode = partial(heard, parts, channel.name) if is_heard else partial(written, parts, channel.name)
        found.append(VectorRetriever(channel.title or channel.name, channel, encode, parts.index))
    return found


def heard(parts: EngineParts, channel: str, query: Query) -> Vector:
    """Return a question's vector in a channel of sound."""
    return parts.speech_encoder.encode_query(query, channel)


def written(parts: EngineParts, channel: str, query: Query) -> Vector:
    """Return a question's vector in a channel of transcripts.

    Raises:
        CapabilityError: the engine has no recogniser.
    """
    if parts.baseline is None or parts.writer is None:
        raise CapabilityError(f"The engine '{parts.card.name}' needs a recogniser.")
    return parts.baseline.encoder.encode_query(parts.writer(query), channel)


def available(card: EngineCard, speech_encoder: SpeechEncoder, baseline: Baseline | None) -> tuple[Channel, ...]:
    """Return the channels of the models that an engine may rank by."""
    of_sound = () if card.searches == "transcript" else speech_encoder.channels
    return (*of_sound, *(baseline.encoder.channels if baseline else ()))


def channels_for(card: EngineCard, channels: Sequence[Channel]) -> tuple[Channel, ...]:
    """Return those of the channels that a card names, by name or title, in its order.

    >>> card = EngineCard("x", "X", "", "sound", ("b", "a", "c"), "", ("", ""))
    >>> [one.name for one in channels_for(card, (Channel("a", "sparse"), Channel("b@r", "sparse", title="b")))]
    ['b@r', 'a']
    """
    by_title = {channel.title or channel.name: channel for channel in channels}
    return tuple(by_title[name] for name in card.channels if name in by_title)


def build_engines(
    cards: Sequence[EngineCard],
    index: VectorIndex,
    speech_encoder: SpeechEncoder,
    baselines: Sequence[Baseline],
    calibrations: Calibrations,
    sample: Sample,
    tracks: ReadTracks,
    generators: Sequence[PassageGenerator] = (),
) -> dict[str, Engine]:
    """Return the engines that these models make possible, by name.

    An engine over transcripts is made once a baseline: the first has the card's name, the others also the recogniser's.
    """
    tracks = KeptTracks(tracks)
    writers = {one.name: Writer(writing_for(one, baselines).recognizer) for one in baselines}
    engines: dict[str, Engine] = {}
    for card in cards:
        sources = [None] if card.searches == "sound" else list(baselines)
        for number, baseline in enumerate(sources):
            channels = channels_for(card, available(card, speech_encoder, baseline))
            if not channels or (card.is_learnt and not generators):
                continue
            models = {} if card.searches == "transcript" else {"speech encoder": speech_encoder.fingerprint}
            models |= baseline.models if baseline else {}
            named = card if baseline is None or number == 0 else for_recognizer(card, baseline.name)
            writer = writers[baseline.name] if baseline else None
            fusion = calibrations.fusion(card.name, models)
            parts = EngineParts(named, index, speech_encoder, baseline, writer, fusion, sample, tracks, generators)
            module, _, factory = card.factory.partition(":")
            engines[named.name] = Engine(
                named,
                getattr(importlib.import_module(module), factory)(parts),
                tuple(one.name for one in channels),
                tuple(one.name for one in channels if card.searches == "transcript" or one in speech_encoder.channels),
                baseline.name if baseline else "",
                calibrations.likelihood(card.name, models),
            )
    return engines


def writing_for(baseline: Baseline, baselines: Sequence[Baseline]) -> Baseline:
    """Return whose recogniser writes spoken questions down for a baseline: another's where it cannot itself."""
    others = [one for one in baselines if not one.is_given]
    return others[0] if baseline.is_given and others else baseline


def for_recognizer(card: EngineCard, recognizer: str) -> EngineCard:
    """Return the card of the same engine over another recogniser's transcripts.

    >>> card = EngineCard("asr", "Transcript", "", "transcript", (), "", ("", ""))
    >>> for_recognizer(card, "pocketsphinx").name, for_recognizer(card, "pocketsphinx").title
    ('asr-pocketsphinx', 'Transcript (pocketsphinx)')
    """
    return replace(card, name=f"{card.name}-{recognizer}", title=f"{card.title} ({recognizer})")


def retrievers(engines: Mapping[str, Engine]) -> dict[str, Retriever]:
    """Return the retriever of each engine."""
    return {name: engine.retriever for name, engine in engines.items()}
