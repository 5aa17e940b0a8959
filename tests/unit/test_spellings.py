"""Numbers, years and acronyms in all their spellings, and phrases in transcripts."""

from __future__ import annotations

import pytest

from speechsearch.text.spellings import MOST_SEVERAL, keys, places, readings, several_ways


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1984", "nineteen eighty-four"),
        ("1984", "nineteen hundred and eighty four"),
        ("1984", "one thousand nine hundred eighty four"),
        ("2005", "two thousand and five"),
        ("2005", "twenty oh five"),
        ("1905", "nineteen oh five"),
        ("1900", "nineteen hundred"),
        ("3", "three"),
        ("3rd", "third"),
        ("21st century", "twenty-first century"),
        ("1980s", "nineteen eighties"),
        ("12,000", "twelve thousand"),
        ("101", "one hundred and one"),
        ("100 men", "a hundred men"),
        ("911", "nine one one"),
        ("911", "nine eleven"),
        ("3.5", "three point five"),
        ("5%", "five per cent"),
        ("$5", "five dollars"),
        ("NASA", "N A S A"),
        ("NASA", "N.A.S.A."),
        ("nasa", "N-A-S-A"),
        ("B-52", "B fifty two"),
        ("Dr Who", "Doctor Who"),
        ("Café's", "cafe"),
    ],
)
def test_both_spellings_are_one(one: str, other: str) -> None:
    for phrase, text in ((one, other), (other, one)):
        framed = f"So, {text} it was."
        assert places(phrase, framed) == [(4, 4 + len(text.rstrip(".")))]


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("art", "a party"),
        ("model bridge", "the model of a bridge"),
        ("bridge model", "the model bridge"),
        ("1984", "1894"),
        ("", "anything"),
        ("\u202e", "\u202e\x00"),
        ("three", "thirty"),
    ],
)
def test_other_words_are_not(phrase: str, text: str) -> None:
    assert places(phrase, text) == []


def test_words_that_only_look_like_numbers_stay_words() -> None:
    assert [
        key.text for key in keys("hundreds of thousands, and a point")
    ] == "hundreds of thousands and a point".split()


def test_a_long_run_of_numbers_has_few_readings_and_takes_no_time() -> None:
    assert len(readings("1984 " * 300)) <= 8
    assert places("nine", "nine " * 5_000)[:1] == [(0, 4)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1984", ["nineteen eighty four", "one nine eight four"]),
        ("2005", ["two thousand and five", "twenty oh five"]),
        ("NASA", ["nasa", "n a s a"]),
        ("the F.B.I.", ["the f b i", "the fbi"]),
        ("WHO BUILT THE BRIDGE", ["who built the bridge"]),
    ],
)
def test_how_it_may_be_said(text: str, said: list[str]) -> None:
    found = [" ".join(words) for words in readings(text)]
    assert found[0] == said[0] and set(said) <= set(found)
    assert len(found) > 1 or len(said) == 1


@pytest.mark.parametrize("number", ["9" * 400, "9" * 400 + "th", "9" * 400 + ".5", "1" * 999 + "s", "٣" * 400 + "rd"])
def test_numbers_of_any_length_are_read(number: str) -> None:
    assert readings(number)[0] and keys(number)


def test_a_question_of_nothing_but_numbers_is_answered_in_time() -> None:
    assert len(several_ways(" ".join(map(str, range(1900, 2000))))) == MOST_SEVERAL
