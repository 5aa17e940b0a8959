from __future__ import annotations

from pathlib import Path

import pytest

from speechsearch.domain.assets import ASSETS
from speechsearch.domain.visitors import LOCAL, Visitor, private
from speechsearch.ui.asked import Asked
from speechsearch.ui.search_tab import SearchHandlers

QUESTION = "What did Wojciechowski say about the ferry and the bridge?"
ANSWER = "Eleven minutes on the chain ferry"
STRANGER = Visitor("0" * 32)


@pytest.fixture
def handlers(service) -> SearchHandlers:
    return SearchHandlers(service)


@pytest.fixture
def sample() -> Path:
    return ASSETS / "samples" / "audio" / "s004.opus"


def test_typed_question_fills_both_columns(handlers: SearchHandlers) -> None:
    above, left, right = handlers.typed(Asked(f"  {QUESTION} ", top_k=2), LOCAL)
    assert "found" in above
    for column in (left, right):
        assert column.count("<audio") == 2
        assert ANSWER in column
        assert column.count("ss-vote") == 4
    assert 'data-channel="adapter"' in left
    assert 'data-channel="adapter"' not in right


def test_empty_question_is_a_friendly_message(handlers: SearchHandlers) -> None:
    message, left, right = handlers.typed(Asked("  \n "), LOCAL)
    assert "The question is empty." in message
    assert 'role="alert"' in message
    assert "<audio" not in left + right


def test_spoken_question(handlers: SearchHandlers, sample: Path) -> None:
    above, left, right = handlers.spoken(Asked("left over", str(sample), top_k=1), LOCAL)
    assert ANSWER in left
    assert "left over" not in above + left + right
    assert "ss-vote" not in left


def test_spoken_question_that_cannot_be_used(handlers: SearchHandlers, tmp_path: Path, long_tone: Path) -> None:
    (tmp_path / "note.wav").write_text("not sound")
    assert "note.wav" in handlers.spoken(Asked(audio_path=str(tmp_path / "note.wav")), LOCAL)[0]
    assert "60" in handlers.spoken(Asked(audio_path=str(long_tone)), LOCAL)[0]
    assert "No sound has arrived." in handlers.spoken(Asked(), LOCAL)[0]


def test_moved_control_repeats_the_question_at_hand(handlers: SearchHandlers, sample: Path) -> None:
    assert "<audio" not in "".join(handlers.again(Asked(), LOCAL))
    assert handlers.again(Asked(audio_path=str(sample), top_k=1), LOCAL)[1].count("<audio") == 1
    assert handlers.again(Asked("ferry", top_k=3, left="phonetic"), LOCAL)[1].count("pronunciation #") >= 1
    assert "The question is empty." in handlers.asked(Asked(), LOCAL)[0]


def test_search_is_narrowed(handlers: SearchHandlers) -> None:
    def titles(**narrowed) -> str:
        return handlers.typed(Asked("ferry", left="adapter", top_k=20, **narrowed), LOCAL)[1]

    assert titles().count("<audio") > 1
    assert titles(speakers=["Bogumila Wojciechowska"]).count("<audio") == 1
    assert ANSWER in titles(date_from="2008-06", date_to="2008")
    assert ANSWER not in titles(date_from="2009")
    assert titles(collections=["samples"]) == titles() or titles(collections=["samples"]).count("<audio") > 1
    assert "Nothing relevant found." in titles(languages=["cs"])


@pytest.mark.parametrize(
    ("narrowed", "message"),
    [
        ({"date_from": "yesterday"}, "is not a date"),
        ({"date_to": "2019-3-4"}, "is not a date"),
        ({"collections": ["<b>none</b>"]}, "There is no collection"),
    ],
)
def test_what_cannot_narrow_is_explained(handlers: SearchHandlers, narrowed: dict, message: str) -> None:
    above, left, _ = handlers.typed(Asked("ferry", **narrowed), LOCAL)
    assert message in above
    assert "<b>none" not in above
    assert "<audio" not in left


