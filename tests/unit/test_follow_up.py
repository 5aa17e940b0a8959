"""Follow-up questions: what they become, what stays as it is, what nobody can break."""

from __future__ import annotations

import random
import time

import pytest

from speechsearch.answers.follow_up import LONGEST, stands_alone
from speechsearch.domain.answers import Answer, Citation, Earlier, Sentence

FERRY = "What did Wojciechowski say about the ferry and the bridge?"
MAKER = "How many bagpipes has the maker from Ciche made?"
OCTOPUS = "Why is octopus blood blue?"
BRIDGE = "Who built the Forth Bridge?"


def thread(question: str) -> list[Earlier]:
    """One question, answered by Benjamin Baker, from two recordings."""
    return [Earlier(question, ("Benjamin Baker",), ("On ferries", "Seven bridges"), ("Ann Tey", "Bo Lund"))]


@pytest.mark.parametrize(
    ("before", "question", "expected"),
    [
        (MAKER, "And when?", "When has the maker from Ciche made bagpipes?"),
        (MAKER, "where exactly?", "Where exactly has the maker from Ciche made bagpipes?"),
        (MAKER, "Where does he live?", "Where does Benjamin Baker live?"),
        (MAKER, "And in 1990?", "How many bagpipes has the maker from Ciche made in 1990?"),
        (OCTOPUS, "Where does it flow?", "Where does octopus blood flow?"),
        (OCTOPUS, "What about squid?", "Why is squid blue?"),
        (OCTOPUS, "When was that?", "When is octopus blood blue?"),
        (FERRY, "what about the second one?", FERRY.replace("?", " in Seven bridges?")),
        (FERRY, "And the last one?", FERRY.replace("?", " in Seven bridges?")),
        (FERRY, "What about Kowalski?", FERRY.replace("Wojciechowski", "Kowalski")),
        (FERRY, "How long did it take?", "How long did the ferry take?"),
        (BRIDGE, "When?", "When was it that they built the Forth Bridge?"),
        (BRIDGE, "When was he born?", "When was Benjamin Baker born?"),
        (BRIDGE, "Why did they build it?", "Why did they build the Forth Bridge?"),
        (BRIDGE, "Who is the first one?", "Who is Ann Tey?"),
        (BRIDGE, "Who else?", "Who else built the Forth Bridge?"),
        ("Did the ferry stop?", "Why?", "Why did the ferry stop?"),
        ("octopus", "why?", "Why: octopus?"),
        ("Who kept the light at Garreg?", "Who lives there?", "Who lives in Garreg?"),
        ("Who is Emmy Noether?", "What was her father's name?", "What was Benjamin Baker's father's name?"),
    ],
)
def test_a_follow_up_stands_alone(before: str, question: str, expected: str) -> None:
    assert stands_alone(question, thread(before)) == expected


def test_a_name_of_the_question_counts_where_nobody_answered() -> None:
    before = [Earlier("When did Emmy Noether come to Gottingen?")]
    assert stands_alone("Who wanted her?", before) == "Who wanted Emmy Noether?"
    assert stands_alone("What was her father's name?", before) == "What was Emmy Noether's father's name?"
    assert stands_alone("Who was he?", [Earlier(MAKER)]) == "Who was the maker from Ciche?"


@pytest.mark.parametrize(
    "question",
    [
        OCTOPUS,
        "And who built the ferry?",
        "Is it true that eels are born in the sea?",
        "When the ferry closed, who ran it?",
        "Did Ann Baker lose his boots?",
        "What is in the ninth one?",
        "",
        "?!",
        "and",
    ],
)
def test_what_stands_alone_or_cannot_be_told_stays(question: str) -> None:
    assert stands_alone(question, thread(FERRY)) == question
    assert stands_alone(question, []) == question


def test_a_thread_of_follow_ups_is_read_from_its_beginning() -> None:
    before = [Earlier(one) for one in ("When was the ferry closed?", "And why?", "What about the bridge?")]
    assert stands_alone("When?", before) == "When was the bridge closed?"
    assert stands_alone("When?", [Earlier(""), Earlier("?"), *before]) == "When was the bridge closed?"


def test_a_title_says_nothing_about_how_to_search() -> None:
    before = [Earlier("Who speaks?", titles=('A "model" bridge -octopus',))]
    assert stands_alone("What is in that recording?", before) == "What is in A model bridge octopus?"


def test_what_would_get_too_long_stays() -> None:
    before = [Earlier("Who speaks?", titles=("long " * LONGEST,))]
    assert stands_alone("What about the first one?", before) == "What about the first one?"


def test_any_words_in_any_order_are_taken() -> None:
    words = (
        'who when what about and the second one it his he there that Ann Forth of in did was ? ! , \' -x "y" ing \u202e'
    ).split()
    drawn = random.Random(1)
    for _ in range(2000):
        asked = [" ".join(drawn.choices(words, k=drawn.randint(0, 9))) for _ in range(3)]
        before = [Earlier(one, (one,), (one, "T"), ("S",)) for one in asked[1:]]
        assert len(stands_alone(asked[0], before)) <= LONGEST


def test_a_hostile_thread_costs_little() -> None:
    """Pronouns without end would be looked up in every question before; such a question is no follow-up."""
    for said in ("it ", "his boat ", "the boat he ", "A ", "is it A "):
        long = (said * 1000)[:LONGEST]
        started_s = time.process_time()
        assert stands_alone(long, [Earlier(long)] * 20) == long
        assert len(stands_alone((said * 100)[:200], [Earlier(long)] * 20)) <= LONGEST
        assert time.process_time() - started_s < 2.0, said


def test_an_answer_says_what_a_follow_up_needs() -> None:
    def cited(title: str, speaker: str) -> Citation:
        return Citation(1, "r", "p", 0.0, 1.0, 0.0, 1.0, "", title, speaker=speaker)

    sentences = (
        Sentence("Baker built it.", (cited("A", "Ann"), cited("B", "")), marked=((0, 5),)),
        Sentence("It stands.", (cited("A", "Bo"),)),
    )
    answer = Answer("Who built it?", "all", sentences)
    assert answer.earlier == Earlier("Who built it?", ("Baker",), ("A", "B"), ("Ann", "Bo"))
