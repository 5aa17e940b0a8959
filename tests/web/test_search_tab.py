from __future__ import annotations

from pathlib import Path

import pytest

from speechsearch.ui.search import LEFT, RIGHT, SearchHandlers


@pytest.fixture
def handlers(service) -> SearchHandlers:
    return SearchHandlers(service)


def test_typed_question_fills_both_columns(handlers: SearchHandlers) -> None:
    message, left, right = handlers.typed("  Who built the railway bridge? ", 2, LEFT, RIGHT)
    assert message == ""
    for column in (left, right):
        assert column.count("<audio") == 2
        assert column.index("The cantilever bridge") < column.index("How the canal was dug")
    assert "adapter #1" in left
    assert "asr #1" in right
    assert "built by two engineers" in right


def test_empty_question_is_a_friendly_message(handlers: SearchHandlers) -> None:
    message, left, right = handlers.typed("  \n ", 5, LEFT, RIGHT)
    assert "The question is empty." in message
    assert 'role="alert"' in message
    assert "<audio" not in left + right


def test_spoken_question(handlers: SearchHandlers, tone: Path) -> None:
    message, left, _ = handlers.spoken(str(tone), 1, LEFT, RIGHT)
    assert message == ""
    assert "Keeping bees in town" in left


def test_spoken_question_that_cannot_be_used(handlers: SearchHandlers, tmp_path: Path, long_tone: Path) -> None:
    (tmp_path / "note.wav").write_text("not sound")
    assert "not readable sound" in handlers.spoken(str(tmp_path / "note.wav"), 5, LEFT, RIGHT)[0]
    assert "longer than 60 s" in handlers.spoken(str(long_tone), 5, LEFT, RIGHT)[0]
    assert "No sound has arrived." in handlers.spoken(None, 5, LEFT, RIGHT)[0]


def test_moved_control_repeats_the_question_at_hand(handlers: SearchHandlers, tone: Path) -> None:
    assert "<audio" not in "".join(handlers.again("", None, 5, LEFT, RIGHT))
    assert handlers.again("", str(tone), 1, LEFT, RIGHT)[1].count("<audio") == 1
    assert handlers.again("honey", None, 3, "phonetic", RIGHT)[1].count("phonetic #") == 3
    assert "The question is empty." in handlers.asked("", None, 3, LEFT, RIGHT)[0]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"q": "honey", "k": "3", "engine": "phonetic"}, ("honey", 3, "phonetic")),
        ({"q": "honey", "k": "999", "engine": "asr"}, ("honey", 20, "asr")),
        ({"q": "honey", "k": "0"}, ("honey", 1, "hybrid")),
        ({"q": "honey", "k": "-3", "engine": "<script>"}, ("honey", 5, "hybrid")),
        ({"q": "honey", "k": "٣"}, ("honey", 5, "hybrid")),
        ({"q": "honey", "k": "9" * 5000}, ("honey", 20, "hybrid")),
        ({"q": "x" * 5000}, ("x" * 1000, 5, "hybrid")),
        ({}, ("", 5, "hybrid")),
    ],
)
def test_address_sets_the_controls(handlers: SearchHandlers, parameters: dict[str, str], expected: tuple) -> None:
    found = handlers.from_address(parameters)
    assert found[:3] == expected
    assert ("<audio" in found[4]) == bool(expected[0])


def test_empty_service_points_to_the_second_tab(handlers: SearchHandlers, service) -> None:
    service.entries.clear()
    assert "Add recordings on the second tab." in handlers.typed("honey", 5, LEFT, RIGHT)[0]
    assert handlers.examples() == []
