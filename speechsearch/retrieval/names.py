"""Listed names: how they make words of a question sound, and how likely it is that a passage says one.

A spelling that has as many words as the name says how each word sounds; another, or a recorded example, how all of it
sounds, which then counts for each of its words (``spotting.with_sounds``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from speechsearch.domain.listed_name import ListedName
from speechsearch.domain.values import PhonemeTrack, Query, SpokenWord
from speechsearch.retrieval.demands import as_one, joined_ways
from speechsearch.retrieval.evidence import LAST_S
from speechsearch.retrieval.spotting import Pronounce, places_of
from speechsearch.text.keywords import heard_symbols
from speechsearch.text.spellings import keys, places
from speechsearch.text.spoken import spoken_words
from speechsearch.text.words import STOP_WORDS

CURVE = (-2.56, -3.64, 0.71)
"""The chance that a name is said: what it has from the start, a nat lost a phoneme, and a phoneme; fitted to names and
rare words of one and two words, see benchmarks/heard_words.py."""
MOST_SOUNDS = 12
MOST_MEANT = 40
"""So many names count in a question, those that are whole in it first: of a family, all share a word."""


class Verdicts(NamedTuple):
    """In which passages somebody has heard that a name is said, or that it is not."""

    confirmed: frozenset[str] = frozenset()
    rejected: frozenset[str] = frozenset()

    def of(self, passage_id: str) -> bool | None:
        """Return whether it is said in a passage; None: nobody has said.

        >>> Verdicts(frozenset("a"), frozenset("b")).of("b"), Verdicts().of("b")
        (False, None)
        """
        return True if passage_id in self.confirmed else False if passage_id in self.rejected else None


def sounds_of(
    names: Sequence[ListedName],
    text: str,
    pronounce: Pronounce,
    verdicts: Callable[[str], Verdicts],
    heard_by: str = "",
) -> tuple[SpokenWord, ...]:
    """Return how the listed names in a question may sound, and in which passages they are known to be said or not.

    Args:
        names: the list.
        text: the question.
        pronounce: says how words sound.
        verdicts: gives what is known of a name by how it is written.
        heard_by: the fingerprint of the encoder whose recorded examples count.
    """
    asked = spoken_words(text)
    sought = set(asked) - STOP_WORDS
    meant = []
    for name in names:
        words = spoken_words(name.written)
        if not sought.isdisjoint(words):
            is_whole = any(asked[start : start + len(words)] == words for start in range(len(asked)))
            meant.append((is_whole, name, words))
    found = []
    for is_whole, name, words in sorted(meant, key=lambda one: not one[0])[:MOST_MEANT]:
        shared = [word for word in words if word in sought]
        whole, single = _ways(name, words, pronounce, heard_by)
        known = verdicts(name.written) if is_whole else Verdicts()
        if whole or any(known):
            found.append(SpokenWord(" ".join(words), tuple(whole), known.confirmed, known.rejected))
        if len(words) > 1:
            found += [SpokenWord(word, tuple(single[word])) for word in shared if word in single]
    return tuple(found)


def _ways(
    name: ListedName, words: Sequence[str], pronounce: Pronounce, heard_by: str
) -> tuple[list[tuple[int, ...]], dict[str, list[tuple[int, ...]]]]:
    """Return how all of a name may sound, and its single words, by its spellings and its recorded example."""
    whole = [name.phonemes] if name.has_example(heard_by) else []
    single: dict[str, list[tuple[int, ...]]] = {}
    for spelling in name.sounds_like:
        said = pronounce(Query(spelling))
        whole += joined_ways(said)
        if len(said) == len(words):
            for word, one in zip(words, said, strict=True):
                single.setdefault(word, []).extend(one.pronunciations)
    return whole, single


@dataclass(frozen=True, slots=True)
class NameHeard:
    """Where a passage may say a name: how likely, when in seconds from its start, and whether a transcript has it."""

    passage_id: str
    likelihood: float
    start_s: float
    end_s: float
    is_written: bool


def said_by_chance(loss: float, sounds: int) -> float:
    """Return how likely a name is said where so much is lost a phoneme.

    >>> [round(said_by_chance(loss, 10), 2) for loss in (0.0, 0.75, 1.5, 3.0)]
    [0.99, 0.86, 0.28, 0.0]
    """
    start, lost, sound = CURVE
    return 1 / (1 + math.exp(-(start + lost * loss + sound * min(sounds, MOST_SOUNDS))))


def hear_name(
    name: ListedName,
    pronounce: Pronounce,
    sounds: Sequence[SpokenWord],
    tracks: Mapping[str, PhonemeTrack],
    texts: Mapping[str, Sequence[str]],
) -> list[NameHeard]:
    """Return where passages may say a name, the likeliest first.

    Args:
        name: the name.
        pronounce: says how words sound.
        sounds: what ``sounds_of`` gives for it.
        tracks: passage id -> what is heard in it.
        texts: passage id -> transcripts of it.

    Raises:
        EmptyQueryError: nothing of the name can be looked for.
    """
    ways = as_one(name.written, pronounce, sounds).pronunciations
    found = places_of([SpokenWord(name.written, (way,)) for way in ways], list(tracks.values()))
    heard = []
    for row, passage_id in enumerate(tracks):
        chances = [said_by_chance(float(one.losses[row]), len(way)) for one, way in zip(found, ways, strict=True)]
        best = found[chances.index(max(chances))]
        start_s, end_s = float(best.starts_s[row]), float(best.ends_s[row])
        is_written = any(places(name.written, text) for text in texts.get(passage_id, ()))
        if math.isfinite(start_s):
            heard.append(NameHeard(passage_id, max(chances), start_s, end_s + LAST_S, is_written))
    return sorted(heard, key=lambda one: (-one.likelihood - one.is_written, one.passage_id))


def can_be_looked_for(text: str, pronounce: Pronounce) -> bool:
    """Say whether a name or spelling has words that can be pronounced."""
    # Word by word: most have one in the dictionary, and the others take their time.
    words = (one for word in spoken_words(text) for one in pronounce(Query(word)))
    return bool(keys(text)) and any(word.pronunciations for word in words)


def phonemes_of(track: PhonemeTrack) -> tuple[int, ...]:
    """Return the likeliest phonemes of what was heard."""
    return tuple(heard_symbols(track))
