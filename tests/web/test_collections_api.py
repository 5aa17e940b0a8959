from __future__ import annotations

import dataclasses

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from speechsearch.api.collection_routes import collection_routes
from speechsearch.api.error_responses import add_error_handlers
from speechsearch.domain.values import Filters, Query
from speechsearch.domain.visitors import Visitor

pytestmark = pytest.mark.both_databases

OWNER = Visitor("ann", is_owner=True, may_add=True)
READER = Visitor("rob")
HOSTILE_NAMES = [
    "a/b",
    "..",
    "a/../b",
    "?name=x&y=%2F",
    "<script>alert(1)</script>",
    "דוגמה",
    "ťuk 🎙",
    "'; drop --",
]


@pytest.fixture
def client(service):
    """The routes, asked by the visitor of ``client.app.state``."""
    app = FastAPI()
    app.state.visitor = OWNER

    @app.middleware("http")
    async def identify(request: Request, call_next):
        request.scope.setdefault("state", {})["visitor"] = app.state.visitor
        return await call_next(request)

    add_error_handlers(app, service.counters)
    app.include_router(collection_routes(service))
    with TestClient(app) as client:
        yield client


def names(client) -> list[str]:
    return [one["name"] for one in client.get("/api/v1/collections").json()]


def test_create_describe_rename_delete(client, service) -> None:
    text = {"name": "  talks  ", "description": "Of 2024\nand 2025", "licence": "CC0", "source": "here"}
    made = client.post("/api/v1/collections", json=text)
    assert made.status_code == 201
    assert made.json() == {
        "name": "talks", "description": "Of 2024\nand 2025", "licence": "CC0", "source": "here",
        "recordings": 0, "passages": 0, "duration_s": 0.0,
    }  # fmt: skip
    changed = client.patch("/api/v1/collections", params={"name": "talks"}, json={"licence": "", "name": "lectures"})
    assert (changed.json()["name"], changed.json()["licence"], changed.json()["source"]) == ("lectures", "", "here")
    assert names(client) == ["lectures", "samples"]
    gone = client.delete("/api/v1/collections", params={"name": "lectures"}).json()
    assert gone == {"recordings": 0, "passages": 0, "media_bytes": 0, "leftovers": []}
    assert names(client) == ["samples"]


def test_any_name_can_be_made_renamed_and_deleted(client) -> None:
    for name in HOSTILE_NAMES:
        assert client.post("/api/v1/collections", json={"name": name}).json()["name"] == name
        where = {"params": {"name": name}}
        described = client.patch("/api/v1/collections", json={"description": "said"}, **where)
        assert described.json()["description"] == "said"
        assert client.get("/api/v1/collections/map", **where).json()["points"] == []
        assert client.patch("/api/v1/collections", json={"name": "plain"}, **where).json()["name"] == "plain"
        assert client.patch("/api/v1/collections", json={"name": name}, params={"name": "plain"}).json()["name"] == name
        assert client.delete("/api/v1/collections", **where).status_code == 200
        assert names(client) == ["samples"]


def test_what_is_wrong_is_refused_and_changes_nothing(client, service) -> None:
    service.manage.create_collection("taken")
    for method, parameters, body, status in [
        ("POST", {}, {"name": "samples"}, 409),
        ("POST", {}, {"name": ""}, 422),
        ("POST", {}, {"name": "@ann/notes"}, 422),
        ("POST", {}, {"name": "x" * 81}, 422),
        ("POST", {}, {"name": "a\x00b"}, 422),
        ("POST", {}, {"name": "\u202eדוגמה"}, 422),
        ("POST", {}, {"name": "a", "path": "/etc"}, 422),
        ("POST", {}, {"name": "a", "description": "x" * 2001}, 422),
        ("PATCH", {"name": "none"}, {"name": "a"}, 404),
        ("PATCH", {"name": "samples"}, {"name": "taken"}, 409),
        ("PATCH", {"name": "samples"}, {"name": "@bob/x"}, 422),
        ("PATCH", {}, {"name": "a"}, 422),
        ("DELETE", {"name": "none"}, None, 404),
        ("DELETE", {}, None, 422),
    ]:
        answer = client.request(method, "/api/v1/collections", params=parameters, json=body)
        assert answer.status_code == status, (method, parameters, body)
        assert answer.json()["message"]
        assert names(client) == ["samples", "taken"]


def test_a_renamed_collection_is_found_by_its_new_name_at_once(client, service) -> None:
    client.patch("/api/v1/collections", params={"name": "samples"}, json={"name": "my / talks"})
    question = Query("Why is octopus blood blue?", top_k=1, filters=Filters(collections=("my / talks",)))
    (hit,) = service.search.find(question).hits
    assert hit.recording.collection == "my / talks"
    assert service.browse.differences() == []


