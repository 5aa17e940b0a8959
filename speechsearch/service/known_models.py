"""What models there are, as the page and the command line say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from speechsearch.domain.captions import GIVEN
from speechsearch.models.card import ModelCard, Task
from speechsearch.models.catalog import Catalog
from speechsearch.service.settings import EngineSettings


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model in words. ``is_used``: the settings name it, or one that they name needs it."""

    name: str
    task: Task
    licence: str
    languages: str
    parameters: str
    summary: str
    is_used: bool


def known_models(catalog: Catalog, chosen: EngineSettings) -> list[KnownModel]:
    """Return the models of a catalog in words, in its order. Raises NotFoundError where the settings name others."""
    used = used_models(catalog, chosen)
    return [
        KnownModel(
            card.name,
            card.task,
            card.licence,
            languages(card.languages),
            parameters(card),
            card.summary,
            (card.task, card.name) in used,
        )
        for card in catalog.cards
    ]


def used_models(catalog: Catalog, chosen: EngineSettings) -> set[tuple[Task, str]]:
    """Return (task, name) of the models that the settings name, and of those that these need. Raises NotFoundError."""
    waiting: list[tuple[Task, str]] = [("speech encoder", chosen.encoder_name), ("reader", chosen.reader)]
    waiting += [("recognizer", name) for name in chosen.recognizers]
    waiting += [("text encoder", chosen.text_encoder)] if chosen.recognizers else []
    waiting += [("language model", chosen.own_language_model)] if chosen.own_language_model else []
    waiting += [("speaker encoder", chosen.speaker_encoder)] if chosen.hears_speakers else []
    waiting += [("speech language model", chosen.understanding)] if chosen.understanding not in ("", "none") else []
    waiting += [("sound embedder", chosen.sound_embedder)] if chosen.hears_likeness else []
    waiting.append(("audio tokenizer", chosen.audio_tokenizer))
    used: set[tuple[Task, str]] = set()
    while waiting:
        model = waiting.pop()
        if model not in used:
            used.add(model)
            waiting += catalog.get(*model).needs
    return used


def recognizers(catalog: Catalog) -> list[ModelCard]:
    """Return the cards of the models that can write down a file; transcripts that were given cannot."""
    return [card for card in catalog.of("recognizer") if card.name != GIVEN]


def languages(codes: Sequence[str]) -> str:
    """Return languages in words.

    >>> languages(("en", "de")), languages(()), languages("abcdefgh")
    ('en, de', 'any', '8 languages')
    """
    if len(codes) > 6:
        return f"{len(codes)} languages"
    return ", ".join(codes) or "any"


def parameters(card: ModelCard) -> str:
    """Return how large a model is in words; a dash where nobody counts."""
    return f"{card.parameters_m:,.1f} M" if card.parameters_m else "–"
