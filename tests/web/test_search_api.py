"""Search and comparison by the routes: what a hit says, what a search is narrowed to, spoken questions."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from speechsearch.api import create_app
from speechsearch.domain.visitors import private

pytestmark = pytest.mark.both_databases

QUESTION = "Why is octopus blood blue?"
SEARCH = "/api/v1/search"


@pytest.fixture
def client(service):
    with TestClient(create_app(service)) as client:
        yield client


def titles(answer) -> set[str]:
    assert answer.status_code == 200, answer.text
    return {hit["title"] for hit in answer.json()["hits"]}


def test_a_hit_says_why_and_how_likely(client) -> None:
    body = client.get(SEARCH, params={"q": QUESTION, "k": 2, "engine": "hybrid"}).json()
    first, second = body["hits"]
    assert 0 < second["likelihood"] < first["likelihood"] < 1
    assert {"octopus", "blue"} & {word["word"] for word in first["heard"]}
    assert all(0 <= word["start_s"] < word["end_s"] for word in first["heard"])
    assert {first["transcript"][start:end] for start, end in first["marked"]} & {"blood", "blue"}
    assert (first["collection"], first["language"], first["date"][:2]) == ("samples", "en", "20")
    assert body["total_ms"] >= body["encode_ms"] + body["search_ms"]


def test_a_search_is_narrowed(client, service) -> None:
    recordings = service.browse.recordings()
    named = next(one for one in recordings if one.speaker and one.date)

    def found(**narrowed) -> set[str]:
        return titles(client.get(SEARCH, params={"q": QUESTION, "k": 20} | narrowed))

    everything = found()
    assert len(everything) == len(recordings)
    assert found(speaker=named.speaker) == {one.title for one in recordings if one.speaker == named.speaker}
    two = [one.speaker for one in recordings[:2]]
    assert found(speaker=two) == {one.title for one in recordings if one.speaker in two}
    assert found(recording=named.recording_id) == {named.title}
    assert found(language="en", collection="samples") == everything
    assert found(language="cs") == set()
    year = named.date[:4]
    assert found(**{"from": year, "to": year}) == {one.title for one in recordings if one.date[:4] == year}
    assert found(**{"from": "2999-01-01"}) == set()
    assert found(collection=["samples", ""]) == everything


def test_what_makes_no_sense_is_refused(client) -> None:
    for narrowed in [
        {"from": "yesterday"},
        {"to": "2024-1"},
        {"from": "2024-05-01\n"},
        {"speaker": "x" * 201},
        {"speaker": ["x"] * 51},
        {"k": 101},
    ]:
        answer = client.get(SEARCH, params={"q": QUESTION} | narrowed)
        assert answer.status_code == 422 and answer.json()["code"] == "input", narrowed


def test_names_of_private_collections_are_not_shown_or_taken(client, service) -> None:
    visitor = "f" * 32
    service.library.rename_collection("samples", private("samples", visitor))
    assert client.get(SEARCH, params={"q": QUESTION}).json()["hits"] == []
    for name in ("samples", private("samples", visitor)):
        assert client.get(SEARCH, params={"q": QUESTION, "collection": name}).status_code == 404


@pytest.mark.parametrize("is_form", [False, True])
def test_a_spoken_question(client, chosen_files, is_form: bool) -> None:
    sound = (chosen_files / "s004.opus").read_bytes()
    sent = {"files": {"audio": ("../q.opus", sound)}} if is_form else {"content": sound}
    body = client.post(SEARCH, params={"k": 2}, **sent).json()
    assert len(body["hits"]) == 2 and body["engine"] == "all"
    assert body["hits"][0]["heard"] == [] and body["hits"][0]["marked"] == []


def test_a_spoken_question_of_a_client_that_sends_its_name_in_the_other_way(client, chosen_files) -> None:
    head = b"--x\r\nContent-Disposition: form-data; name=audio; filename*=UTF-8''%C3%A9.opus\r\n\r\n"
    content = head + (chosen_files / "s004.opus").read_bytes() + b"\r\n--x--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert len(client.post(SEARCH, params={"k": 2}, content=content, headers=headers).json()["hits"]) == 2


def test_a_spoken_question_to_two_engines(client, chosen_files) -> None:
    sound = (chosen_files / "s004.opus").read_bytes()
    body = client.post("/api/v1/compare", params={"k": 1, "left": "adapter"}, content=sound).json()
    titles = {body[side]["hits"][0]["title"] for side in ("left", "right")}
    assert len(titles) == 1 and (body["left"]["engine"], body["right"]["engine"]) == ("adapter", "asr")


def test_what_is_no_spoken_question(client) -> None:
    for sent, status in [
        ({}, 422),
        ({"content": b"not a sound"}, 422),
        ({"data": {"audio": "words"}, "files": {"other": b"x"}}, 422),
        ({"content": b"x" * (8 * 2**20 + 1)}, 413),
        ({"content": b"--x", "headers": {"content-type": "multipart/form-data; boundary=x"}}, 422),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 422),
    ]:
        answer = client.post(SEARCH, **sent)
        assert answer.status_code == status and set(answer.json()) == {"code", "message", "hint"}, answer.text


def test_a_question_that_is_too_long_or_silent(client, long_tone, tone) -> None:
    for path in (long_tone, tone):
        answer = client.post(SEARCH, content=path.read_bytes())
        assert answer.status_code == 422 and answer.json()["message"]


def test_the_description_names_parameters_and_bodies(client) -> None:
    paths = client.get("/api/openapi.json").json()["paths"]
    names = {one["name"] for one in paths[SEARCH]["get"]["parameters"]}
    assert {"q", "k", "engine", "collection", "speaker", "language", "recording", "from", "to"} <= names
    assert names - {"engine"} <= {one["name"] for one in paths["/api/v1/export"]["get"]["parameters"]}
    assert "audio/*" in paths[SEARCH]["post"]["requestBody"]["content"]


def test_phrases_are_demanded_and_words_left_out(client) -> None:
    def asked(question: str, engine: str = "all") -> dict:
        return client.get(SEARCH, params={"q": question, "k": 7, "engine": engine}).json()

    whole = asked('"three hearts" octopus -Wojciechowski')
    assert (whole["phrases"], whole["excluded"]) == (["three hearts"], ["Wojciechowski"])
    assert [hit["title"] for hit in whole["hits"]] == ["Three hearts and eight clever arms"]
    assert "three hearts" in {word["word"] for word in whole["hits"][0]["heard"]}
    assert asked('"hearts three"')["hits"] == []
    demanded, plain = (asked(question)["hits"][0] for question in ('"three hearts"', "three hearts"))
    assert demanded["likelihood"] == plain["likelihood"]
    for engine in ("all", "hybrid", "asr"):
        titles = {hit["title"] for hit in asked("octopus blood", engine)["hits"]}
        assert titles - {hit["title"] for hit in asked("octopus -blood", engine)["hits"]} >= {
            "Three hearts and eight clever arms"
        }
    refused = client.get(SEARCH, params={"q": "-octopus"})
    assert refused.status_code == 422 and "leave out" in refused.json()["message"]
