"""Engines put together from their cards: models, index, and what was learnt about how to weigh them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from speechsearch.domain.errors import CapabilityError
from speechsearch.domain.values import Channel, Query, Vector
from speechsearch.index.vector_index import VectorIndex
from speechsearch.models.base import SpeechEncoder
from speechsearch.models.baseline import Baseline
from speechsearch.retrieval.calibration import Calibrations, Fusion, Likelihood
from speechsearch.retrieval.engine_cards import EngineCard
from speechsearch.retrieval.fused import FusedRetriever
from speechsearch.retrieval.retriever import Retriever
from speechsearch.retrieval.transcribed import TranscribedRetriever
from speechsearch.retrieval.vector import VectorRetriever

Sample = Callable[[], Sequence[str]]
"""Gives the ids of the background passages of a library."""


@dataclass(frozen=True, slots=True)
class EngineParts:
    """What the factory of an engine gets.

    ``baseline`` is None for an engine that searches sound; ``fusion`` is None where no weights were learnt for these
    models.
    """

    card: EngineCard
    index: VectorIndex
    speech_encoder: SpeechEncoder
    baseline: Baseline | None
    fusion: Fusion | None
    sample: Sample


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that can be asked.

    ``channels`` are the index's names of what it ranks by; ``recognizer`` names whose transcripts it searches, empty
    for sound; ``likelihood`` is None where it was never learnt for these models.
    """

    card: EngineCard
    retriever: Retriever
    channels: tuple[str, ...]
    recognizer: str
    likelihood: Likelihood | None


def single(parts: EngineParts) -> Retriever:
    """Return an engine of one channel."""
    (channel,) = channels_of(parts)
    return by_channel(parts, channel, parts.card.name)


def fused(parts: EngineParts) -> Retriever:
    """Return an engine of several channels."""
    channels = channels_of(parts)
    retrievers = [by_channel(parts, channel, channel.title or channel.name) for channel in channels]
    return FusedRetriever(parts.card.name, retrievers, parts.fusion, parts.sample)


def transcribed(parts: EngineParts) -> Retriever:
    """Return an engine over transcripts, which writes a spoken question down first."""
    if parts.baseline is None:
        raise CapabilityError(f"The engine '{parts.card.name}' needs a recogniser.")
    return TranscribedRetriever(fused(parts), parts.baseline.recognizer)


def channels_of(parts: EngineParts) -> tuple[Channel, ...]:
    """Return the channels of the models that an engine ranks by, in the order of its card."""
    source = parts.baseline.encoder if parts.baseline else parts.speech_encoder
    return channels_for(parts.card, source.channels)


def channels_for(card: EngineCard, channels: Sequence[Channel]) -> tuple[Channel, ...]:
    """Return those of the channels that a card names, by name or title, in its order.

    >>> card = EngineCard("x", "X", "", "sound", ("b", "a", "c"), "", ("", ""))
    >>> [one.name for one in channels_for(card, (Channel("a", "sparse"), Channel("b@r", "sparse", title="b")))]
    ['b@r', 'a']
    """
    by_title = {channel.title or channel.name: channel for channel in channels}
    return tuple(by_title[name] for name in card.channels if name in by_title)


def by_channel(parts: EngineParts, channel: Channel, name: str) -> VectorRetriever:
    """Return the retriever of one channel."""
    encode: Callable[[Query, str], Vector]
    encode = parts.baseline.encoder.encode_query if parts.baseline else parts.speech_encoder.encode_query
    return VectorRetriever(name, channel.name, partial(_asked, encode, channel.name), parts.index)


def _asked(encode: Callable[[Query, str], Vector], channel: str, query: Query) -> Vector:
    return encode(query, channel)


def build_engines(
    cards: Sequence[EngineCard],
    index: VectorIndex,
    speech_encoder: SpeechEncoder,
    baselines: Sequence[Baseline],
    calibrations: Calibrations,
    sample: Sample,
) -> dict[str, Engine]:
    """Return the engines that these models make possible, by name.

    An engine over transcripts is made once a baseline: the first has the card's name, the others also the recogniser's.
    """
    engines: dict[str, Engine] = {}
    for card in cards:
        sources = [None] if card.searches == "sound" else list(baselines)
        for number, baseline in enumerate(sources):
            channels = channels_for(card, baseline.encoder.channels if baseline else speech_encoder.channels)
            if not channels:
                continue
            models = {"speech encoder": speech_encoder.fingerprint} if baseline is None else baseline.models
            named = card if baseline is None or number == 0 else for_recognizer(card, baseline.name)
            fusion = calibrations.fusion(card.name, models)
            parts = EngineParts(named, index, speech_encoder, baseline, fusion, sample)
            module, _, factory = card.factory.partition(":")
            engines[named.name] = Engine(
                named,
                getattr(importlib.import_module(module), factory)(parts),
                tuple(channel.name for channel in channels),
                baseline.name if baseline else "",
                calibrations.likelihood(card.name, models),
            )
    return engines


def for_recognizer(card: EngineCard, recognizer: str) -> EngineCard:
    """Return the card of the same engine over another recogniser's transcripts.

    >>> card = EngineCard("asr", "ASR baseline", "", "transcript", (), "", ("", ""))
    >>> for_recognizer(card, "pocketsphinx").name, for_recognizer(card, "pocketsphinx").title
    ('asr-pocketsphinx', 'ASR baseline (pocketsphinx)')
    """
    return replace(card, name=f"{card.name}-{recognizer}", title=f"{card.title} ({recognizer})")


def retrievers(engines: Mapping[str, Engine]) -> dict[str, Retriever]:
    """Return the retriever of each engine."""
    return {name: engine.retriever for name, engine in engines.items()}
