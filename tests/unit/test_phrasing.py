"""Quotes that are put into words within a time, by a model that may be slow, fail, or be left alone in the midst."""

from __future__ import annotations

import threading
import time

import pytest

from speechsearch.domain.answers import Citation, Sentence
from speechsearch.service.phrasing import AT_WORK, Phraser
from tests.tiny.writer import Writer

QUOTES = [
    Sentence(text, (Citation(number, f"r{number}", f"p{number}", 0.0, 2.0, 0.0, 1.0, text, "Title"),))
    for number, text in enumerate(("Anna Kowalska built it in 1890.", "Bob sold the ferry."), 1)
]


def told(phraser: Phraser) -> tuple[list[Sentence], str]:
    """What comes, and what is said to have gone wrong; what comes is what is returned."""
    came: list[Sentence] = []
    written = phraser.phrase("Who?", QUOTES)
    while True:
        try:
            came.append(next(written))
        except StopIteration as ended:
            said, note = ended.value
            assert said == came
            return came, note


def test_what_is_written_in_time_is_the_answer() -> None:
    writer = Writer()
    sentences, note = told(Phraser(writer, 30))
    assert [one.text for one in sentences] == ["Anna built it.", "Bob sold it."] and note == ""
    assert writer.is_closed.wait(5) and "never follow" in writer.asked[0][0].content


@pytest.mark.parametrize(("at", "expected"), [(0, [one.text for one in QUOTES]), (2, ["Anna built it."])])
def test_what_takes_too_long_ends_with_what_was_said_or_the_quotes(at: int, expected: list[str]) -> None:
    writer = Writer(waits_at=at)
    started_s = time.monotonic()
    sentences, note = told(Phraser(writer, 0.2))
    assert time.monotonic() - started_s < 10
    assert [one.text for one in sentences] == expected and "longer than 0.2 s" in note
    assert not writer.is_closed.is_set()
    writer.may_go_on.set()
    assert writer.is_closed.wait(5), "the thread ends with the piece that it was at"


@pytest.mark.parametrize(("at", "expected"), [(0, [one.text for one in QUOTES]), (2, ["Anna built it."])])
def test_a_model_that_fails_leaves_what_was_said_or_the_quotes(at: int, expected: list[str]) -> None:
    sentences, note = told(Phraser(Writer(fails_at=at), 30))
    assert [one.text for one in sentences] == expected and note.endswith("The server is gone.")
    sentences, note = told(Phraser(Writer(fails_at=at, failure=RuntimeError("out of memory")), 30))
    assert [one.text for one in sentences] == expected and note.endswith("these are the quotes.")


def test_who_leaves_in_the_midst_stops_the_model() -> None:
    writer = Writer(waits_at=2)
    sentences = Phraser(writer, 30).phrase("Who?", QUOTES)
    assert next(sentences).text == "Anna built it."
    sentences.close()
    writer.may_go_on.set()
    assert writer.is_closed.wait(5)


def test_a_model_that_goes_on_and_on_is_stopped_after_three_sentences() -> None:
    writer = Writer(["Anna built it [1].", " Bob sold it [2].", " Bob sold the ferry [2]."] + [" More."] * 10_000)
    sentences, _ = told(Phraser(writer, 30))
    assert [one.text for one in sentences][:2] == ["Anna built it.", "Bob sold it."] and len(sentences) == 3
    assert writer.is_closed.wait(5)


def test_a_model_slower_than_its_time_gathers_no_threads() -> None:
    writer = Writer(waits_at=0)
    phraser = Phraser(writer, 0.05)
    for _ in range(AT_WORK):
        assert "longer than" in told(phraser)[1]
    before = threading.active_count()
    started_s = time.monotonic()
    for _ in range(3):
        sentences, note = told(phraser)
        assert [one.text for one in sentences] == [one.text for one in QUOTES] and "earlier questions" in note
    assert threading.active_count() == before and len(writer.asked) == AT_WORK
    assert time.monotonic() - started_s < 5
    writer.may_go_on.set()
    for thread in [one for one in threading.enumerate() if one.name == "language-model"]:
        thread.join(10)
    assert [one.text for one in told(Phraser(writer, 30))[0]] == ["Anna built it.", "Bob sold it."]
    assert [one.text for one in told(phraser)[0]] == ["Anna built it.", "Bob sold it."], "places are given back"
