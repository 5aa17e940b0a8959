"""Judgements by the routes: one's own, kept, taken back, given to evaluation tools."""

from __future__ import annotations

import re
import uuid

import pytest
from fastapi.testclient import TestClient

from speechsearch.api import create_app
from speechsearch.api.export_formats import question_id
from speechsearch.domain.errors import NotAllowedError, TooManyError
from speechsearch.domain.values import Query
from speechsearch.domain.visitors import LOCAL, Visitor, private
from speechsearch.service import feedback as feedback_module
from speechsearch.service.feedback import Feedback

pytestmark = pytest.mark.both_databases

PATH = "/api/v1/feedback"
QUESTION = "Why is octopus blood blue?"
HOSTILE = "=cmd() <script>alert(1)</script>\t\"quoted\" 'single' \u202eדוגמה"


@pytest.fixture
def app(service):
    return create_app(service)


@pytest.fixture
def ann(app):
    with TestClient(app) as client:
        client.get("/health")  # the first answer brings the cookie
        yield client


@pytest.fixture
def bob(app, ann):  # ann's block keeps the application running
    client = TestClient(app)
    client.get("/health")
    return client


@pytest.fixture
def passages(service) -> list[str]:
    return [hit.passage.passage_id for hit in service.search.find(Query(QUESTION, top_k=3)).hits]


def judge(client, passage_id: str, relevance: int | None, question: str = QUESTION, **more):
    body = {"question": question, "passage_id": passage_id, "relevance": relevance, "engine": "hybrid", "rank": 1}
    return client.post(PATH, json=body | more)


def test_a_judgement_is_kept_changed_and_taken_back(ann, passages) -> None:
    assert judge(ann, passages[0], 1).status_code == 200
    assert judge(ann, passages[1], 0, rank=2).status_code == 200
    found = ann.get(PATH, params={"question": f"  {QUESTION.replace(' ', '  ')} "}).json()
    assert [(one["passage_id"], one["relevance"], one["rank"]) for one in found] == [
        (passages[0], 1, 1), (passages[1], 0, 2),
    ]  # fmt: skip
    judge(ann, passages[0], 0)
    assert {one["relevance"] for one in ann.get(PATH).json()} == {0}
    judge(ann, passages[0], None)
    judge(ann, passages[0], None)
    assert [one["passage_id"] for one in ann.get(PATH).json()] == [passages[1]]
    assert ann.get(PATH, params={"question": "another"}).json() == []


def test_visitors_see_their_own_judgements_only(ann, bob, passages) -> None:
    judge(ann, passages[0], 1)
    assert bob.get(PATH).json() == []
    assert bob.get(f"{PATH}/qrels").text == bob.get(f"{PATH}/queries").text == ""
    judge(bob, passages[0], None)
    assert len(ann.get(PATH).json()) == 1


def test_files_for_evaluation_tools(ann, passages) -> None:
    for question in [QUESTION, HOSTILE, "x" * 1000]:
        judge(ann, passages[0], 1, question)
        judge(ann, passages[1], 0, question)
        key = question_id(question)
        qrels, queries = ann.get(f"{PATH}/qrels"), ann.get(f"{PATH}/queries")
        assert sorted(qrels.text.splitlines()) == sorted([f"{key} 0 {passages[0]} 1", f"{key} 0 {passages[1]} 0"])
        (line,) = queries.text.splitlines()
        assert re.fullmatch(rf"{key}\t[^\t]+", line) and not line.split("\t")[1].startswith("=")
        assert qrels.headers["content-type"] == "text/plain; charset=utf-8"
        assert queries.headers["content-disposition"] == "attachment; filename*=UTF-8''queries.tsv"
        for passage in passages[:2]:
            judge(ann, passage, None, question)


def test_what_cannot_be_kept_is_refused(ann, passages) -> None:
    for change, status in [
        ({"passage_id": str(uuid.UUID(int=1))}, 404),
        ({"passage_id": "../../etc/passwd"}, 422),
        ({"relevance": 2}, 422),
        ({"relevance": "yes"}, 422),
        ({"question": ""}, 422),
        ({"question": " \t "}, 422),
        ({"question": "nul\0"}, 422),
        ({"question": "😀" * 900}, 422),
        ({"question": "x" * 1001}, 422),
        ({"engine": "none"}, 404),
        ({"engine": "x" * 51}, 422),
        ({"rank": -1}, 422),
        ({"rank": 1e300}, 422),
    ]:
        body = {"question": QUESTION, "passage_id": passages[0], "relevance": 1, "engine": "hybrid", "rank": 1}
        answer = ann.post(PATH, json=body | change)
        assert answer.status_code == status and set(answer.json()) == {"code", "message", "hint"}, change
        assert ann.get(PATH).json() == []


def test_passages_of_others_cannot_be_judged_or_learnt_of(ann, bob, service, passages) -> None:
    judge(ann, passages[0], 1)
    (judged,) = service.store.judgements.find()
    service.library.rename_collection("samples", private("samples", judged.visitor_id))
    assert judge(ann, passages[1], 1).status_code == 200
    assert judge(bob, passages[1], 1).status_code == 404
    assert len(service.feedback.judgements(None, LOCAL, of_everybody=True)) == 2


def test_everybodys_judgements_are_for_owners_who_have_logged_in(ann, bob, service, passages) -> None:
    judge(ann, passages[0], 1)
    judge(bob, passages[0], 1, QUESTION.lower())
    assert ann.get(f"{PATH}/qrels", params={"all": 1}).json()["code"] == "not_allowed"
    owner = Visitor("eve", is_owner=True, may_add=True)
    with pytest.raises(NotAllowedError, match="Only an owner"):
        service.feedback.judgements(None, owner, of_everybody=True)
    logged_in = Feedback(service.library, service.browse, service.search.engines, has_logins=True)
    assert len(logged_in.judgements(None, owner, of_everybody=True)) == 2
    with pytest.raises(NotAllowedError, match="Only an owner"):
        logged_in.judgements(None, Visitor("bob"), of_everybody=True)
    service.library.rename_collection("samples", private("samples", "bob"))
    assert logged_in.judgements(None, owner, of_everybody=True) == []


def test_judgements_have_a_limit_and_go_with_their_passage(service, passages, monkeypatch) -> None:
    monkeypatch.setattr(feedback_module, "MOST_JUDGEMENTS", 2)
    for passage_id in passages[:2]:
        service.feedback.judge(QUESTION, passage_id, 1)
    with pytest.raises(TooManyError, match="2 judgements"):
        service.feedback.judge(QUESTION, passages[2], 1)
    service.manage.delete_recording(service.browse.passage(passages[0]).recording_id)
    assert passages[0] not in [one.passage_id for one in service.feedback.judgements()]
