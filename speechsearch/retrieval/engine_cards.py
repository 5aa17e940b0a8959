"""Which engines a question can be put to: one frozen card each, from which page, CSS, API and evaluation are made.

No other file names an engine or a channel of one. A user's engine registers through the entry point
``speechsearch.engines``, the built-in ones through the same call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Literal

from speechsearch.domain.errors import ConfigurationError, NotFoundError


@dataclass(frozen=True, slots=True)
class EngineCard:
    """An engine as a user chooses it, and how it is made.

    Args:
        name: short, lower case, as the API and the command line take it.
        title: as the page shows it.
        summary: one line that says what it does and what it is good for.
        searches: "sound", without a transcript, "transcript", or "both", where a passage without one is found by sound.
        channels: the names of the channels that it ranks by, in the order in which a hit lists them.
        factory: "package.module:function", imported when first used; it takes ``EngineParts``.
        colour: of its badges and curves on a light page, and on a dark one (CSS).
        is_experimental: off by default, marked, and listed last.
    """

    name: str
    title: str
    summary: str
    searches: Literal["sound", "transcript", "both"]
    channels: tuple[str, ...]
    factory: str
    colour: tuple[str, str]
    is_experimental: bool = False

    @property
    def label(self) -> str:
        """The title, marked where the engine is experimental."""
        return f"{self.title} (experimental)" if self.is_experimental else self.title

    @property
    def is_over_transcripts(self) -> bool:
        """Whether it searches what a recogniser has written, not the sound itself."""
        return self.searches == "transcript"


EVERYTHING = EngineCard(
    "all",
    "Everything",
    "Sound and transcript together, whichever fits the question; what has no transcript yet is found by its sound.",
    "both",
    ("adapter", "phonetic", "pieces", "meaning", "words"),
    "speechsearch.retrieval.engines:fused",
    ("#0369a1", "#38bdf8"),
)
HYBRID = EngineCard(
    "hybrid",
    "Adapter + phonetic",
    "Meaning, sound and likely words, weighted by the kind of question. No transcript is involved.",
    "sound",
    ("adapter", "phonetic", "pieces"),
    "speechsearch.retrieval.engines:fused",
    ("#be123c", "#fb7185"),
)
ADAPTER = EngineCard(
    "adapter",
    "Speech adapter",
    "Meaning: the passage's sound goes through an adapter into the space of a text-embedding model.",
    "sound",
    ("adapter",),
    "speechsearch.retrieval.engines:single",
    ("#0d9488", "#2dd4bf"),
)
PHONETIC = EngineCard(
    "phonetic",
    "Phonetic index",
    "Sound: the words of your question, names above all, are looked for in what may have been said.",
    "sound",
    ("phonetic",),
    "speechsearch.retrieval.engines:fused",
    ("#c2700a", "#f59e0b"),
)
ASR = EngineCard(
    "asr",
    "ASR baseline",
    "Transcript first: a recogniser writes passages down; their meaning and words are searched.",
    "transcript",
    ("meaning", "words"),
    "speechsearch.retrieval.engines:fused",
    ("#6366f1", "#a5b4fc"),
)
BUILT_IN = (EVERYTHING, HYBRID, ADAPTER, PHONETIC, ASR)
DEFAULT, BASELINE = HYBRID.name, ASR.name
"""What answers a program that did not choose: there always is one; and what the others are compared with."""


ENTRY_POINTS = "speechsearch.engines"


@cache
def engine_cards() -> tuple[EngineCard, ...]:
    """Return the cards of the built-in engines and of those that installed packages bring.

    Raises:
        ConfigurationError: two of them have the same name.
    """
    found: list[EngineCard] = []
    add_cards(found, BUILT_IN)
    for entry_point in entry_points(group=ENTRY_POINTS):
        brought = entry_point.load()
        add_cards(found, (brought,) if isinstance(brought, EngineCard) else tuple(brought))
    return tuple(sorted(found, key=lambda card: card.is_experimental))


def usual_pair(names: Sequence[str]) -> tuple[str, str]:
    """Return the engine that the page asks first and the one it is compared with, of those that there are.

    Without a recogniser there is no baseline; then the first other engine takes its place.

    >>> usual_pair(["all", "hybrid", "asr"]), usual_pair(["hybrid", "adapter"]), usual_pair(["adapter"])
    (('all', 'asr'), ('hybrid', 'adapter'), ('adapter', 'adapter'))
    """
    first = next((name for name in (EVERYTHING.name, DEFAULT) if name in names), names[0])
    others = [name for name in names if name != first] or [first]
    return first, BASELINE if BASELINE in others else others[0]


def add_cards(found: list[EngineCard], cards: Iterable[EngineCard]) -> None:
    """Add cards whose names are still free. Raises ConfigurationError."""
    for card in cards:
        if card.name in {one.name for one in found}:
            raise ConfigurationError(f"There are two engines '{card.name}'.", "Uninstall one of the packages.")
        found.append(card)


def engine_named(name: str, cards: Iterable[EngineCard]) -> EngineCard:
    """Return the card of an engine.

    Raises:
        NotFoundError: there is none of that name.
    """
    by_name = {card.name: card for card in cards}
    if name not in by_name:
        raise NotFoundError(f"There is no engine '{name}'.", f"Choose one of: {', '.join(by_name)}.")
    return by_name[name]
