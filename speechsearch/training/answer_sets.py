"""Questions put to a collection of texts, with and without an answer there: for fitting and for measuring answers."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechsearch.domain.values import FloatMatrix
from speechsearch.models.base import TextEncoder
from speechsearch.text.sentences import sentences
from speechsearch.training.reader_data import Asked, Section, Sections, fairytale_questions, sentence_questions

PASSAGE_WORDS = 70
"""About half a minute of speech."""
READ = 6


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a section, as a passage of a recording is one, and where it begins there."""

    section: Section
    start: int
    text: str


@dataclass(frozen=True, slots=True)
class Case:
    """A question, the passages that a search finds for it, best first, and whether each has the answer.

    ``similarities``: of the passages' vectors to the question's, -1 to 1.
    """

    asked: Asked
    parts: tuple[Part, ...]
    similarities: tuple[float, ...]
    has_answer: tuple[bool, ...]
    is_answerable: bool


def parts_of(section: Section) -> list[Part]:
    """Return a section in stretches of whole sentences of about PASSAGE_WORDS.

    >>> story = Section("a", "1", "val", ("One two three. " * 30).strip())
    >>> [(one.start, len(one.text.split())) for one in parts_of(story)]
    [(0, 72), (360, 18)]
    """
    found, start, words = [], 0, 0
    for begin, end in sentences(section.text):
        start = begin if not words else start
        words += len(section.text[begin:end].split())
        if words >= PASSAGE_WORDS:
            found.append(Part(section, start, section.text[start:end]))
            words = 0
    if words:
        found.append(Part(section, start, section.text[start:]))
    return found


def has_answer(part: Part, asked: Asked) -> bool:
    """Say whether a passage has the answer to a question, at one of the places where it stands."""
    end = part.start + len(part.text)
    return part.section is asked.section and any(part.start < stop and end > begin for begin, stop in asked.spans)


def cases(asked: Sequence[Asked], known: Sections, encoder: TextEncoder) -> Iterator[Case]:
    """Yield two cases a question: put to the sections of its story, and to these without the one that answers.

    The search is by the text encoder's vectors.
    """
    stories: dict[str, tuple[list[Part], FloatMatrix]] = {}
    for one in asked:
        story = one.section.story
        if story not in stories:
            parts = [part for section in known.of_story[story] for part in parts_of(section)]
            stories[story] = parts, encoder.encode_passages([part.text for part in parts])
        parts, vectors = stories[story]
        similar = vectors @ encoder.encode_queries([one.question])[0]
        order = [(parts[place], float(similar[place])) for place in np.argsort(-similar, kind="stable")]
        yield _case(one, order, is_answerable=True)
        yield _case(one, [pair for pair in order if pair[0].section is not one.section], is_answerable=False)


def tales(data: Path, split: str, count: int, seed: int = 1) -> tuple[list[Asked], Sections]:
    """Return questions of a part of FairytaleQA, drawn by chance, and its sections."""
    known, asked = fairytale_questions(data, split)
    return random.Random(seed).sample([one for one in asked if one.spans], count), known


def pairs(data: Path, first: float, last: float, count: int, seed: int = 1) -> tuple[list[Asked], Sections]:
    """Return questions of a stretch of the SQuAD pairs, drawn by chance, and that stretch's paragraphs."""
    _, asked = sentence_questions(data)
    stretch = asked[int(len(asked) * first) : int(len(asked) * last)]
    known = Sections()
    for section in dict.fromkeys(one.section for one in stretch):
        known.add(section)
    return random.Random(seed).sample(stretch, count), known


def _case(asked: Asked, order: Sequence[tuple[Part, float]], *, is_answerable: bool) -> Case:
    read, similarities = zip(*order[:READ], strict=True)
    return Case(asked, read, similarities, tuple(has_answer(part, asked) for part in read), is_answerable)
