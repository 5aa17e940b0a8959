"""Ask on the page: the answer as HTML, and what its events show, with the real service."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from speechsearch.domain.answers import Answer, AnswerEvent, Citation, Earlier, Evidence, Quotes, Sentence
from speechsearch.domain.assets import ASSETS
from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.values import Hit, Passage, Query, Recording, Results, Span
from speechsearch.domain.visitors import LOCAL, Visitor, private
from speechsearch.jobs.queue import JobQueue
from speechsearch.retrieval.engine_cards import EVERYTHING
from speechsearch.ui import ask_view
from speechsearch.ui.ask_handlers import (
    LONGEST_THREAD,
    OFTEN_S,
    UNCHANGED,
    AskHandlers,
    Latest,
    Thread,
    Update,
)
from speechsearch.ui.ask_view import Asking
from speechsearch.ui.asked import Asked
from speechsearch.ui.search_tab import SearchHandlers
from tests.conftest import HOSTILE
from tests.tiny.served import served
from tests.web.whole import whole_app

QUESTION = "What did Wojciechowski say about the ferry and the bridge?"
ENGINES = {"all": EVERYTHING}


def citation(number: int, **changed) -> Citation:
    cited = Citation(number, "r" * 64, f"p{number}", 61.0, 64.5, 62.0, 63.0, "So it was.", "On ferries", "talks", "Ann")
    return replace(cited, **changed)


def hit(number: int) -> Hit:
    recording = Recording("r" * 64, "talks", "On ferries", 90.0)
    return Hit(number, 0.9, Passage(f"p{number}", "r" * 64, Span(60.0, 70.0)), recording, ())


def answer(*sentences: Sentence, **changed) -> Answer:
    results = Results("all", tuple(hit(number) for number in (1, 2)), True, 1.0, 2.0)
    return Answer(
        "Why?", "all", sentences, reader="tiny", read=2, first_ms=120.0, total_ms=1500.0, results=results, **changed
    )


class Tags(HTMLParser):
    """Collects the tags of a document."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep one."""
        self.tags.append((tag, dict(attrs)))


def test_a_sentence_has_a_chip_that_plays_just_what_it_cites_and_a_source() -> None:
    said = Sentence("So it was.", (citation(1, likelihood=0.81, date="2019-03"),), marked=((0, 2),))
    shown = ask_view.whole(answer(said), ENGINES, Asking("/root", "Why?"))
    assert "<mark>So</mark> it was." in shown
    (chip,) = [attrs for tag, attrs in Tags(shown).tags if attrs.get("class") == "ss-chip"]
    assert (chip["data-passage"], chip["data-from"], chip["data-to"], chip["data-length"]) == (
        "p1",
        "1.00",
        "4.50",
        "10.00",
    )
    assert chip["aria-label"] == "Play 1: On ferries, 1:01–1:04"
    (link,) = [attrs for tag, attrs in Tags(shown).tags if tag == "a"]
    assert link["href"] == f"/root/?recording={'r' * 64}&t=61.00&end=64.50"
    (row,) = [attrs for _, attrs in Tags(shown).tags if "data-copy" in attrs]
    assert row["data-copy"] == "[1] On ferries, Ann, 2019-03, 1:01–1:04"
    assert "81 % likely" in shown and "Experimental" in shown and 'data-question="Why?"' in shown
    assert "quotes from the recordings" in shown and "1.5 s, first sentence after 120 ms" in shown
    assert "nothing to another server" in shown


def test_what_others_say_is_escaped_everywhere() -> None:
    cited = citation(1, title=HOSTILE, speaker=HOSTILE, date=HOSTILE, collection=HOSTILE, passage_id='"><b>')
    said = Sentence(HOSTILE, (cited,), "phrased", ((0, 8),))
    hostile = answer(said, note=HOSTILE, language_model=HOSTILE, sent_to=HOSTILE, asked=HOSTILE)
    asking = Asking("", HOSTILE)
    for shown in (
        ask_view.whole(replace(hostile, question=HOSTILE), ENGINES, asking),
        ask_view.whole(replace(hostile, sentences=(), reason=HOSTILE), ENGINES, asking),
        ask_view.waiting(asking, Evidence(HOSTILE, hostile.results, HOSTILE)),
        ask_view.partly(Evidence(HOSTILE, hostile.results, HOSTILE), [said], asking),
    ):
        assert "script" not in {tag for tag, _ in Tags(shown).tags}
        assert not [name for _, attrs in Tags(shown).tags for name in attrs if not re.fullmatch(r"[a-z-]+", name)]
        assert "<script" not in shown


def test_many_sources_are_folded_and_a_few_are_not() -> None:
    few = Sentence("Two.", tuple(citation(number) for number in (1, 2)), "counted")
    many = Sentence("Many.", tuple(citation(number) for number in range(1, 21)), "counted")
    assert '<details class="ss-fold" open>' in ask_view.whole(answer(few), ENGINES, Asking())
    shown = ask_view.whole(answer(many), ENGINES, Asking())
    assert "open>" not in shown and shown.count('class="ss-chip"') == shown.count("data-copy") == 20
    assert "counted and listed by the program" in shown