def test_a_recording_is_described_and_found_by_its_new_speaker(client, service) -> None:
    (recording,) = [one for one in service.browse.recordings() if one.file_name == "s015.opus"]
    url = f"/api/v1/recordings/{recording.recording_id}"
    change = {"speaker": "Ada <b>", "title": "Blue blood", "language": ""}
    body = client.patch(url, json=change).json()
    assert (body["title"], body["speaker"], body["date"]) == ("Blue blood", "Ada <b>", recording.date)
    assert service.browse.recording(recording.recording_id) == dataclasses.replace(recording, **change)
    found = service.search.find(Query("octopus blood", top_k=9, filters=Filters(speakers=("Ada <b>",)))).hits
    assert {hit.recording.title for hit in found} == {"Blue blood"}
    assert service.browse.differences() == []
    assert client.patch(url, json={"date": "5 May 2020, 14:30 +0200"}).json()["date"] == "2020-05-05T14:30:00+02:00"
    assert "may be 3 April or 4 March 2021" in client.patch(url, json={"date": "03/04/2021"}).json()["message"]
    for wrong in (
        {"title": " "},
        {"date": "c. 1968"},
        {"collection": "mine"},
        {"title": "x" * 256},
        {"media_name": "../x"},
    ):
        assert client.patch(url, json=wrong).status_code == 422
    assert client.patch(f"/api/v1/recordings/{'0' * 64}", json={}).status_code == 404
    assert client.patch("/api/v1/recordings/..%2fx", json={}).status_code in (404, 422)


def test_the_map_has_every_passage_once(client, service) -> None:
    body = client.get("/api/v1/collections/map", params={"name": "samples"}).json()
    assert body["passages"] == len(body["points"]) == service.store.passages.count()
    assert {point["passage_id"] for point in body["points"]} == service.store.passages.ids()
    assert 0 < body["variance_share"] < 1
    assert max(max(abs(point["x"]), abs(point["y"])) for point in body["points"]) == 1.0
    for point in body["points"]:
        passage = service.browse.passage(point["passage_id"])
        recording = body["recordings"][point["recording"]]
        assert (recording["recording_id"], point["start_s"]) == (passage.recording_id, passage.span.start_s)
    assert client.get("/api/v1/collections/map", params={"name": "samples"}).json() == body


def test_a_change_draws_the_map_anew(client, service) -> None:
    before = service.browse.map_of("samples")
    assert service.browse.map_of("samples") is before
    service.manage.delete_recording(service.browse.recordings()[0].recording_id)
    assert service.browse.map_of("samples").passages < before.passages


def test_who_may_not_change_a_collection_is_refused(client, service) -> None:
    recording = service.browse.recordings()[0]
    client.app.state.visitor = READER
    where = {"params": {"name": "samples"}}
    assert client.post("/api/v1/collections", json={"name": "mine"}).status_code == 403
    assert client.patch("/api/v1/collections", json={"name": "mine"}, **where).status_code == 403
    assert client.delete("/api/v1/collections", **where).status_code == 403
    assert client.patch(f"/api/v1/recordings/{recording.recording_id}", json={"title": "x"}).status_code == 403
    assert client.get("/api/v1/collections/map", **where).status_code == 200
    assert service.browse.recordings()[0] == recording


def test_private_collections_are_each_visitors_own(client, service) -> None:
    bob, eve = Visitor("bob", may_add=True), Visitor("eve", may_add=True)
    for visitor in (bob, eve):
        client.app.state.visitor = visitor
        assert client.post("/api/v1/collections", json={"name": "notes"}).json()["name"] == "notes"
    client.patch("/api/v1/collections", params={"name": "notes"}, json={"name": "diary"})
    assert service.store.collections.names() == ["@bob/notes", "@eve/diary", "samples"]
    assert names(client) == ["diary", "samples"]
    for name in ("@bob/notes", "notes"):
        where = {"params": {"name": name}}
        assert client.get("/api/v1/collections/map", **where).status_code == 404
        assert client.patch("/api/v1/collections", json={"name": "x"}, **where).status_code == 404
        assert client.delete("/api/v1/collections", **where).status_code == 404
    assert client.post("/api/v1/collections", json={"name": "samples"}).status_code == 409
    assert client.delete("/api/v1/collections", params={"name": "diary"}).status_code == 200
    assert service.store.collections.names() == ["@bob/notes", "samples"]


def test_visitors_learn_nothing_of_others_files_from_the_check(client, service) -> None:
    client.app.state.visitor = Visitor("bob", may_add=True)
    client.post("/api/v1/collections", json={"name": "notes"})
    media = service.library.files.folder / service.store.recordings.media_name(
        service.browse.recordings()[0].recording_id
    )
    media.unlink()
    assert client.delete("/api/v1/collections", params={"name": "notes"}).json()["leftovers"] == []  # not of it
    (said,) = service.browse.leftovers(Visitor("bob", may_add=True))
    assert said == "Database, index and audio files do not agree everywhere; the owner can see where."
    (named,) = service.browse.leftovers()
    assert service.browse.recordings()[0].file_name in named


def test_who_deletes_is_told_what_is_left_of_it(client, service, monkeypatch) -> None:
    monkeypatch.setattr(service.library.index, "delete", lambda _: None)
    monkeypatch.setattr(service.library.files, "remove", lambda _: None)
    passages = service.store.passages.count()
    gone = client.delete("/api/v1/collections", params={"name": "samples"}).json()
    assert gone["leftovers"] == [
        f"{passages} deleted passages are still in the index.", "7 deleted sound files are still there."
    ]  # fmt: skip
