"""What is typed besides words: quotation marks and minus signs, as people write them."""

from __future__ import annotations

import pytest

from speechsearch.domain.errors import EmptyQueryError
from speechsearch.domain.question_syntax import Question, demanded, read_question
from speechsearch.domain.values import Query
from speechsearch.service.search import understood


@pytest.mark.parametrize(
    ("typed", "text", "phrases", "excluded"),
    [
        ("why is octopus blood blue?", "why is octopus blood blue?", (), ()),
        ('"model bridge"', "model bridge", ("model bridge",), ()),
        ("“model bridge” and „red sun“", "model bridge and red sun", ("model bridge", "red sun"), ()),
        ("«red  sun»", "red sun", ("red sun",), ()),
        ('the "red" "red" sun', "the red red sun", ("red",), ()),
        ("octopus -blue", "octopus", (), ("blue",)),
        ("octopus −blue, -ink.", "octopus", (), ("blue", "ink")),
        ('octopus -"three hearts" blood', "octopus blood", (), ("three hearts",)),
        ("well-known - and -- or not", "well-known - and -- or not", (), ()),
        ("a state-of-the-art -well-known", "a state-of-the-art", (), ("well-known",)),
        ('a 6" pipe and a 4" one', 'a 6" pipe and a 4" one', (), ()),
        ("Wojciechowski's 'own' ferry", "Wojciechowski's 'own' ferry", (), ()),
        ('("red sun")', "( red sun )", ("red sun",), ()),
        ('"" bees', "bees", (), ()),
        ("-1984 war", "war", (), ("1984",)),
        ("", "", (), ()),
    ],
)
def test_questions_are_read(typed: str, text: str, phrases: tuple[str, ...], excluded: tuple[str, ...]) -> None:
    assert read_question(typed) == Question(text, phrases, excluded)


@pytest.mark.parametrize("typed", ['the "model bridge', 'model bridge" opened', 'a"b'])
def test_a_quotation_mark_without_a_partner_is_left_aside_and_said(typed: str) -> None:
    found = read_question(typed)
    assert '"' not in found.text and not found.has_demands
    assert demanded(found) == ("A quotation mark has no partner and was left aside.",)


def test_only_words_to_leave_out_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(EmptyQueryError, match=r"only says what to leave out: red sun, blue.*octopus -blue"):
        understood(Query('-blue -"red sun"'))
    with pytest.raises(EmptyQueryError, match="question is empty"):
        understood(Query('""'))
