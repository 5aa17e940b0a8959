"""The JSON bodies of answers."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel

from speechsearch.api.bodies import HitBody, audio_address, page_address
from speechsearch.domain.answers import Answer, Citation, Evidence, Quotes, Sentence, SentenceKind
from speechsearch.domain.searched import searched_in
from speechsearch.domain.values import Passage, Span

NEAREST = 6
"""Passages at most in a whole answer."""


class CitationBody(BaseModel):
    """What a sentence stands on: a stretch of a recording, in seconds from its start; the addresses play just that.

    ``words_start_s``, ``words_end_s``: the very words that answer. ``likelihood``: the calibrated chance that they do.
    What was sent with the question has no ``recording_id`` and no addresses.
    """

    number: int
    recording_id: str
    passage_id: str
    title: str
    collection: str
    speaker: str
    date: str
    start_s: float
    end_s: float
    words_start_s: float
    words_end_s: float
    quote: str
    likelihood: float | None
    page_url: str
    audio_url: str

    @classmethod
    def of(cls, one: Citation) -> Self:
        """Return the body of a citation."""
        stretch = Passage(one.passage_id, one.recording_id, Span(one.start_s, one.end_s))
        known = {name: getattr(one, name) for name in cls.model_fields if not name.endswith("_url")}
        known["likelihood"] = None if one.likelihood is None else round(one.likelihood, 4)
        if not one.recording_id:
            return cls(**known, page_url="", audio_url="")
        return cls(**known, page_url=page_address(stretch), audio_url=audio_address(stretch))


class SentenceBody(BaseModel):
    """A sentence of an answer and what it cites; ``marked``: where it has the very words that answer."""

    text: str
    kind: SentenceKind
    marked: list[tuple[int, int]]
    citations: list[CitationBody]

    @classmethod
    def of(cls, one: Sentence) -> Self:
        """Return the body of a sentence."""
        citations = [CitationBody.of(cited) for cited in one.citations]
        return cls(text=one.text, kind=one.kind, marked=list(one.marked), citations=citations)


class QuotesBody(BaseModel):
    """What answers, before a language model has put it into words: to be shown until its sentences come."""

    sentences: list[SentenceBody]

    @classmethod
    def of(cls, quotes: Quotes) -> Self:
        """Return the body of quotes."""
        return cls(sentences=[SentenceBody.of(one) for one in quotes.sentences])


class EvidenceBody(BaseModel):
    """What is read for the answer, best first; ``asked``: the follow-up that was rewritten to ``question``."""

    question: str
    asked: str
    engine: str
    hits: list[HitBody]

    @classmethod
    def of(cls, evidence: Evidence) -> Self:
        """Return the body of the evidence."""
        results = evidence.results
        hits = [HitBody.of(hit) for hit in results.hits]
        return cls(question=evidence.question, asked=evidence.asked, engine=results.engine, hits=hits)


class AnswerBody(BaseModel):
    """A whole answer. ``text``: its sentences in a row, or why there is none; ``note``: what else is to be known.

    ``nearest``: what was found and read, best first. ``read``, ``transcribed``: passages that were read, and those that
    were written down for it. ``language_model``: who put it into words, "" for quotes; ``sent_to``: the host that the
    question and the quotes were sent to for that, "" for none. ``first_ms``: to the first quote or sentence. ``asked``:
    the follow-up that was rewritten to ``question``; empty where it stood alone.
    """

    question: str
    asked: str
    is_found: bool
    text: str
    note: str
    likelihood: float | None
    sentences: list[SentenceBody]
    nearest: list[HitBody]
    engine: str
    reader: str
    language_model: str
    sent_to: str
    searched_in: str
    read: int
    transcribed: int
    first_ms: float
    total_ms: float

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """Return the body of an answer."""
        return cls(
            question=answer.question,
            asked=answer.asked,
            is_found=answer.is_found,
            text=answer.text,
            note=answer.note,
            likelihood=None if answer.likelihood is None else round(answer.likelihood, 4),
            sentences=[SentenceBody.of(one) for one in answer.sentences],
            nearest=[HitBody.of(hit) for hit in answer.results.hits[:NEAREST]],
            engine=answer.engine,
            reader=answer.reader,
            language_model=answer.language_model,
            sent_to=answer.sent_to,
            searched_in=searched_in(answer.results) if answer.engine else "",
            read=answer.read,
            transcribed=answer.transcribed,
            first_ms=round(answer.first_ms, 1),
            total_ms=round(answer.total_ms, 1),
        )
