"""From a reader's scores to the words that answer, their sentence, and when they are said.

Source: Devlin et al., 2019 (arXiv 1810.04805), the likeliest span; Clark and Gardner, 2018 (arXiv 1710.10723), log-odds
against "no answer" that can be compared over passages.
Differs: where no span stands out, the sentence that has most of the scores is the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.values import Word
from speechsearch.models.base import ReadPassage
from speechsearch.text.question_words import content_stems, new_letters
from speechsearch.text.sentences import sentences
from speechsearch.text.spoken import spoken_words
from speechsearch.text.words import stem

LONGEST_SPAN_PIECES = 40
UNSURE = 1.0
"""A span whose sentence is likelier by so much is not the answer, its sentence is."""

MENTIONED = 0.6
"""So much of a topic's words are in a passage that is about it."""


@dataclass(frozen=True, slots=True)
class Extract:
    """What answers in a passage: the span, and the sentence around it, in characters.

    ``score``: log-odds of the span against that the passage has no answer; ``sentence_score``: of its sentence, over
    all that begins and ends in it; ``shared``: how much of the question's content words the passage has.
    """

    span: tuple[int, int]
    sentence: tuple[int, int]
    score: float
    sentence_score: float
    shared: float


def extract(question: str, text: str, read: ReadPassage) -> Extract | None:
    """Return what answers best in a passage, however unlikely it is; None where the passage has no words.

    A span stays within a sentence, and says something that the question does not, where the sentence has that.

    >>> offsets = np.array([[0, 3], [4, 7], [8, 12], [12, 13], [14, 16], [17, 21]], np.int32)
    >>> starts = np.array([-4, 0, 3, -9, -2, -3], np.float32)
    >>> found = extract("Who ran?", "Yes and Anna. He said.", ReadPassage(offsets, starts, starts))
    >>> found.span, found.sentence, found.score
    ((8, 12), (0, 13), 6.0)
    """
    is_new = new_letters(question, text)
    cases = []
    for place in sentences(text):
        inside = np.flatnonzero((read.offsets[:, 0] >= place[0]) & (read.offsets[:, 1] <= place[1]))
        if len(inside):
            starts, ends, offsets = read.starts[inside], read.ends[inside], read.offsets[inside]
            first, last = best_span(starts, ends, np.array([is_new[begin:end].any() for begin, end in offsets]))
            whole = float(np.logaddexp.reduce(starts) + np.logaddexp.reduce(ends))
            span = (int(offsets[first, 0]), int(offsets[last, 1]))
            cases.append((float(starts[first] + ends[last]), whole, span, place))
    if not cases:
        return None
    score, whole, span, place = max(cases)
    _, likeliest, _, sentence = max(cases, key=lambda case: case[1])
    shared = shared_words(question, text)
    if sentence != place and likeliest > whole + UNSURE:
        return Extract(sentence, sentence, likeliest, likeliest, shared)
    return Extract(span, place, score, whole, shared)


def best_span(
    starts: NDArray[np.float32], ends: NDArray[np.float32], is_new: NDArray[np.bool_] | None = None
) -> tuple[int, int]:
    """Return the pieces at which the likeliest span begins and ends, the end included.

    ``is_new``: pieces of which a span must have one, if there are any.

    >>> best_span(np.array([0, 5, 0], np.float32), np.array([9, 0, 2], np.float32))
    (0, 0)
    >>> odds = np.array([0, 5, 0], np.float32)
    >>> best_span(odds, np.array([3, 6, 2], np.float32), np.array([False, False, True]))
    (1, 2)
    """
    count = len(starts)
    together = starts[:, None] + ends[None, :]
    is_possible = np.triu(np.ones((count, count), bool)) & np.tril(np.ones((count, count), bool), LONGEST_SPAN_PIECES)
    if is_new is not None and is_new.any():
        before = np.concatenate([[0], np.cumsum(is_new)])
        is_possible &= before[None, 1:] > before[:-1, None]
    first, last = np.unravel_index(np.where(is_possible, together, -np.inf).argmax(), together.shape)
    return int(first), int(last)


def shared_words(question: str, text: str) -> float:
    """Return the share of a question's content words that a text has, by their stems; 0 where it has none.

    >>> shared_words("Who built the bridges?", "A bridge."), shared_words("Who is it?", "It is I.")
    (0.5, 0.0)
    """
    sought = content_stems(question)
    return len(sought & {stem(word) for word in spoken_words(text)}) / len(sought) if sought else 0.0


def mention(topic: str, text: str, heard: str = "") -> Extract | None:
    """Return the sentence with most of a topic's words, if MENTIONED of them are written or ``heard`` in the passage.

    Nothing is read, so the scores are 0.

    >>> mention("old ferry", "It rains. The ferry was old.").sentence, mention("old ferry", "Old wives.")
    ((10, 28), None)
    >>> mention("forth bridge", "The fourth bridge.", heard="forth").sentence
    (0, 18)
    """
    places = sentences(text)
    shared = shared_words(topic, f"{text} {heard}")
    if shared < MENTIONED or not places:
        return None
    place = max(places, key=lambda one: shared_words(topic, text[slice(*one)]))
    return Extract(place, place, 0.0, 0.0, shared)


def seconds(text: str, words: Sequence[Word], place: tuple[int, int], duration_s: float) -> tuple[float, float]:
    """Return when a stretch of a transcript is said, from the passage's start.

    By the times of its words, which stand in the text in order; where they are not known, by its share of the letters.

    >>> seconds("Hi, big dog.", (Word("Hi,", 0.5, 0.7), Word("big", 1.0, 1.2), Word("dog.", 1.2, 1.5)), (4, 11), 9.0)
    (1.0, 1.5)
    >>> seconds("aaaa bbbb ", (), (5, 10), 4.0)
    (2.0, 4.0)
    """
    found, position = [], 0
    for word in words:
        written = word.text.strip()
        start = text.find(written, position)
        if not written or start < 0:
            continue
        position = start + len(written)
        if start < place[1] and position > place[0]:
            found.append(word)
    if found:
        return found[0].start_s, max(found[-1].end_s, found[0].start_s)
    whole = max(1, len(text))
    return place[0] / whole * duration_s, place[1] / whole * duration_s