def test_a_refusal_says_so_and_leads_to_the_nearest_passages() -> None:
    shown = ask_view.whole(answer(reason="I found nothing in these recordings about that."), ENGINES, Asking())
    assert "I found nothing in these recordings about that." in shown and "ss-nearest" in shown
    assert "ss-a-play" not in shown and "first sentence" not in shown
    nothing = replace(answer(reason="Nothing."), results=Results("all", (), False, 0.0, 0.0))
    assert "ss-nearest" not in ask_view.whole(nothing, ENGINES, Asking())


def test_it_says_what_was_understood_heard_and_sent() -> None:
    said = Sentence("So it was.", (citation(1),), "phrased")
    sent = answer(said, language_model="big", sent_to="llm.example.org", asked="And why?", transcribed=1)
    shown = ask_view.whole(sent, ENGINES, Asking())
    assert "Understood as <q><bdi>Why?</bdi></q>" in shown and "Ask as typed" in shown
    assert "The question and the quotes were sent to <bdi>llm.example.org</bdi>." in shown
    assert "put into words by big, checked against the quotes" in shown and "ss-joined" in shown
    assert "1 passage had no transcript" in shown
    heard = ask_view.whole(answer(said), ENGINES, Asking(is_spoken=True))
    assert "Heard <q><bdi>Why?</bdi></q>" in heard and "Ask as typed" not in heard
    assert "Understood" not in ask_view.whole(answer(said), ENGINES, Asking())


def test_a_newer_question_stops_the_answer_to_the_one_before() -> None:
    closed: list[int] = []

    def growing(number: int) -> Iterator[Update]:
        try:
            for _ in range(3):
                yield [number] * 5
        finally:
            closed.append(number)

    latest = Latest()
    first = latest.only("page", growing(1))
    assert next(first) == [1] * 5
    other = latest.only("another page", growing(2))
    second = latest.only("page", growing(3))
    assert next(second) == [3] * 5 and next(other) == [2] * 5
    assert list(first) == [UNCHANGED]  # nothing of it is shown over the newer one
    del first
    assert closed == [1]
    assert len(list(second)) == len(list(other)) == 2


@pytest.fixture
def asking(service) -> AskHandlers:
    return AskHandlers(service, SearchHandlers(service))


def test_an_answer_grows_above_both_columns(asking: AskHandlers) -> None:
    first, found, *_, last = asking.ask(Asked(f" {QUESTION} ", top_k=2), Thread(), LOCAL)
    assert "Looking for passages" in first[3] and first[1] == UNCHANGED[1]
    message, left, right, growing, _ = found
    assert "ss-summary" in message and left.count("<audio") == right.count("<audio") == 2
    assert "Reading" in growing and 'aria-busy="true"' in growing
    assert last[:3] == UNCHANGED[:3] and 'aria-busy="false"' in last[3]
    assert ("ss-chip" in last[3]) != ("ss-none" in last[3])
    assert last[4].is_shown and last[4].turns[0].question == QUESTION


def test_a_follow_up_is_asked_of_what_it_stands_for(asking: AskHandlers) -> None:
    before = Thread((Earlier("Why is octopus blood blue?"),), is_shown=True)
    _, (_, left, *_), *_, last = asking.ask(Asked("And when?", top_k=1), before, LOCAL)
    assert "Understood as <q><bdi>When is octopus blood blue?</bdi></q>" in last[3]
    assert 'data-question="When is octopus blood blue?"' in last[3] and 'data-question="When is octopus blood' in left
    assert [one.question for one in last[4].turns] == ["Why is octopus blood blue?", "When is octopus blood blue?"]
    many = Thread((Earlier(QUESTION),) * 9)
    *_, last = asking.ask(Asked("Why?", top_k=1), many, LOCAL)
    assert len(last[4].turns) == LONGEST_THREAD


def test_the_columns_show_what_was_searched_for_a_count(asking: AskHandlers) -> None:
    _, (_, left, *_), *_, last = asking.ask(Asked("How many recordings mention the ferry?", top_k=1), Thread(), LOCAL)
    assert 'data-question="ferry"' in left and "Eleven minutes on the chain ferry" in left
    assert 'data-question="How many recordings mention the ferry?"' in last[3]
    _, (_, left, *_), *_, last = asking.ask(Asked("ferry -octopus", top_k=1), Thread(), LOCAL)
    assert 'data-question="ferry -octopus"' in left and 'data-question="ferry -octopus"' in last[3]


def test_a_spoken_question_is_heard_and_answered(asking: AskHandlers) -> None:
    spoken = str(ASSETS / "samples" / "audio" / "s004.opus")
    _, (_, left, *_), *_, last = asking.ask(Asked(audio_path=spoken, top_k=1), Thread(), LOCAL)
    assert "Eleven minutes on the chain ferry" in left and "ss-vote" not in left
    assert "Heard <q>" in last[3] and last[4].turns[0].question


