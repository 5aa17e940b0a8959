"""Why a passage was found: the question's words that are heard in its sound, or stand in its transcript.

What is heard is the best place of each word, as the keyword score finds it (``spotting``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from speechsearch.domain.values import PhonemeTrack, SpokenWord, Word
from speechsearch.retrieval import demands
from speechsearch.retrieval.spotting import content, places_of
from speechsearch.text.keywords import WORST
from speechsearch.text.spellings import places, several_ways
from speechsearch.text.spoken import spoken_words
from speechsearch.text.words import STOP_WORDS, stem

LAST_S = 0.08
"""How long the last sound of a word lasts; the encoder marks where sounds begin."""
SHORTEST = 3
LOSS_A_SOUND, MOST_LOSS = 0.25, 1.5
"""Nats a phoneme that a word may lose and still count as heard; see benchmarks/heard_words.py."""
TRANSCRIBED = re.compile(r"\w+(?:[.,'’]\w+)*")


def allowance(word: SpokenWord) -> float:
    """Return what a word may lose, in nats a phoneme, and still count as heard: the shorter, the more exact.

    >>> [allowance(SpokenWord("", ((1,) * count,))) for count in (2, 3, 5, 9)]
    [0.0, 0.25, 0.75, 1.5]
    """
    if " " in word.text:
        return demands.allowance(word)
    sounds = min(len(one) for one in word.pronunciations)
    return min(MOST_LOSS, LOSS_A_SOUND * max(0, sounds - SHORTEST + 1))


def listen(words: Sequence[SpokenWord], tracks: Sequence[PhonemeTrack]) -> list[tuple[Word, ...]]:
    """Return where each track has the words, in order of time; of two in one place the one that fits better.

    Several words in a row, looked for as one, come before the single ones.
    """
    heard: list[list[tuple[float, Word]]] = [[] for _ in tracks]
    for one in places_of(words, tracks) if words and tracks else []:
        for row in (one.losses <= allowance(one.word)).nonzero()[0]:
            word = Word(one.word.text, float(one.starts_s[row]), float(one.ends_s[row]) + LAST_S)
            heard[row].append((float(one.losses[row]) - WORST * (" " in word.text), word))
    return [apart(found) for found in heard]


def apart(found: Sequence[tuple[float, Word]]) -> tuple[Word, ...]:
    """Return the words that do not lie on one that fits better, by time.

    >>> [word.text for word in apart([(0.5, Word("rye", 1.0, 1.3)), (0.1, Word("rhyme", 1.0, 1.5))])]
    ['rhyme']
    """
    kept: list[Word] = []
    for _, word in sorted(found, key=lambda pair: (pair[0], pair[1].start_s)):
        if all(word.end_s <= other.start_s or other.end_s <= word.start_s for other in kept):
            kept.append(word)
    return tuple(sorted(kept, key=lambda word: word.start_s))


def marks(text: str, transcript: str, phrases: Sequence[str] = ()) -> tuple[tuple[int, int], ...]:
    """Return where a transcript has words with the stem of a question's, as (start, end) of characters.

    Phrases, numbers and acronyms are marked in whichever way they are written.

    >>> marks("Who built the bridges?", "The bridge, built in 1890.")
    ((4, 10), (12, 17))
    >>> marks("NASA", "the N.A.S.A. budget"), marks("the red sun", "The red sun.", ["the red sun"])
    (((4, 11),), ((0, 11),))
    """
    sought, ways = _sought(text)
    found = [
        match.span()
        for match in TRANSCRIBED.finditer(transcript)
        if any(stem(word) in sought for word in spoken_words(match.group()))
    ]
    return merged([*found, *(place for one in (*phrases, *ways) for place in places(one, transcript))])


@lru_cache(maxsize=64)
def _sought(text: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the stems of a question's words, and its numbers and acronyms in all ways in which they are written."""
    stems = frozenset(stem(word) for word in spoken_words(text) if word not in STOP_WORDS)
    return stems, tuple(" ".join(way) for usual, others in several_ways(text) for way in (usual, *others))


def merged(stretches: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return stretches in order; of those that overlap, what they cover together.

    >>> merged([(5, 9), (0, 3), (2, 4)])
    ((0, 4), (5, 9))
    """
    found: list[tuple[int, int]] = []
    for start, end in sorted(stretches):
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a passage was found: ``heard`` and ``marked`` of a hit."""

    heard: tuple[Word, ...] = ()
    marked: tuple[tuple[int, int], ...] = ()


NOTHING = Evidence()


def explain(
    text: str,
    words: Sequence[SpokenWord],
    tracks: Mapping[str, PhonemeTrack],
    transcripts: Mapping[str, str],
    phrases: Sequence[demands.Demand] = (),
) -> dict[str, Evidence]:
    """Return the evidence for a question in passages, by passage id, from what was heard and written down.

    ``text``: the question, empty if it was spoken; ``words``: its words with how they sound; ``phrases``: those that
    are to be found as they stand.
    """
    rows = [one.sound for one in phrases if " " in one.sound.text and one.sound.pronunciations]
    sought = [*rows, *content(words)]
    denied = {one.text: one.rejected for one in sought if one.rejected}
    written = [one.text for one in phrases]
    heard = dict(zip(tracks, listen(sought, list(tracks.values())), strict=True))
    return {
        passage_id: Evidence(
            tuple(one for one in heard.get(passage_id, ()) if passage_id not in denied.get(one.text, ())),
            marks(text, transcripts.get(passage_id, ""), written),
        )
        for passage_id in tracks.keys() | transcripts.keys()
    }
