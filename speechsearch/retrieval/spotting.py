"""The words of a question, looked for one by one in what may have been heard: finds names that no recogniser knows.

The second stage of the phonetic index, whose runs of phonemes choose the passages to look at.

Source: Robertson and Sparck Jones, 1976, weights of words by how many passages have them.
Differs: whether a passage has a word is a chance, from how well it fits; the weights come from a background sample.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.errors import EmptyQueryError
from speechsearch.domain.values import ChannelRank, PhonemeTrack, Query, SpokenWord
from speechsearch.retrieval.retriever import RankedPassage, Ranking, Retriever
from speechsearch.text.keywords import WORST, Tracks, best_places, joined, least_losses
from speechsearch.text.words import STOP_WORDS

NAME = "keywords"
KEPT_QUERIES = 64
"""A fused engine asks twice with the same query: for the best passages, then for the scores of some."""
CANDIDATES = 200
MOST_WORDS = 24
SHORTEST = 2
"""Phonemes that a word has at least to be looked for."""
VERDICTS = ("confirmed", "rejected")
EVEN, STEEPNESS = 1.0, 3.0
"""Nats a phoneme that a word loses where it is as likely as not to have been said, and how fast that changes."""
UNSEEN = 4
"""So many passages without any of the words are added to the background: one of three passages says little."""
ReadTracks = Callable[[Sequence[str]], Mapping[str, PhonemeTrack]]
Pronounce = Callable[[Query], Sequence[SpokenWord]]


class KeptTracks:
    """Reads tracks and keeps those asked for last; a passage's track never changes under its id."""

    def __init__(self, read: ReadTracks, most: int = 4_000) -> None:
        self._read, self._most = read, most
        self._kept: OrderedDict[str, PhonemeTrack] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, passage_ids: Sequence[str]) -> dict[str, PhonemeTrack]:
        """Return passage id -> track, for those that have one."""
        with self._lock:
            found = {one: self._kept[one] for one in passage_ids if one in self._kept}
        missing = [one for one in passage_ids if one not in found]
        read = self._read(missing) if missing else {}
        with self._lock:
            for one in (*found, *read):
                self._kept[one] = found[one] if one in found else read[one]
                self._kept.move_to_end(one)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return {**found, **read}


def content(words: Sequence[SpokenWord]) -> list[SpokenWord]:
    """Return the words to look for, each once: no stop words unless there are no others, none of a single sound.

    >>> [word.text for word in content([SpokenWord("who", ((1, 2),)), SpokenWord("octopus", ((1, 2, 3),))])]
    ['octopus']
    """
    sounding = {word.text: word for word in words if any(len(one) >= SHORTEST for one in word.pronunciations)}
    chosen = [word for text, word in sounding.items() if text not in STOP_WORDS] or list(sounding.values())
    return chosen[:MOST_WORDS]


def with_sounds(words: Sequence[SpokenWord], sounds: Sequence[SpokenWord]) -> list[SpokenWord]:
    """Return words with the further ways in which they, or several of them in a row, may sound.

    How a row sounds counts for each of its words: a passage that has all of it has each of them.

    >>> with_sounds([SpokenWord("red", ((1,),)), SpokenWord("sun", ((2,),))], [SpokenWord("red sun", ((3, 4),))])[1]
    SpokenWord(text='sun', pronunciations=((2,), (3, 4)), confirmed=frozenset(), rejected=frozenset())
    """
    found = []
    for word in words:
        ours = [one for one in sounds if word.text in one.text.split()]
        ways = (*word.pronunciations, *(way for one in ours for way in one.pronunciations))
        confirmed, rejected = (frozenset().union(*(getattr(one, name) for one in ours)) for name in VERDICTS)
        found.append(SpokenWord(word.text, tuple(dict.fromkeys(ways)), confirmed, rejected) if ours else word)
    return found


