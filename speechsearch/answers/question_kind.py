"""What a question wants, told from its words by rules that can be read, and what it is about."""

from __future__ import annotations

import re
from typing import Literal

from speechsearch.text.spoken import spoken_words
from speechsearch.text.words import STOP_WORDS

Kind = Literal["fact", "list", "count", "recordings", "speakers"]
"""One answer; all of them; how many recordings, which ones, or who speaks there."""
TOLD = r"(?:talk|speak|tell|mention|say|discuss|describe|deal|recall|remember)\w*|said|spoke|spoken|told"
RECORDING = r"(?:recordings?|talks?|episodes?|interviews?|lectures?|speakers?|people|passages?|stories|clips?)"
COUNT = re.compile(rf"how many {RECORDING}\b.*\b(?:{TOLD}|about)\b|how (?:often|many times)\b.*\b(?:{TOLD})\b")
SPEAKERS = re.compile(rf"(?:who|which (?:speakers?|people))\b(?: else)? (?:(?:all|has|have|is|are) )?(?:{TOLD})\b")
RECORDINGS = re.compile(rf"(?:in )?which {RECORDING}\b.*\b(?:{TOLD}|about)\b|where (?:all )?is\b.*\b(?:{TOLD})\b")
LIST = re.compile(r"(?:please )?(?:list\b|(?:name|show|give|enumerate)(?: me)? (?:all|every|each)\b)|what are all\b")
ABOUT_NOTHING = re.compile(rf"{TOLD}|{RECORDING}|often|times|many|somebody|anybody|anyone|someone")


def kind_of(question: str) -> Kind:
    """Return what a question wants.

    >>> [kind_of(one) for one in ("How many recordings mention bees?", "How many legs has a bee?")]
    ['count', 'fact']
    >>> [kind_of(one) for one in ("Who talks about the ferry?", "Who built it?", "List all boats", "Name her")]
    ['speakers', 'fact', 'list', 'fact']
    >>> kind_of("Which talks are about bees?")
    'recordings'
    """
    asked = " ".join(re.findall(r"[a-z']+", question.lower()))
    rules: tuple[tuple[Kind, re.Pattern[str]], ...] = (
        ("count", COUNT), ("speakers", SPEAKERS), ("recordings", RECORDINGS), ("list", LIST),
    )  # fmt: skip
    return next((kind for kind, rule in rules if rule.match(asked)), "fact")


def topic_of(question: str) -> str:
    """Return the words that a question about recordings is about, without those that say what it wants.

    >>> topic_of("How many recordings mention the old ferry?"), topic_of("Who talks?")
    ('old ferry', '')
    """
    words = (word for word in spoken_words(question) if word not in STOP_WORDS)
    return " ".join(word for word in words if not ABOUT_NOTHING.fullmatch(word))
