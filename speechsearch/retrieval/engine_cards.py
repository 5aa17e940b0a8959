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
        is_learnt: it finds only passages that a model was trained on, and is there when there is such a model.
        technical_title: as an engineer would call it; the page shows it small.
    """

    name: str
    title: str
    summary: str
    searches: Literal["sound", "transcript", "both"]
    channels: tuple[str, ...]
    factory: str
    colour: tuple[str, str]
    is_experimental: bool = False
    is_learnt: bool = False
    technical_title: str = ""

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
    technical_title="sound and transcript, fused",
)
HYBRID = EngineCard(
    "hybrid",
    "Sound",
    "What may have been said, by meaning, pronunciation and likely words together. No transcript is used.",
    "sound",
    ("adapter", "phonetic", "pieces"),
    "speechsearch.retrieval.engines:fused",
    ("#be123c", "#fb7185"),
    technical_title="adapter + phonetic index",
)
ADAPTER = EngineCard(
    "adapter",
    "Meaning",
    "What a passage is about, heard from its sound. Good for questions in other words than those spoken.",
    "sound",
    ("adapter",),
    "speechsearch.retrieval.engines:single",
    ("#0d9488", "#2dd4bf"),
    technical_title="speech adapter",
)
PHONETIC = EngineCard(
    "phonetic",
    "Pronunciation",
    "How the words of your question sound. Good for names and rare words, however they are spelled.",
    "sound",
    ("phonetic",),
    "speechsearch.retrieval.engines:fused",
    ("#c2700a", "#f59e0b"),
    technical_title="phonetic index",
)
ASR = EngineCard(
    "asr",
    "Transcript",
    "The usual way: a speech recogniser writes the passages down, and that text is searched.",
    "transcript",
    ("meaning", "words"),
    "speechsearch.retrieval.engines:fused",
    ("#6366f1", "#a5b4fc"),
    technical_title="ASR baseline",
)
GENERATIVE = EngineCard(
    "generative",
    "Generated",
    "A network trained on a collection writes which passage answers; nothing is looked up. Only what it has learnt.",
    "sound",
    ("adapter",),
    "speechsearch.retrieval.generative:generative",
    ("#6d28d9", "#c084fc"),
    is_experimental=True,
    is_learnt=True,
    technical_title="generative retrieval",
)
BUILT_IN = (EVERYTHING, HYBRID, ADAPTER, PHONETIC, ASR)
TRAINED = (GENERATIVE,)
"""Those that are there once somebody has trained them."""
CHANNEL_TITLES = {
    "adapter": "meaning",
    "phonetic": "pronunciation",
    "pieces": "likely words",
    "meaning": "transcript meaning",
    "words": "transcript words",
    "generative": "generated address",
}
"""What the page calls the channels of the built-in engines."""
DEFAULT, BASELINE = HYBRID.name, ASR.name
"""What answers a program that did not choose: there always is one; and what the others are compared with."""


def channel_title(name: str) -> str:
    """Return what the page calls a channel; its name where it has no other.

    >>> channel_title("adapter"), channel_title("my channel")
    ('meaning', 'my channel')
    """
    return CHANNEL_TITLES.get(name, name)


ENTRY_POINTS = "speechsearch.engines"


@cache
def engine_cards() -> tuple[EngineCard, ...]:
    """Return the cards of the built-in engines and of those that installed packages bring.

    Raises:
        ConfigurationError: two of them have the same name.
    """
    found: list[EngineCard] = []
    add_cards(found, BUILT_IN + TRAINED)
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
