"""Results as files by the route: the same hits as the search, under safe names."""

from __future__ import annotations

import csv
import io
import re
import zipfile

import pytest
from fastapi.testclient import TestClient

from speechsearch.api import create_app

QUESTION = "Why is octopus blood blue?"


@pytest.fixture(scope="module")
def client(kept_service):
    with TestClient(create_app(kept_service)) as client:
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


def test_links_stop_at_the_end_of_the_passage(client) -> None:
    hit = client.get("/api/v1/search", params={"q": QUESTION, "k": 1}).json()["hits"][0]
    start, end = f"{hit['start_s']:.2f}", f"{hit['end_s']:.2f}"
    assert hit["page_url"] == f"/?recording={hit['recording_id']}&t={start}&end={end}"
    assert hit["audio_url"] == f"/api/v1/recordings/{hit['recording_id']}/audio#t={start},{end}"
    (row,) = csv.DictReader(io.StringIO(export(client, "csv", k=1).text, newline=""))
    assert row["link"] == f"http://testserver{hit['page_url']}"
    assert client.get(hit["audio_url"]).status_code == 200


def test_a_clip_that_is_saved_has_two_seconds_around_it(client) -> None:
    def seconds(address: str) -> float:
        answer = client.get(address)
        assert answer.status_code == 200 and answer.headers["content-type"] == "audio/wav"
        return (len(answer.content) - 44) / 32_000

    recordings = client.get("/api/v1/recordings").json()["recordings"]
    longest = max(recordings, key=lambda one: one["duration_s"])
    passages = client.get(f"/api/v1/recordings/{longest['recording_id']}").json()["passages"]
    middle = next(one for one in passages if one["start_s"] > 5 and one["end_s"] < longest["duration_s"] - 5)
    address = f"/api/v1/clips/{middle['passage_id']}"
    alone_s = seconds(address)
    assert abs(alone_s - (middle["end_s"] - middle["start_s"])) < 0.05
    assert abs(seconds(f"{address}?download=1") - alone_s - 4) < 0.05
    assert abs(seconds(f"{address}?context_s=1") - alone_s - 2) < 0.05
    assert abs(seconds(f"{address}?download=1&context_s=0") - alone_s) < 0.05
    last = f"/api/v1/clips/{passages[-1]['passage_id']}?context_s=30"
    assert seconds(last) <= passages[-1]["end_s"] - passages[-1]["start_s"] + 60
    assert client.get(f"{address}?context_s=31").status_code == client.get(f"{address}?context_s=-1").status_code == 422


def test_subtitles_of_a_recording(client) -> None:
    hit = client.get("/api/v1/search", params={"q": QUESTION, "k": 1}).json()["hits"][0]
    own = f"/api/v1/recordings/{hit['recording_id']}/subtitles"
    vtt, srt = client.get(own), client.get(own, params={"format": "srt"})
    assert vtt.text.startswith("WEBVTT\n\n00:00:") and vtt.headers["content-type"] == "text/vtt; charset=utf-8"
    assert srt.text.startswith("1\n00:00:") and "," in srt.text.split(" --> ")[0]
    assert vtt.headers["content-disposition"].endswith(".vtt") and srt.headers["content-disposition"].endswith(".srt")
    assert client.get(own, params={"recognizer": "none"}).status_code == 404
    assert client.get(own, params={"format": "exe"}).status_code == 422
    assert client.get(f"/api/v1/recordings/{'0' * 64}/subtitles").status_code == 404


def test_a_collection_comes_as_a_zip(client) -> None:
    answer = client.get("/api/v1/collections/export", params={"name": "samples"})
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''samples.zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert sum(name.startswith("data/audio/") for name in names) == 7
        rows = list(csv.DictReader(io.StringIO(archive.read("data/metadata.csv").decode(), newline="")))
        assert {row["collection"] for row in rows} == {"samples"} and {"manifest-sha256.txt", "bagit.txt"} <= set(names)
    assert client.get("/api/v1/collections/export", params={"name": "none"}).status_code == 404
