"""How common words are in English, and what that says of a question."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from speechsearch.domain.assets import ASSETS
from speechsearch.text.words import STOP_WORDS

FILE = ASSETS / "common_words.txt"
FREQUENT = 5_000
"""So many of the listed words are frequent; the others are rare, those not listed unusual: mostly names."""
FEATURES = ("always", "rare", "unusual", "length", "asks", "heard")
ASKING = frozenset("how what what's when where which who who's whom whose why".split())
LONG = 8.0


@cache
def ranks() -> dict[str, int]:
    """Return word -> how many words are more frequent."""
    return {word: rank for rank, word in enumerate(FILE.read_text(encoding="utf-8").split())}


def features(words: Sequence[str], heard: float) -> tuple[float, ...]:
    """Return what a question is like, as numbers from 0 to 1 named by FEATURES.

    ``rare``, ``unusual``: the share of its content words; ``length``: how many it has, LONG and more are 1; ``asks``:
    whether it has a question word. ``words``: all its words as they are said. ``heard``: how much of it is heard in the
    passage that has most of it; a paraphrase is heard nowhere.

    >>> dict(zip(FEATURES, features("who was wojciechowski".split(), 0.9)))
    {'always': 1.0, 'rare': 0.0, 'unusual': 1.0, 'length': 0.125, 'asks': 1.0, 'heard': 0.9}
    """
    content = [word for word in words if word not in STOP_WORDS] or list(words)
    places = [ranks().get(word) for word in content]
    count = max(1, len(content))
    return (
        1.0,
        sum(place is not None and place >= FREQUENT for place in places) / count,
        sum(place is None for place in places) / count,
        min(1.0, len(content) / LONG),
        float(any(word in ASKING for word in words)),
        heard,
    )
