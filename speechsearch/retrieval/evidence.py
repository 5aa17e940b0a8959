"""Why a passage was found: the question's words that are heard in its sound, or stand in its transcript.

Source: Sellers, 1980, the best alignment of a pattern to any stretch of a text, here of a word's phonemes to those that
the speech encoder heard.
Differs: sounds that are easily taken for each other cost less to exchange; the start of the best stretch is carried in
the low digits of its cost; a row of the table is filled for all passages at once, chains of insertions by a running
minimum.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.values import PhonemeTrack, Word
from speechsearch.text.lexicon import PHONEMES, Pronunciation
from speechsearch.text.spoken import spoken_words
from speechsearch.text.words import STOP_WORDS, stem

MOST_PATTERNS = 40
MOST_OCCURRENCES = 3
SHORTEST = 3
LAST_S = 0.08
"""How long the last sound of a word lasts; the encoder marks where sounds begin."""
ALIKE = (
    "P B",
    "T D",
    "K G",
    "F V",
    "TH DH",
    "S Z",
    "SH ZH",
    "CH JH",
    "M N NG",
    "SH CH",
    "ZH JH",
    "TH F",
    "DH D",
    "DH V",
)
MANNERS = ("P B T D K G CH JH", "F V TH DH S Z SH ZH HH", "M N NG", "L R W Y")
VOWELS = "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW"
TRANSCRIBED = re.compile(r"\w+(?:[.,'’]\w+)*")
# In tenths of a sound that is missed altogether.
COST_A_SOUND = 3
"""What a word may cost for each sound beyond SHORTEST; benchmarks/heard_words.py says how often that is right."""
COST, COST_ALIKE, COST_MANNER, COST_VOWEL, COST_ADDED, COST_MISSED = 10, 4, 7, 5, 7, 9


def exchange_costs() -> NDArray[np.int32]:
    """Return what it costs to hear one symbol for another, (41, 41) int32; 0 is the blank, 40 the end of a track.

    >>> p, b, aa, m = (PHONEMES.index(name) + 1 for name in ("P", "B", "AA", "M"))
    >>> costs = exchange_costs()
    >>> [int(costs[p, other]) for other in (p, b, m, aa)]
    [0, 4, 10, 10]
    """
    costs = np.full((len(PHONEMES) + 2, len(PHONEMES) + 2), COST, np.int32)
    groups = [
        (VOWELS, COST_VOWEL),
        *((manner, COST_MANNER) for manner in MANNERS),
        *((pair, COST_ALIKE) for pair in ALIKE),
    ]
    for names, cost in groups:
        members = [PHONEMES.index(name) + 1 for name in names.split()]
        costs[np.ix_(members, members)] = np.minimum(costs[np.ix_(members, members)], cost)
    np.fill_diagonal(costs, 0)
    return costs


EXCHANGE = exchange_costs()
PADDING = len(PHONEMES) + 1


@dataclass(frozen=True, slots=True)
class Pattern:
    """A word of a question, or two that stand side by side, as they sound."""

    text: str
    symbols: Pronunciation


def patterns(text: str, pronounce: Callable[[str], Pronunciation]) -> list[Pattern]:
    """Return what to listen for: the content words of a question and pairs of neighbours, each once.

    >>> [pattern.text for pattern in patterns("Who saw the rye bread?", lambda word: tuple(map(ord, word)))]
    ['saw', 'rye', 'bread', 'rye bread']
    """
    words = spoken_words(text)
    singles = [word for word in words if word not in STOP_WORDS]
    pairs = [f"{one} {two}" for one, two in pairwise(words) if not {one, two} & STOP_WORDS]
    found = []
    for said in dict.fromkeys([*singles, *pairs]):
        symbols = tuple(symbol for word in said.split() for symbol in pronounce(word))
        if len(symbols) >= SHORTEST:
            found.append(Pattern(said, symbols))
    return found[:MOST_PATTERNS]


def padded(tracks: Sequence[PhonemeTrack]) -> NDArray[np.uint8]:
    """Return tracks as one array (tracks, longest) uint8, filled up with PADDING."""
    symbols = np.full((len(tracks), max(len(track.symbols) for track in tracks)), PADDING, np.uint8)
    for row, track in zip(symbols, tracks, strict=True):
        row[: len(track.symbols)] = track.symbols
    return symbols


def align(symbols: Pronunciation, tracks: NDArray[np.uint8]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return (costs, starts) of the best stretch that ends at each place, both (tracks, longest) int32.

    ``tracks``: (tracks, longest) uint8, as ``padded`` makes them.

    >>> costs, starts = align((5, 6), np.array([[9, 5, 6, 9]], np.uint8))
    >>> costs.tolist(), int(starts[0, 2])
    ([[18, 9, 0, 7]], 1)
    """
    count, longest = tracks.shape
    scale = longest + 1
    places = np.arange(longest + 1, dtype=np.int32)
    # What the sounds up to each place would cost as added ones is taken off: so a chain of them costs nothing.
    added = COST_ADDED * scale * places
    # One number a place: cost * scale + (longest - start), so that the least one has the latest start.
    row = np.broadcast_to(longest - places - added, (count, longest + 1))
    for symbol in symbols:
        exchanged = row[:, :-1] + (EXCHANGE[symbol] - COST_ADDED)[tracks] * scale
        row = row + COST_MISSED * scale
        np.minimum(row[:, 1:], exchanged, out=row[:, 1:])
        np.minimum.accumulate(row, axis=1, out=row)
    found = row[:, 1:] + added[1:]
    return found // scale, longest - found % scale


