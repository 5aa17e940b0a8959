"""From extracts to the sentences of an answer: quotes that cite, or things counted and listed by the program.

Nothing is said here that no passage says, but numbers of recordings and names of speakers, which are counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from speechsearch.answers.extract import Extract
from speechsearch.answers.question_kind import Kind
from speechsearch.domain.answers import Citation, Sentence
from speechsearch.text.spellings import keys
from speechsearch.text.words import STOP_WORDS, stem

MOST_QUOTES = 4
MOST_ITEMS = 20
LESS_LIKELY = 0.5
"""A further quote is at least so likely, as a share of the first one's chance."""
SAME_WORDS = 0.8
"""Two quotes that have so much of the shorter one's content words in common say the same."""


@dataclass(frozen=True, slots=True)
class Cited:
    """An extract with its passage's text, and where it is said; ``chance``: that it answers."""

    extract: Extract
    text: str
    citation: Citation
    chance: float

    @property
    def quote(self) -> str:
        """The words that answer."""
        return self.text[slice(*self.extract.span)]

    @property
    def sentence(self) -> str:
        """The sentences around them."""
        return self.text[slice(*self.extract.sentence)]


def compose(kind: Kind, found: Sequence[Cited]) -> list[Sentence]:
    """Return the sentences that answer a question of a kind from what was found, likeliest first, at least one.

    A fact: the likeliest sentences that do not repeat each other. A list: all of them. A count: one sentence that
    cites every recording. Recordings and speakers: a sentence for each, with what is said there.
    """
    if kind == "count":
        return [_counted(found)]
    if kind == "recordings":
        return _listed(found, [(one.citation.recording_id, one.citation.title) for one in found])
    if kind == "speakers":
        names = [one.citation.speaker or f"Somebody in {one.citation.title}" for one in found]
        return _listed(found, [(one, one) for one in names])
    if kind == "list":
        return [_quoted(one, number) for number, one in enumerate(distinct(found, MOST_ITEMS), 1)]
    likely = [one for one in found if one.chance >= LESS_LIKELY * found[0].chance]
    return [_quoted(one, number) for number, one in enumerate(distinct(likely, MOST_QUOTES), 1)]


def distinct(found: Sequence[Cited], most: int) -> list[Cited]:
    """Return those whose sentences do not say what an earlier one says already, up to ``most``."""
    kept: list[tuple[Cited, frozenset[str]]] = []
    for one in found:
        words = _content(one.sentence)
        if all(len(words & other) < SAME_WORDS * min(len(words), len(other)) for _, other in kept):
            kept.append((one, words))
    return [one for one, _ in kept[:most]]


def _content(text: str) -> frozenset[str]:
    return frozenset(stem(key.text) for key in keys(text) if key.text not in STOP_WORDS)


def _quoted(one: Cited, number: int) -> Sentence:
    """Return a quote as a sentence: a capital at its beginning, and a full stop where it has none."""
    begin = one.extract.sentence[0]
    text = one.sentence
    text = text[:1].upper() + text[1:]
    text += "" if text[-1:] in ".!?…\"'”’)" else "."
    start, end = one.extract.span
    return Sentence(text, (replace(one.citation, number=number),), "quote", ((start - begin, end - begin),))


def _counted(found: Sequence[Cited]) -> Sentence:
    """Return how many recordings have an answer, each cited."""
    by_recording = {one.citation.recording_id: one.citation for one in reversed(found)}
    citations = list(reversed(by_recording.values()))
    numbered = tuple(replace(one, number=number) for number, one in enumerate(citations, 1))
    count = len(numbered)
    titles = "; ".join(one.title for one in numbered[:MOST_ITEMS])
    return Sentence(f"{count} recording{'s' * (count != 1)} of those found: {titles}.", numbered, "counted")


def _listed(found: Sequence[Cited], whose: Sequence[tuple[str, str]]) -> list[Sentence]:
    """Return a sentence for each item, with what is said first in it, and all passages cited.

    ``whose``: the item of each, as its key and its name; two recordings may have one title.
    """
    items: dict[tuple[str, str], list[Cited]] = {}
    for item, one in zip(whose, found, strict=True):
        items.setdefault(item, []).append(one)
    sentences, number = [], 0
    for (_, name), cited in list(items.items())[:MOST_ITEMS]:
        numbered = tuple(replace(one.citation, number=number + place) for place, one in enumerate(cited, 1))
        number += len(cited)
        sentences.append(Sentence(f"{name}: “{cited[0].sentence}”", numbered, "counted"))
    return sentences
