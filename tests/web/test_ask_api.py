"""Answers by the route: JSON and server-sent events, what is refused, what a visitor does not see."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from speechsearch.api import create_app
from speechsearch.api.ask_routes import AT_ONCE, streamed
from speechsearch.api.throttle import ASK_WEIGHT
from speechsearch.domain.answers import Answer, Quotes
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.counters import ERRORS, Counters
from speechsearch.domain.errors import StoreError
from speechsearch.domain.values import Query
from speechsearch.domain.visitors import private
from tests.web.conftest import wav

QUESTION = "What did Wojciechowski say about the ferry and the bridge?"
ASK = "/api/v1/ask"
EVENTS = {"accept": "text/event-stream"}


@pytest.fixture
def client(service):
    with TestClient(create_app(service)) as client:
        yield client


def events(text: str) -> list[tuple[str, dict]]:
    """The names and bodies of server-sent events."""
    found = []
    for block in text.strip().split("\n\n"):
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_an_answer_cites_what_is_said_and_where(client, service) -> None:
    body = client.post(ASK, json={"question": QUESTION, "collections": ["samples"]}).json()
    assert body["question"] == QUESTION and body["engine"] == service.search.default()
    assert body["nearest"] and body["read"] > 0 and body["searched_in"] and body["total_ms"] > 0
    assert body["is_found"] == bool(body["sentences"]) and body["text"]
    for sentence in body["sentences"]:
        for cited in sentence["citations"]:
            recording = service.browse.recording(cited["recording_id"])
            assert cited["title"] == recording.title
            assert 0 <= cited["start_s"] <= cited["words_start_s"] <= cited["words_end_s"] <= cited["end_s"]
            assert client.get(cited["audio_url"].split("#")[0]).status_code == 200
            assert f"t={cited['start_s']:.2f}" in cited["page_url"]
            assert cited["quote"].lower() in sentence["text"].lower() + "."


def test_events_are_the_same_answer(client) -> None:
    whole = client.post(ASK, json={"question": QUESTION}).json()
    answer = client.post(ASK, json={"question": QUESTION}, headers=EVENTS)
    assert answer.headers["content-type"].startswith("text/event-stream")
    (first, evidence), *sentences, (last, done) = events(answer.text)
    assert (first, last) == ("evidence", "done") and evidence["hits"]
    assert [body for name, body in sentences if name == "sentence"] == done["sentences"] == whole["sentences"]


def test_recordings_are_counted(client, service) -> None:
    body = client.post(ASK, json={"question": "How many recordings mention the octopus?"}).json()
    assert all(sentence["kind"] == "counted" for sentence in body["sentences"])


def test_what_cannot_be_asked_is_refused_alike_in_both_forms(client) -> None:
    for body, status in [
        ({"question": ""}, 422),
        ({"question": "x" * 10_000}, 422),
        ({}, 422),
        ({"question": QUESTION, "unknown": 1}, 422),
        ({"question": QUESTION, "from": "yesterday"}, 422),
        ({"question": QUESTION, "collections": ["nowhere"]}, 404),
        ({"question": QUESTION, "engine": "nobody"}, 404),
    ]:
        for headers in [{}, EVENTS]:
            answer = client.post(ASK, json=body, headers=headers)
            assert answer.status_code == status and answer.json()["code"] in ("input", "empty_query", "not_found"), body


def test_private_collections_are_neither_read_nor_named(client, service) -> None:
    service.library.rename_collection("samples", private("samples", "f" * 32))
    body = client.post(ASK, json={"question": QUESTION}).json()
    assert not body["is_found"] and body["nearest"] == [] and "nothing" in body["text"]
    assert client.post(ASK, json={"question": QUESTION, "collections": ["samples"]}).status_code == 404


def test_an_error_in_the_midst_is_an_event_and_says_no_more(service) -> None:
    def broken():
        yield next(service.ask.answer(Query(QUESTION)))
        raise StoreError("The database is gone.", "Look at it.")

    counters = Counters()
    (first, _), (last, body) = events("".join(streamed(broken(), counters)))
    assert counters.read()[ERRORS]["store",].count == 1
    assert (first, last) == ("evidence", "error")
    assert body == {"code": "store", "message": "The database is gone.", "hint": "Look at it."}


def test_quotes_come_before_a_language_models_sentences(service) -> None:
    evidence, *quotes, answer = service.ask.answer(Query(QUESTION))
    told = replace(answer, language_model="big", sent_to="llm.example.org")
    written = "".join(streamed(iter([evidence, Quotes(tuple(quotes)), *quotes, told]), Counters()))
    (_, _), (name, body), *_, (last, done) = events(written)
    assert (name, last) == ("quotes", "done") and len(body["sentences"]) == len(quotes) > 0
    assert body["sentences"][0]["citations"][0]["audio_url"] and body["sentences"][0]["kind"] == "quote"
    assert done["sent_to"] == "llm.example.org" and answer.sent_to == ""


def test_questions_are_counted_as_searches_are(service) -> None:
    limits = service.settings.limits.model_copy(update={"searches_a_minute": 1})
    service.settings = service.settings.model_copy(update={"limits": limits})
    with TestClient(create_app(service)) as client:
        client.get("/health")
        statuses = [client.post(ASK, json={"question": ""}).status_code for _ in range(2)]
    assert statuses == [422, 429]


def test_questions_that_take_long_leave_other_routes_their_threads(client, service, monkeypatch) -> None:
    go_on, begun = threading.Event(), threading.Semaphore(0)
    answer = service.ask.whole(Query(QUESTION))

    def slow(*asked: object) -> Answer:
        begun.release()
        assert go_on.wait(30)
        return answer

    monkeypatch.setattr(service.ask, "whole", slow)
    with ThreadPoolExecutor(50) as pool:
        answers = [pool.submit(client.post, ASK, json={"question": QUESTION}) for _ in range(45)]
        try:
            assert all(begun.acquire(timeout=10) for _ in range(AT_ONCE)) and not begun.acquire(timeout=0.5)
            assert pool.submit(client.get, "/api/v1/collections").result(10).status_code == 200
        finally:
            go_on.set()
        assert {one.result(60).status_code for one in answers} == {200}


def test_a_follow_up_is_understood_by_the_questions_before(client) -> None:
    body = client.post(ASK, json={"question": "And when?", "thread": ["Why did the ferry stop?"]}).json()
    assert (body["asked"], body["question"]) == ("And when?", "When did the ferry stop?")
    answer = client.post(ASK, json={"question": "And when?", "thread": ["Why did the ferry stop?"]}, headers=EVENTS)
    (_, evidence), *_, (_, done) = events(answer.text)
    assert evidence["asked"] == done["asked"] == "And when?" and evidence["question"] == body["question"]
    assert client.post(ASK, json={"question": QUESTION}).json()["asked"] == ""


@pytest.mark.parametrize("thread", ["When?", ["x" * 1001], ["When?"] * 21])
def test_a_thread_has_its_limits(client, thread) -> None:
    assert client.post(ASK, json={"question": QUESTION, "thread": thread}).status_code == 422


def test_a_spoken_question_is_answered_in_both_forms(client, service) -> None:
    sound = (SAMPLES / "audio" / "s015.opus").read_bytes()
    heard = service.ask.whole(Query(audio=service.search.query_audio(sound))).question
    as_form = client.post(ASK, files={"audio": ("question.opus", sound)}, params={"collection": "samples"}).json()
    assert as_form["question"] == heard and "hearts" in heard.lower() and as_form["nearest"]
    as_body = client.post(ASK, content=sound, headers={**EVENTS, "content-type": "audio/ogg"})
    (first, evidence), *_, (last, done) = events(as_body.text)
    assert (first, last) == ("evidence", "done") and evidence["question"] == done["question"] == heard


def test_what_is_no_spoken_question_is_refused(client) -> None:
    for sent, status, code in [
        ({"content": b"no sound", "headers": {"content-type": "audio/wav"}}, 422, "decode"),
        ({"files": {"other": ("a.wav", b"RIFF")}}, 422, "input"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 422, "input"),
        ({"files": {"audio": ("a.wav", wav(440.0, 1.0))}}, 422, "silent"),
        ({"files": {"audio": ("a.wav", wav(440.0, 1.0))}, "params": {"from": "never"}}, 422, "input"),
    ]:
        answer = client.post(ASK, **sent)
        assert (answer.status_code, answer.json()["code"]) == (status, code), sent


def test_a_question_counts_as_several_searches(service) -> None:
    limits = service.settings.limits.model_copy(update={"searches_a_minute": 2 * int(ASK_WEIGHT)})
    service.settings = service.settings.model_copy(update={"limits": limits})
    with TestClient(create_app(service)) as client:
        client.get("/health")
        statuses = [client.post(ASK, json={"question": ""}).status_code for _ in range(3)]
        assert statuses == [422, 422, 429] and client.get("/api/v1/search", params={"q": "bees"}).status_code == 429