def listen(sought: Sequence[Pattern], tracks: Sequence[PhonemeTrack]) -> list[tuple[Word, ...]]:
    """Return where each track has the patterns, in order of time and without overlap.

    >>> track = PhonemeTrack(np.array([9, 1, 2, 3, 9], np.uint8), np.array([0.0, 0.1, 0.2, 0.3, 0.4], np.float32))
    >>> ((word,),) = listen([Pattern("ace", (1, 2, 3))], [track])
    >>> word.text, round(word.start_s, 2), round(word.end_s, 2)
    ('ace', 0.1, 0.38)
    """
    if not sought or not tracks:
        return [()] * len(tracks)
    symbols = padded(tracks)
    is_sound = symbols != PADDING
    found: list[list[Occurrence]] = [[] for _ in tracks]
    for pattern in sought:
        costs, starts = align(pattern.symbols, symbols)
        for row, end in zip(*np.nonzero((costs <= allowance(pattern)) & is_sound), strict=True):
            agreement = COST * len(pattern.symbols) - int(costs[row, end])
            found[row].append(Occurrence(agreement, pattern.text, int(starts[row, end]), int(end)))
    return [chosen(occurrences, track.starts_s) for occurrences, track in zip(found, tracks, strict=True)]


class Occurrence(NamedTuple):
    """A stretch of a track, both ends included, that sounds like a pattern; ``agreement`` in tenths of a sound."""

    agreement: int
    text: str
    start: int
    end: int


def allowance(pattern: Pattern) -> int:
    """Return what a pattern may cost and still count as heard: the shorter its words, the more exact.

    >>> allowance(Pattern("rye", (1, 2, 3))), allowance(Pattern("bread", (4, 5, 6, 7)))
    (0, 3)
    >>> allowance(Pattern("rye bread", (1, 2, 3, 4, 5, 6, 7)))
    3
    """
    return COST_A_SOUND * (len(pattern.symbols) - SHORTEST * len(pattern.text.split()))


def chosen(occurrences: Iterable[Occurrence], starts_s: NDArray[np.float32]) -> tuple[Word, ...]:
    """Return the occurrences that agree best, at most MOST_OCCURRENCES of a word, none over another, by time."""
    kept: list[Occurrence] = []
    for one in sorted(occurrences, key=lambda one: (-one.agreement, one.start, one.end)):
        is_free = all(one.end < other.start or one.start > other.end for other in kept)
        if is_free and sum(one.text == other.text for other in kept) < MOST_OCCURRENCES:
            kept.append(one)
    kept.sort(key=lambda one: one.start)
    return tuple(Word(one.text, float(starts_s[one.start]), float(starts_s[one.end]) + LAST_S) for one in kept)


def marks(text: str, transcript: str) -> tuple[tuple[int, int], ...]:
    """Return where a transcript has words with the stem of a question's, as (start, end) of characters.

    >>> marks("Who built the bridges?", "The bridge, built in 1890.")
    ((4, 10), (12, 17))
    """
    sought = {stem(word) for word in spoken_words(text) if word not in STOP_WORDS}
    if not sought:
        return ()
    return tuple(
        match.span()
        for match in TRANSCRIBED.finditer(transcript)
        if any(stem(word) in sought for word in spoken_words(match.group()))
    )


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a passage was found: ``heard`` and ``marked`` of a hit."""

    heard: tuple[Word, ...] = ()
    marked: tuple[tuple[int, int], ...] = ()


NOTHING = Evidence()


def explain(
    text: str,
    pronounce: Callable[[str], Pronunciation],
    tracks: Mapping[str, PhonemeTrack],
    transcripts: Mapping[str, str],
) -> dict[str, Evidence]:
    """Return the evidence for a typed question in passages, by passage id, from what was heard and written down."""
    heard = dict(zip(tracks, listen(patterns(text, pronounce), list(tracks.values())), strict=True))
    return {
        passage_id: Evidence(heard.get(passage_id, ()), marks(text, transcripts.get(passage_id, "")))
        for passage_id in tracks.keys() | transcripts.keys()
    }
