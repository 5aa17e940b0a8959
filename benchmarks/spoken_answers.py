"""Measure answers on spoken texts that were held out: with the recording that answers, and without it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.answer_scores import Scores, is_played, is_played_exactly, likeliest, row, times
from speechsearch.answers.check import support
from speechsearch.domain.answers import Answer
from speechsearch.models.base import Reader
from speechsearch.service.open import Service
from speechsearch.training.answer_sets import SpokenSet, parts_of
from speechsearch.training.reader_data import Section
from speechsearch.training.spoken_questions import SpokenQuestion


@dataclass
class Counted:
    """What was counted of one kind of text."""

    refused: list[bool] = field(default_factory=list)
    refused_without: list[bool] = field(default_factory=list)
    right_recording: list[bool] = field(default_factory=list)
    played: list[bool] = field(default_factory=list)
    played_exactly: list[bool] = field(default_factory=list)
    words: Scores = field(default_factory=Scores)
    heard: Scores = field(default_factory=Scores)
    written: Scores = field(default_factory=Scores)
    supported: list[tuple[int, int]] = field(default_factory=list)
    first_ms: list[float] = field(default_factory=list)
    total_ms: list[float] = field(default_factory=list)
    processor_ms: list[float] = field(default_factory=list)


def count(counted: Counted, answer: Answer, asked: SpokenQuestion, spoken: SpokenSet) -> None:
    """Count an answer to a question that is answered in what was asked."""
    counted.refused.append(not answer.is_found)
    counted.total_ms.append(answer.total_ms)
    if not answer.is_found:
        return
    counted.first_ms.append(answer.first_ms)
    first = answer.sentences[0]
    cited = first.citations[0]
    is_right = cited.recording_id == spoken.ids[asked.recording]
    counted.right_recording.append(is_right)
    gold = spoken.times_s(asked)
    counted.played.append(is_right and any(is_played(one, (cited.start_s, cited.end_s)) for one in gold))
    if not asked.is_sentence:
        words_s = (cited.words_start_s, cited.words_end_s)
        counted.played_exactly.append(is_right and any(is_played_exactly(one, words_s) for one in gold))
        counted.words.add(" ".join(first.text[slice(*place)] for place in first.marked), asked.answer)


def measure(service: Service, reader: Reader, questions: Sequence[SpokenQuestion], collection: str) -> list[Counted]:
    """Return what is counted of stories, whose questions are put to the story, and of paragraphs, put to all."""
    spoken = SpokenSet(service, collection)
    questions = [one for one in questions if one.recording in spoken.ids]
    stories, paragraphs = Counted(), Counted()
    for asked in questions[:2]:
        service.ask.whole(spoken.query(asked, is_answerable=True))  # models are loaded
    for asked in questions:
        counted = stories if asked.among else paragraphs
        begun_s = time.process_time()
        answer = service.ask.whole(spoken.query(asked, is_answerable=True))
        counted.processor_ms.append((time.process_time() - begun_s) * 1000)
        count(counted, answer, asked, spoken)
        without = service.ask.whole(spoken.query(asked, is_answerable=False))
        counted.refused_without.append(not without.is_found)
        for sentence in (*answer.sentences, *without.sentences):
            if sentence.kind != "counted":
                counted.supported.append(support(sentence.text, [one.quote for one in sentence.citations]))
        if not asked.is_sentence:
            said = [one.text for _, one in service.browse.transcribed(spoken.ids[asked.recording]) if one and one.text]
            section = Section("", "", "test", asked.text)
            counted.heard.add(likeliest(reader, asked.question, said), asked.answer)
            counted.written.add(
                likeliest(reader, asked.question, [part.text for part in parts_of(section)]), asked.answer
            )
    return [stories, paragraphs]


def lines(name: str, counted: Counted) -> list[str]:
    """Return the tables of one kind of text."""
    supported, words = map(sum, zip(*counted.supported, strict=True)) if counted.supported else (0, 0)
    return [
        f"| {name} | n | value |",
        "|---|---|---|",
        row("without the recording that answers: refused", counted.refused_without),
        row("with it: refused", counted.refused),
        row("first citation is of that recording, of those answered", counted.right_recording),
        row("first citation plays the answer, of those answered", counted.played),
        row("its very words overlap with a literal answer by half", counted.played_exactly),
        f"| content words of sentences that the quotes have | {words} | {supported / max(1, words):.3f} |",
        times("first sentence after (median / 95 %)", counted.first_ms),
        times("whole answer after (median / 95 %)", counted.total_ms),
        times("processor time of all threads for it (median / 95 %)", counted.processor_ms),
        "",
        "| literal answers | n | EM | F1 |",
        "|---|---|---|---|",
        counted.words.row("words marked, of those answered"),
        counted.heard.row("likeliest words of the right recording's transcript"),
        counted.written.row("likeliest words of its text as it was written"),
    ]