class KeywordRetriever:
    """Ranks passages by how well the words of a question fit what was heard.

    Args:
        name: what hits call it.
        first: chooses the passages that are looked at.
        pronounce: says how the words of a question sound.
        tracks: reads what was heard in passages.
        sample: gives the ids of some passages: a word that is heard in few of them counts for more.
    """

    def __init__(
        self,
        name: str,
        first: Retriever,
        pronounce: Pronounce,
        tracks: ReadTracks,
        sample: Callable[[], Sequence[str]],
    ) -> None:
        self.name, self.first = name, first
        self._pronounce, self._tracks, self._sample = pronounce, tracks, sample
        self._known = lru_cache(KEPT_QUERIES)(self._begun)
        self._drawn: tuple[Sequence[str], list[str], Tracks] = ((), [], joined([]))

    def _begun(self, query: Query) -> tuple[list[SpokenWord], NDArray[np.float32], dict[str, float]]:
        """Return a new question's words, their shares (words,), and the scores of the background by passage id."""
        words = content(with_sounds(self._pronounce(query), query.sounds))
        if not words:
            return [], np.zeros(0, np.float32), {}
        ids, tracks = self._background()
        heard = chances(judged(losses_of(words, tracks), words, ids))
        shares = shares_of(heard)
        return words, shares, dict(zip(ids, (heard * shares).sum(1).tolist(), strict=True))

    def _background(self) -> tuple[list[str], Tracks]:
        """Return the ids and tracks of the background, which is the same for many questions."""
        sample = self._sample()
        drawn, ids, tracks = self._drawn
        if drawn != sample:
            found = self._tracks(sample)
            ids, tracks = list(found), joined(list(found.values()))
            self._drawn = sample, ids, tracks
        return ids, tracks

    def retrieve(self, query: Query, limit: int) -> Ranking:
        """Return at most ``limit`` passages, best first. Raises EmptyQueryError."""
        ranking = self.first.retrieve(query, max(limit, CANDIDATES))
        started = time.perf_counter()
        scores = self.score(query, [one.passage_id for one in ranking.passages])
        ranked = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]
        passages = tuple(
            RankedPassage(passage_id, score, (ChannelRank(self.name, rank, score),))
            for rank, (passage_id, score) in enumerate(ranked, 1)
        )
        return Ranking(passages, ranking.encode_ms, ranking.search_ms + (time.perf_counter() - started) * 1000)

    def score(self, query: Query, passage_ids: Sequence[str]) -> dict[str, float]:
        """Return passage id -> score, for those that have a track: the share of the question heard there, 0 to 1.

        Raises:
            EmptyQueryError: nothing in the question can be pronounced.
        """
        words, shares, known = self._known(query)
        if not words:
            raise EmptyQueryError("Nothing in the question can be pronounced.", "Use words of letters or digits.")
        tracks = self._tracks([one for one in passage_ids if one not in known])
        heard = chances(judged(losses_of(words, joined(list(tracks.values()))), words, list(tracks)))
        known.update(zip(tracks, (heard * shares).sum(1).tolist(), strict=True))
        return {one: known[one] for one in passage_ids if one in known}


def losses_of(words: Sequence[SpokenWord], tracks: Tracks) -> NDArray[np.float32]:
    """Return how little each word loses in each track, nats a phoneme, (tracks, words) float32."""
    ways = [one for word in words for one in word.pronunciations]
    firsts = np.cumsum([0, *(len(word.pronunciations) for word in words)])[:-1]
    return np.minimum.reduceat(least_losses(ways, tracks), firsts, axis=1)


def judged(losses: NDArray[np.float32], words: Sequence[SpokenWord], passage_ids: Sequence[str]) -> NDArray[np.float32]:
    """Return losses (passages, words) where what people have heard counts: nothing is lost, or everything."""
    for place, word in enumerate(words):
        if word.confirmed or word.rejected:
            losses[[one in word.confirmed for one in passage_ids], place] = 0.0
            losses[[one in word.rejected for one in passage_ids], place] = WORST
    return losses


def chances(losses: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how likely a word was said where it loses so much, of any shape.

    >>> chances(np.array([0.0, 1.0, 3.0], np.float32)).round(3).tolist()
    [0.953000009059906, 0.5, 0.0020000000949949026]
    """
    return np.asarray(1 / (1 + np.exp(STEEPNESS * (losses - EVEN))), np.float32)


def shares_of(heard: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how much each word counts, (words,) float32 that add up to 1: the more, the fewer passages have it.

    ``heard``: the chance of each word in each background passage, (passages, words).

    >>> shares_of(np.array([[1, 0], [1, 0], [1, 1]], np.float32)).round(2).tolist()
    [0.33000001311302185, 0.6700000166893005]
    """
    have = heard.sum(0) + 0.5
    weights = np.log1p((len(heard) + UNSEEN + 1 - have) / have)
    return np.asarray(weights / weights.sum(), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """The best place of a word in each of several tracks.

    ``losses`` (tracks,) float32, nats a phoneme; ``starts_s``, ``ends_s`` (tracks,) float32, when its first and last
    phoneme begin; NaN where a track is empty.
    """

    word: SpokenWord
    losses: np.ndarray[tuple[int], np.dtype[np.float32]]
    starts_s: np.ndarray[tuple[int], np.dtype[np.float32]]
    ends_s: np.ndarray[tuple[int], np.dtype[np.float32]]


def places_of(words: Sequence[SpokenWord], tracks: Sequence[PhonemeTrack]) -> list[Places]:
    """Return the best place of each word in the tracks: of the pronunciation that fits best there."""
    ways = [one for word in words for one in word.pronunciations]
    everything = joined(tracks)
    losses, starts, ends = best_places(ways, everything)
    times_s = np.append(everything.starts_s, np.float32(np.nan))  # -1: nowhere
    found, first = [], 0
    for word in words:
        ours = slice(first, first + len(word.pronunciations))
        first = ours.stop
        rows = np.arange(len(tracks))
        best = losses[:, ours].argmin(1) + ours.start
        found.append(Places(word, losses[rows, best], times_s[starts[rows, best]], times_s[ends[rows, best]]))
    return found