def test_another_visitors_collection_is_neither_offered_nor_searched(handlers: SearchHandlers, service) -> None:
    service.store.collections.add(private("secret", "f" * 32))
    assert "secret" in handlers.narrowing(LOCAL)[0]["choices"]
    assert handlers.narrowing(STRANGER)[0]["choices"] == ["samples"]
    assert "There is no collection" in handlers.typed(Asked("ferry", collections=["secret"]), STRANGER)[0]


def test_only_what_can_be_chosen_is_offered(handlers: SearchHandlers) -> None:
    collections, speakers, languages, *dates = handlers.narrowing(LOCAL)
    assert (collections["visible"], speakers["visible"], languages["visible"]) == (False, True, False)
    assert ("Bogumila Wojciechowska (1 recording)", "Bogumila Wojciechowska") in speakers["choices"]
    assert all(date["visible"] for date in dates)
    assert not any("value" in update for update in (collections, speakers, languages, *dates))


def test_address_is_answered(handlers: SearchHandlers) -> None:
    address = [
        ("q", "ferry"),
        ("k", "3"),
        ("engine", "phonetic"),
        ("speaker", "Bogumila Wojciechowska"),
        ("to", "2010"),
    ]
    text, top_k, left, right, collections, speakers, _, _, date_to, _, left_html, _ = handlers.load(address, "", LOCAL)
    assert (text, top_k, left, right) == ("ferry", 3, "phonetic", "asr")
    assert (collections["value"], speakers["value"], date_to["value"]) == ([], ["Bogumila Wojciechowska"], "2010")
    assert left_html.count("<audio") == 1


@pytest.mark.parametrize(("address", "typed"), [([], ""), ([("q", " ")], ""), ([("q", "ferry")], "whal")])
def test_load_leaves_alone_what_is_typed(handlers: SearchHandlers, address: list, typed: str) -> None:
    updates = handlers.load(address, typed, LOCAL)
    assert len(updates) == 12
    assert all(update["__type__"] == "update" and "value" not in update for update in updates)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"q": "honey", "k": "3", "engine": "phonetic", "right": "adapter"}, ("honey", 3, "phonetic", "adapter")),
        ({"q": "honey", "k": "999", "engine": "asr"}, ("honey", 20, "asr", "asr")),
        ({"q": "honey", "k": "0"}, ("honey", 1, "hybrid", "asr")),
        ({"q": "honey", "k": "-3", "engine": "<script>", "right": ""}, ("honey", 5, "hybrid", "asr")),
        ({"q": "honey", "k": "٣"}, ("honey", 5, "hybrid", "asr")),
        ({"q": "honey", "k": "9" * 5000}, ("honey", 20, "hybrid", "asr")),
        ({"q": "x" * 5000}, ("x" * 1000, 5, "hybrid", "asr")),
        ({}, ("", 5, "hybrid", "asr")),
    ],
)
def test_address_sets_the_controls(parameters: dict[str, str], expected: tuple) -> None:
    asked = Asked.of_address(parameters.items(), ["hybrid", "adapter", "phonetic", "asr"])
    assert (asked.text, asked.top_k, asked.left, asked.right) == expected


def test_address_and_controls_are_each_others_inverse() -> None:
    one = {"q": "a & b", "k": "7", "engine": "adapter", "right": "phonetic"}
    several = [("collection", "x"), ("collection", "y z"), ("speaker", "Ann"), ("language", "en")]
    address = [*one.items(), *several, ("from", "2019"), ("to", "2020-01")]
    assert Asked.of_address(address, ["adapter", "phonetic"]).address() == address


def test_empty_service_points_to_the_second_tab(handlers: SearchHandlers, service) -> None:
    service.manage.delete_collection("samples")
    assert "Add recordings on the tab Add recordings." in handlers.typed(Asked("honey"), LOCAL)[0]
    assert handlers.examples() == []
