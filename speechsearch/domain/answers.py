"""An answer from recordings, sentence by sentence, and each with the sound that says it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from speechsearch.domain.values import Results

SentenceKind = Literal["quote", "counted", "phrased"]
"""Said so in a recording; counted or listed by the program; put into words by a language model."""


@dataclass(frozen=True, slots=True)
class Citation:
    """A stretch of a recording that an answer stands on, in seconds from the recording's start.

    ``quote``: the sentence that is said there, as the recogniser wrote it; ``words_start_s``, ``words_end_s``: the very
    words in it that answer. ``likelihood``: the calibrated chance that it answers, None where that was never measured.
    """

    number: int
    recording_id: str
    passage_id: str
    start_s: float
    end_s: float
    words_start_s: float
    words_end_s: float
    quote: str
    title: str
    collection: str = ""
    speaker: str = ""
    date: str = ""
    likelihood: float | None = None


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an answer with what it cites, at least one.

    ``marked``: where the sentence has the very words that answer, as (start, end) of characters.
    """

    text: str
    citations: tuple[Citation, ...]
    kind: SentenceKind = "quote"
    marked: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Earlier:
    """A question that was put before in the same thread, and what its answer cited, in order.

    ``words``: the very words that answered. ``titles``, ``speakers``: of the recordings cited.
    """

    question: str
    words: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()
    speakers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What was found and is read for the answer; the first event. ``question``: as it was understood or heard.

    ``asked``: what was typed or said, where it was a follow-up and ``question`` is what it was rewritten to.
    """

    question: str
    results: Results
    asked: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Quotes:
    """What answers, before a language model has put it into words; shown until its sentences come."""

    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The whole answer; the last event. Without sentences nothing was found, and ``reason`` says so in words.

    ``note``: what else is to be known, for example that a language model could not be asked.
    ``asked``: as in the evidence.

    ``likelihood``: the calibrated chance that the first sentence answers; None where that was never measured.
    ``language_model``: who put it into words; empty where it is quotes. ``sent_to``: the host that question and quotes
    were sent to for that; empty where they stayed on this machine. ``transcribed``: so many passages were written
    down for it. ``first_ms``, ``total_ms``: from the question to the first quote or sentence, and to the end.
    """

    question: str
    engine: str
    sentences: tuple[Sentence, ...] = ()
    reason: str = ""
    note: str = ""
    likelihood: float | None = None
    reader: str = ""
    language_model: str = ""
    sent_to: str = ""
    read: int = 0
    transcribed: int = 0
    first_ms: float = 0.0
    total_ms: float = 0.0
    results: Results = field(default_factory=lambda: Results("", (), False, 0.0, 0.0))
    asked: str = ""

    @property
    def is_found(self) -> bool:
        """Whether the recordings answer.

        >>> Answer("Why?", "all").is_found
        False
        """
        return bool(self.sentences)

    @property
    def text(self) -> str:
        """The sentences in a row, or why there is none.

        >>> Answer("Why?", "all", reason="Nothing was found.").text
        'Nothing was found.'
        """
        return " ".join(one.text for one in self.sentences) or self.reason

    @property
    def earlier(self) -> Earlier:
        """What a question that follows is understood by."""
        cited = [one for sentence in self.sentences for one in sentence.citations]
        return Earlier(
            self.question,
            tuple(one.text[start:end] for one in self.sentences for start, end in one.marked),
            tuple(dict.fromkeys(one.title for one in cited)),
            tuple(dict.fromkeys(one.speaker for one in cited if one.speaker)),
        )


AnswerEvent = Evidence | Quotes | Sentence | Answer
"""What a question is answered with, in order: the evidence, the quotes if a language model is to put them into words,
sentence by sentence, and the whole."""
