"""Labels for readers without transcripts: alignment with books, agreement with a recogniser, on hand-worked cases."""

from __future__ import annotations

import numpy as np
import pytest

from speechsearch.domain.values import Word
from speechsearch.text.lexicon import Lexicon, Pronunciation
from speechsearch.training.new_readers import (
    EDIT,
    Reading,
    agreed,
    align_words,
    between_pauses,
    candidates,
    closest,
    edge_distance,
    last_costs,
    ngrams,
    numeral,
    read_headings,
)

CAT, SAT, MAT, THE = (1, 2, 3), (4, 2, 3), (5, 2, 3), (6, 7)


def heard(*symbols: int) -> np.ndarray:
    return np.array(symbols, np.int64)


def silent(word: str) -> Pronunciation:
    raise KeyError(word)


def reading_of(text: str) -> Reading:
    symbols = np.array([symbol for sound in Lexicon(silent).pronounce_text(text) for symbol in sound])
    return Reading("1-2-0000", np.zeros(16_000 * len(symbols) // 10, np.int16), symbols, np.arange(len(symbols)) / 10)


@pytest.mark.parametrize(
    ("sounds", "expected"),
    [
        (heard(*CAT, *SAT), (1, 3, 0)),  # whole words
        (heard(9, *CAT, *SAT), (1, 3, 1)),  # a symbol too many at the start
        (heard(2, 3, *SAT), (1, 3, 1)),  # the first symbol was missed: the word is whole all the same
        (heard(*CAT, *SAT, 6, 8, *MAT), (1, 5, 1)),  # a substitution inside
        (heard(*MAT), (4, 5, 0)),  # the end of the text
        (heard(*THE), (0, 1, 0)),  # of two places the first
    ],
)
def test_align_words_finds_whole_words(sounds: np.ndarray, expected: tuple[int, int, int]) -> None:
    assert align_words(sounds, [THE, CAT, SAT, THE, MAT]) == expected


def test_last_costs_of_a_fixed_start_is_the_edit_distance() -> None:
    first = np.arange(5) * EDIT
    assert (last_costs(heard(1, 2, 3), heard(1, 3, 4, 5), first) // EDIT).tolist() == [3, 2, 1, 2, 3]


def test_edge_distance_sees_a_wrong_beginning_that_the_whole_hides() -> None:
    said = np.arange(200) % 39
    strange = said.copy()
    strange[:20] = 50
    assert edge_distance(strange, said) == 1.0
    assert edge_distance(strange[::-1], said[::-1]) == 1.0
    assert edge_distance(said, said) == 0.0


def test_a_short_text_has_no_ngrams() -> None:
    assert len(ngrams(heard(1, 2, 3, 4))) == 0 and len(ngrams(heard(1, 2, 3, 4, 5))) == 1


@pytest.mark.parametrize(("roman", "value"), [("I", 1), ("IX", 9), ("XL", 40), ("XCIV", 94)])
def test_numeral(roman: str, value: int) -> None:
    assert numeral(roman) == value


def test_only_numbers_of_headings_are_read() -> None:
    assert read_headings("Book II, CHAPTER XIX. I came.") == "Book 2, CHAPTER 19. I came."
    assert read_headings("the book I wrote") == "the book I wrote"


def test_a_reading_is_found_in_the_book_that_has_its_words() -> None:
    said = "the white cliffs of england rose from the morning sea like a wall of snow"
    filler = "several other people had already taken their places at the long table near the window " * 40
    library = [("wrong", [filler]), ("right", [filler, f"It was late. {said}. Nobody spoke.", filler])]
    reading = reading_of(said)
    stretches = candidates([reading], library)
    assert stretches[0][0][1] == "right"
    found = closest(reading, stretches[0], Lexicon(silent))
    assert found is not None
    words, title, edge = found
    assert (" ".join(words.words), title, edge) == (said, "right", 0.0)


def test_pauses_part_words() -> None:
    words = [Word("a", 0.0, 1.0), Word("b", 1.1, 2.0), Word("c", 2.5, 3.0)]
    assert [len(group) for group in between_pauses(words, 0.05)] == [1, 1, 1]
    assert [len(group) for group in between_pauses(words, 9.0)] == [3]
    assert between_pauses([], 0.1) == []


def test_only_the_parts_that_agree_are_kept() -> None:
    reading = reading_of("wonderful yesterday morning terrible mountain weather")  # ten symbols a second
    first = len(reading_of("wonderful yesterday morning").symbols) / 10
    end = len(reading.symbols) / 10
    words = [
        Word("wonderful", 0.0, 0.8),
        Word("yesterday", 0.8, 1.6),
        Word("morning", 1.6, first - 0.1),
        Word("possible", first + 0.1, end - 1),
        Word("generation", end - 1, end),
    ]
    labels = agreed(reading, words, Lexicon(silent))
    assert [" ".join(one.words) for one in labels] == ["wonderful yesterday morning"]
    assert labels[0].start_s == 0.0 and labels[0].end_s == pytest.approx(first) and labels[0].distance == 0.0
