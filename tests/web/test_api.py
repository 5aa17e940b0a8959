from __future__ import annotations

import io
import uuid
import wave

import pytest
from fastapi.testclient import TestClient

from speechsearch import errors
from speechsearch.api import create_app
from speechsearch.api.errors import status_of
from speechsearch.progress import Progress


@pytest.fixture
def client(service):
    with TestClient(create_app(service)) as client:
        yield client


def test_search_returns_the_best_passage_first(client) -> None:
    body = client.get("/api/v1/search", params={"q": "Who built the railway bridge?", "k": 3}).json()
    assert body["engine"] == "hybrid"
    assert body["has_confident_hit"] is True
    assert [hit["rank"] for hit in body["hits"]] == [1, 2, 3]
    first = body["hits"][0]
    assert first["title"] == "The cantilever bridge"
    assert (first["start_s"], first["end_s"]) == (12.0, 15.0)
    assert [channel["channel"] for channel in first["channels"]] == ["adapter", "phonetic"]


def test_compare_and_collections(client) -> None:
    body = client.get("/api/v1/compare", params={"q": "honey", "left": "phonetic"}).json()
    assert (body["left"]["engine"], body["right"]["engine"]) == ("phonetic", "asr")
    assert body["right"]["hits"][0]["transcript"].startswith("bees on the roof")
    (collection,) = client.get("/api/v1/collections").json()
    assert (collection["name"], collection["recordings"]) == ("samples", 6)


def test_collection_filter(client, service) -> None:
    service.add("Bridge notes", "", "a bridge of my own", "mine")
    hits = client.get("/api/v1/search", params={"q": "bridge", "collection": "mine"}).json()["hits"]
    assert [hit["title"] for hit in hits] == ["Bridge notes"]
    missing = client.get("/api/v1/search", params={"q": "bridge", "collection": "none"})
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


def test_clip_plays_and_seeks(client) -> None:
    url = client.get("/api/v1/search", params={"q": "bridge", "k": 1}).json()["hits"][0]["clip_url"]
    whole = client.get(url)
    assert whole.headers["content-type"] == "audio/wav"
    with wave.open(io.BytesIO(whole.content)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (16_000, 1, 48_000)
    part = client.get(url, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert client.get(url, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    assert client.get(url, headers={"Range": "bytes=99999999-"}).status_code == 416
    head = client.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"/api/v1/clips/{uuid.UUID(int=1)}", 404, "not_found"),
        ("/api/v1/clips/etc", 422, "input"),
        ("/api/v1/clips/..%2f..%2fetc%2fpasswd", 404, None),
        ("/api/v1/search", 422, "input"),
        ("/api/v1/search?q=x&k=0", 422, "input"),
        ("/api/v1/search?q=x&k=many", 422, "input"),
        ("/api/v1/search?q=x&engine=none", 404, "not_found"),
        ("/api/v1/search?q=" + "x" * 1001, 422, "input"),
    ],
)
def test_errors_have_one_form(client, path: str, status: int, code: str | None) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    if code is not None:
        body = answer.json()
        assert set(body) == {"code", "message", "hint"}
        assert body["code"] == code
        assert body["message"]


def test_each_error_of_ours_has_a_status() -> None:
    expected = {
        errors.ConfigurationError: 500,
        errors.DecodeError: 422,
        errors.TooLargeError: 413,
        errors.EmptyQueryError: 422,
        errors.NotFoundError: 404,
        errors.DuplicateError: 409,
        errors.FingerprintMismatchError: 503,
        errors.DataFolderInUseError: 503,
        errors.ModelUnavailableError: 503,
        errors.CapabilityError: 501,
    }
    assert {kind: status_of(kind("x")) for kind in expected} == expected


def test_health_says_what_is_being_indexed(service) -> None:
    progress = Progress("ingest", "a.opus", 34, 66, remaining_s=12.0)
    with TestClient(create_app(service, indexing=lambda: progress)) as client:
        body = client.get("/health").json()
    assert (body["status"], body["recordings"], body["passages"]) == ("ok", 6, 6)
    assert body["indexing"] == {"stage": "ingest", "done": 34, "total": 66, "remaining_s": 12.0}


@pytest.mark.parametrize(
    "path", ["/health", "/api/v1/search", "/api/v1/clips/x", "/nowhere", "/gradio_api/file=http://a.b"]
)
def test_security_headers_on_every_answer(client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert "connect-src 'self'" in headers["content-security-policy"]


def test_frame_ancestors_can_be_given(service) -> None:
    with TestClient(create_app(service, frame_ancestors=("'self'", "https://huggingface.co"))) as client:
        policy = client.get("/health").headers["content-security-policy"]
    assert policy.endswith("frame-ancestors 'self' https://huggingface.co")


def test_openapi_describes_the_routes(client) -> None:
    paths = client.get("/api/openapi.json").json()["paths"]
    assert {"/health", "/api/v1/search", "/api/v1/compare", "/api/v1/collections"} <= set(paths)
    assert client.get("/docs").status_code == 404
