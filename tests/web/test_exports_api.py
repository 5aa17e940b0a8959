"""Results as files by the route: the same hits as the search, under safe names."""

from __future__ import annotations

import csv
import io
import re

import pytest
from fastapi.testclient import TestClient

from speechsearch.api import create_app

QUESTION = "Why is octopus blood blue?"


@pytest.fixture
def client(service):
    with TestClient(create_app(service)) as client:
        yield client


def export(client, format: str, **more):
    return client.get("/api/v1/export", params={"format": format, "q": QUESTION, "k": 3} | more)


def test_every_format_has_the_hits_of_the_search(client) -> None:
    hits = client.get("/api/v1/search", params={"q": QUESTION, "k": 3}).json()["hits"]
    ids = [hit["passage_id"] for hit in hits]
    table = list(csv.DictReader(io.StringIO(export(client, "csv").text, newline="")))
    assert [row["passage_id"] for row in table] == ids
    assert {row["collection"] for row in table} == {"samples"}
    assert [hit["passage_id"] for hit in export(client, "json").json()["hits"]] == ids
    playlist = export(client, "m3u").text
    clips = [line for line in playlist.splitlines() if not line.startswith("#")]
    assert clips == [f"http://testserver/api/v1/clips/{one}" for one in ids]
    assert client.get(clips[0]).headers["content-type"] == "audio/wav"
    captions = export(client, "vtt").text
    assert captions.startswith("WEBVTT\n") and captions.count(" --> ") == 3


@pytest.mark.parametrize(
    ("format", "kind", "suffix"),
    [
        ("csv", "text/csv; charset=utf-8", ".csv"),
        ("json", "application/json", ".json"),
        ("m3u", "audio/x-mpegurl; charset=utf-8", ".m3u8"),
        ("vtt", "text/vtt; charset=utf-8", ".vtt"),
    ],
)
def test_files_have_a_kind_and_a_name(client, format: str, kind: str, suffix: str) -> None:
    answer = export(client, format, q='../../<b>"x"</b>\r\nSet-Cookie: a=b')
    assert answer.headers["content-type"] == kind
    assert re.fullmatch(
        rf"attachment; filename\*=UTF-8''[\w%.-]+{re.escape(suffix)}", answer.headers["content-disposition"]
    )
    assert "%2F" not in answer.headers["content-disposition"] and "a" not in answer.cookies


def test_one_engine_and_one_recording(client) -> None:
    first = client.get("/api/v1/search", params={"q": QUESTION, "k": 1}).json()["hits"][0]
    captions = export(client, "vtt", engine="asr", recording=first["recording_id"]).text
    assert "NOTE" not in captions and first["title"] in captions


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"format": "exe"}, 422),
        ({"q": " "}, 422),
        ({"engine": "none"}, 404),
        ({"collection": "none"}, 404),
        ({"k": 0}, 422),
    ],
)
def test_what_cannot_be_exported(client, parameters: dict, status: int) -> None:
    answer = client.get("/api/v1/export", params={"q": QUESTION} | parameters)
    assert answer.status_code == status and set(answer.json()) == {"code", "message", "hint"}