def test_quotes_give_way_to_the_sentences_of_a_language_model(asking: AskHandlers, service, monkeypatch) -> None:
    quotes, joined = Sentence("Quoted.", (citation(1),)), Sentence("Joined.", (citation(1),), "phrased")

    def phrased(query: Query, *asked: object) -> Iterator[AnswerEvent]:
        results = service.search.find(query)
        yield Evidence(query.text, results)
        yield Quotes((quotes,))
        time.sleep(2 * OFTEN_S)
        yield joined
        yield replace(answer(joined), results=results)

    monkeypatch.setattr(service.ask, "answer", phrased)
    _, _, first, second, last = (update[3] for update in asking.ask(Asked(QUESTION, top_k=1), Thread(), LOCAL))
    assert "Quoted." in first and "Joined." in second and "Joined." in last
    assert "Quoted." not in second + last and 'aria-busy="true"' in first


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Asked("  "), "The question is empty."),
        (Asked("-blue"), "only says what to leave out"),
        (Asked("ferry", date_from="yesterday"), "is not a date"),
        (Asked("ferry", collections=["<b>none</b>"]), "There is no collection"),
    ],
)
def test_what_cannot_be_asked_is_explained(asking: AskHandlers, asked: Asked, message: str) -> None:
    *_, (above, left, _, shown, thread) = asking.ask(asked, Thread((Earlier("Why?"),), is_shown=True), LOCAL)
    assert message in above and "<b>none" not in above and shown == "" and "<audio" not in left
    assert not thread.is_shown and thread.turns


def test_others_recordings_are_neither_read_nor_named(asking: AskHandlers, service) -> None:
    service.library.rename_collection("samples", private("samples", "f" * 32))
    *_, (above, *_) = asking.ask(Asked(QUESTION), Thread(), Visitor("0" * 32))
    assert "There is nothing to search yet." in above


def test_an_error_in_mid_answer_takes_its_place(asking: AskHandlers, service, monkeypatch) -> None:
    def gone(query: Query, *asked: object) -> Iterator[Evidence]:
        yield Evidence(QUESTION, service.search.find(query))
        raise ModelUnavailableError("The reader is gone.", "Look for it.")

    monkeypatch.setattr(service.ask, "answer", gone)
    *_, (above, _, _, shown, _) = asking.ask(Asked(QUESTION), Thread(), LOCAL)
    assert "The reader is gone." in above and shown == ""


def test_a_moved_control_asks_again_where_an_answer_is_shown(asking: AskHandlers) -> None:
    (update,) = asking.again(Asked("ferry", top_k=1), Thread((Earlier(QUESTION),)), LOCAL)
    assert update[1].count("<audio") == 1 and update[3:] == UNCHANGED[3:]
    _, (_, left, *_), *_, last = asking.again(
        Asked("And why?", top_k=1), Thread((Earlier(QUESTION),), is_shown=True), LOCAL
    )
    assert left.count("<audio") == 1 and [one.question for one in last[4].turns] == [QUESTION]


def test_an_address_asks(asking: AskHandlers) -> None:
    address = [("ask", QUESTION), ("k", "3"), ("speaker", "Bogumila Wojciechowska")]
    first, *_, last = asking.load(address, "", LOCAL)
    assert first[:2] == [QUESTION, 3] and first[5]["value"] == ["Bogumila Wojciechowska"] and len(first) == 14
    assert 'class="ss-answer"' in last[12] and last[13].turns[0].question == QUESTION
    (searched,) = asking.load([("q", "ferry"), ("ask", "why")], "", LOCAL)
    assert searched[0] == "ferry" and len(searched) == 14
    (typed,) = asking.load(address, "whal", LOCAL)
    assert all("value" not in update for update in typed)


@pytest.mark.filterwarnings("ignore")
def test_who_leaves_in_mid_answer_leaves_nothing_running(service, tmp_path: Path, monkeypatch) -> None:
    closed = threading.Event()

    def endless(query: Query, *asked: object) -> Iterator[Evidence | Sentence]:
        try:
            yield Evidence(query.text, service.search.find(query))
            while True:
                time.sleep(OFTEN_S)
                yield Sentence("So it was.", (citation(1),))
        finally:
            closed.set()

    monkeypatch.setattr(service.ask, "answer", endless)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    app = whole_app(service, JobQueue(service, {}))
    with served(app) as address, httpx.Client(base_url=address, timeout=60) as browser:
        number = next(one["id"] for one in browser.get("/config").json()["dependencies"] if one["api_name"] == "grown")
        data = [None, QUESTION, None, 1, "hybrid", "asr", [], [], [], "", ""]
        joined = {"fn_index": number, "data": data, "session_hash": "gone"}
        assert browser.post("/gradio_api/queue/join", json=joined).status_code == 200
        with browser.stream("GET", "/gradio_api/queue/data", params={"session_hash": "gone"}) as events:
            assert any("So it was." in line for line in events.iter_lines())
            assert not closed.is_set()
        assert closed.wait(30)
