"""The colours of engines and channels, from their cards, and of voices, as a style sheet. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from speechsearch.retrieval.engine_cards import EngineCard

PALETTE = ("#0891b2", "#db2777", "#65a30d", "#9333ea", "#ca8a04", "#475569")
"""For channels that no engine names first, by their position."""
VOICES = (
    ("#0072b2", "#3f9be6"),
    ("#c94f00", "#f58b45"),
    ("#00805a", "#2fc296"),
    ("#b34a86", "#e88fc0"),
    ("#8a6a00", "#e3c23a"),
    ("#2f86bd", "#a9dcff"),
    ("#5f5f66", "#c3c9d2"),
    ("#7a4a26", "#c99a6b"),
)
"""Of a recording's voices by their numbers, on a light page and on a dark one; after the last the first comes again.

The colour-blind tell the first six apart, and each stands in a lane of its own, with its name.
"""
DASHES = ("none", "none", "2 5", "7 5", "10 4 2 4")
"""Of the engines' curves, by position, so that they can be told apart without colours."""


def stylesheet(cards: Sequence[EngineCard]) -> str:
    """Return the rules of the colours.

    Every engine has ``--ss-engine`` and ``--ss-dash``, every channel ``--ss-channel``, every voice ``--ss-voice``.
    """
    rules = []
    for place, card in enumerate(cards):
        light, dark = card.colour
        selector = f"[data-engine={quoted(card.name)}]"
        rules.append(f"{selector} {{ --ss-engine: {light}; --ss-dash: {DASHES[place % len(DASHES)]}; }}")
        rules.append(f".dark {selector} {{ --ss-engine: {dark}; }}")
    for name, (light, dark) in channel_colours(cards).items():
        selector = f"[data-channel={quoted(name)}]"
        rules += [f"{selector} {{ --ss-channel: {light}; }}", f".dark {selector} {{ --ss-channel: {dark}; }}"]
    for place, (light, dark) in enumerate(VOICES):
        selector = f"[data-colour={quoted(str(place))}]"
        rules += [f"{selector} {{ --ss-voice: {light}; }}", f".dark {selector} {{ --ss-voice: {dark}; }}"]
    return "\n".join(rules)


def voice_colour(number: int) -> int:
    """Return which of the colours of voices a voice of a recording has, from 0.

    >>> voice_colour(1), voice_colour(8), voice_colour(9)
    (0, 7, 0)
    """
    return (number - 1) % len(VOICES)


def channel_colours(cards: Sequence[EngineCard]) -> dict[str, tuple[str, str]]:
    """Return every channel's colours on a light page and on a dark one.

    A channel has those of the engine that names it first, of several the one with the fewest channels.

    >>> from speechsearch.retrieval.engine_cards import ADAPTER, HYBRID
    >>> channel_colours([HYBRID, ADAPTER])["adapter"] == ADAPTER.colour
    True
    >>> channel_colours([HYBRID])["pieces"]
    ('#db2777', '#db2777')
    """
    colours: dict[str, tuple[str, str]] = {}
    for card in sorted(cards, key=lambda one: len(one.channels)):
        if card.channels:
            colours.setdefault(card.channels[0], card.colour)
    rest = dict.fromkeys(name for card in cards for name in card.channels if name not in colours)
    return colours | {name: (PALETTE[place % len(PALETTE)],) * 2 for place, name in enumerate(rest)}


def quoted(name: str) -> str:
    r"""Return a name as a string of CSS.

    >>> print(quoted('a"b'))
    "a\"b"
    """
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'
