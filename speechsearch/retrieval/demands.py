"""What a question demands of every answer: phrases that are said in it as they stand, and words that are not.

A phrase is looked for as one long word: whatever else is said between its words costs what it has of sounds. Both
spellings of numbers and acronyms count, in sound and in writing (``text.spellings``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product

from speechsearch.domain.errors import EmptyQueryError
from speechsearch.domain.question_syntax import Question
from speechsearch.domain.values import PhonemeTrack, Query, SpokenWord
from speechsearch.retrieval.spotting import Pronounce, losses_of
from speechsearch.text.keywords import joined
from speechsearch.text.spellings import keys, places, readings, several_ways
from speechsearch.text.words import content_words

LOSS_A_SOUND, MOST_LOSS = 0.25, 0.75
"""Nats a phoneme that a phrase, or a word that must not be said, may lose; see benchmarks/heard_words.py."""
SHORTEST = 3
MOST_WAYS = 16
MOST_DEMANDS, LONGEST_PHRASE = 10, 20
Texts = Mapping[str, Sequence[str]]


def allowance(one: SpokenWord) -> float:
    """Return what a phrase may lose and count as said, nats a phoneme; below SHORTEST phonemes nothing is sure.

    >>> [allowance(SpokenWord("", ((1,) * count,))) for count in (2, 3, 4, 9)]
    [-1.0, 0.25, 0.5, 0.75]
    """
    sounds = min((len(way) for way in one.pronunciations), default=0)
    return min(MOST_LOSS, LOSS_A_SOUND * (sounds - SHORTEST + 1)) if sounds >= SHORTEST else -1.0


def as_one(text: str, pronounce: Pronounce, sounds: Sequence[SpokenWord] = ()) -> SpokenWord:
    """Return a phrase as one long word: its words' pronunciations behind each other, in all readings of it.

    ``sounds``: further ways in which phrases may sound, and what is known of where they are said.

    Raises:
        EmptyQueryError: nothing in it can be looked for, or it is too long.
    """
    said = readings(text)[0]
    if not keys(text) or not said or len(said) > LONGEST_PHRASE:
        raise EmptyQueryError(
            f"The phrase {text!r:.80} cannot be looked for.", f"Use 1 to {LONGEST_PHRASE} words of letters or digits."
        )
    known = [one for one in sounds if one.text == " ".join(said)]
    ways = [way for one in known for way in one.pronunciations]
    for words in readings(text):
        ways += joined_ways(pronounce(Query(" ".join(words))))
    return SpokenWord(
        " ".join(said),
        tuple(dict.fromkeys(way for way in ways if way))[:MOST_WAYS],
        frozenset().union(*(one.confirmed for one in known)),
        frozenset().union(*(one.rejected for one in known)),
    )


def joined_ways(words: Sequence[SpokenWord]) -> list[tuple[int, ...]]:
    """Return the ways to say words in a row, at most MOST_WAYS: the more words, the fewer of each.

    >>> joined_ways([SpokenWord("a", ((1,), (2,))), SpokenWord("b", ((3,),))])
    [(1, 3), (2, 3)]
    """
    each = max(1, int(MOST_WAYS ** (1 / max(1, len(words)))))
    chosen = product(*(word.pronunciations[:each] for word in words if word.pronunciations))
    return [tuple(symbol for way in ways for symbol in way) for ways in islice(chosen, MOST_WAYS)]


def other_readings(text: str, pronounce: Pronounce) -> tuple[SpokenWord, ...]:
    """Return the numbers and acronyms of a question that may be said otherwise than it is usual, and how."""
    found = []
    for words, others in several_ways(text):
        ways = [way for other in others for way in joined_ways(pronounce(Query(" ".join(other))))]
        found.append(SpokenWord(" ".join(words), tuple(dict.fromkeys(ways))[:MOST_WAYS]))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Demand:
    """A phrase as it was typed, and as it sounds."""

    text: str
    sound: SpokenWord


class Demands:
    """Says which passages have what a question demands.

    Args:
        question: with phrases, or with words that are left out.
        pronounce: says how words sound.
        sounds, excluded_sounds: further ways in which phrases, and what is to be left out, may sound.

    Raises:
        EmptyQueryError: there are too many of them, or one cannot be looked for.
    """

    def __init__(
        self,
        question: Question,
        pronounce: Pronounce,
        sounds: Sequence[SpokenWord] = (),
        excluded_sounds: Sequence[SpokenWord] = (),
    ) -> None:
        if len(question.phrases) + len(question.excluded) > MOST_DEMANDS:
            raise EmptyQueryError(
                "There are too many phrases and words to leave out.", f"At most {MOST_DEMANDS} are possible."
            )
        self._pronounce = pronounce
        self.phrases, self.excluded = (
            [Demand(text, as_one(text, pronounce, known)) for text in texts]
            for texts, known in ((question.phrases, sounds), (question.excluded, excluded_sounds))
        )
        words = content_words(question.text)
        self._names = [
            one.rejected for one in sounds if one.rejected and all(word in one.text.split() for word in words)
        ]

    @property
    def are_any(self) -> bool:
        """Whether anything is demanded."""
        return bool(self.phrases or self.excluded or self._names)

    def met(self, passage_ids: Sequence[str], tracks: Mapping[str, PhonemeTrack], texts: Texts) -> list[str]:
        """Return which passages have all phrases, in sound or in writing, and nothing that is to be left out.

        A question that is nothing but a name leaves out where somebody has heard that it is not said.

        Args:
            passage_ids: the passages.
            tracks: what is heard in them; without, only what is written counts.
            texts: passage id -> transcripts of it; without, only what is heard counts.
        """
        kept = [one for one in passage_ids if not any(one in rejected for rejected in self._names)]
        for demand in self.phrases:
            said = self._said(demand, kept, tracks, texts)
            kept = [one for one in kept if one in said]
        for demand in self.excluded:
            said = self._said(demand, kept, tracks, texts, is_to_be_sure=True)
            kept = [one for one in kept if one not in said]
        return kept

    def _said(
        self,
        demand: Demand,
        passage_ids: Sequence[str],
        tracks: Mapping[str, PhonemeTrack],
        texts: Texts,
        *,
        is_to_be_sure: bool = False,
    ) -> set[str]:
        """Return in which passages a phrase is said; ``is_to_be_sure``: what other words sound like does not count."""
        sound, found = demand.sound, set()
        heard = heard_in(sound, passage_ids, tracks)
        for one in passage_ids:
            written = texts.get(one, ())
            is_heard = one in heard and not (is_to_be_sure and any(map(self._explains(demand), written)))
            if one in sound.confirmed or any(places(demand.text, text) for text in written) or is_heard:
                found.add(one)
        return found - sound.rejected

    def _explains(self, demand: Demand) -> Callable[[str], bool]:
        """Return what says whether other words that are written sound like it: party has art in it."""
        ways = [bytes(way) for way in demand.sound.pronunciations]

        def is_in(text: str) -> bool:
            words = [bytes(word.pronunciations[0]) for word in self._pronounce(Query(text)) if word.pronunciations]
            return any(way in b"".join(words) for way in ways)

        return is_in


def heard_in(one: SpokenWord, passage_ids: Sequence[str], tracks: Mapping[str, PhonemeTrack]) -> set[str]:
    """Return in which passages a phrase is heard."""
    ids = [passage_id for passage_id in passage_ids if passage_id in tracks]
    if not ids or not one.pronunciations:
        return set()
    losses = losses_of([one], joined([tracks[passage_id] for passage_id in ids]))[:, 0].tolist()
    return {passage_id for passage_id, loss in zip(ids, losses, strict=True) if loss <= allowance(one)}
