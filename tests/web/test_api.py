from __future__ import annotations

import io
import re
import uuid
import wave

import pytest
from fastapi.testclient import TestClient

from speechsearch.api import create_app
from speechsearch.api.error_responses import status_of
from speechsearch.api.identity import COOKIE, visitor_id
from speechsearch.domain import errors
from speechsearch.domain.values import Query
from speechsearch.domain.visitors import private

QUESTION = "Why is octopus blood blue?"


@pytest.fixture(scope="module")
def client(kept_service):
    with TestClient(create_app(kept_service)) as client:
        yield client


def test_search_returns_the_best_passage_first(client, kept_service) -> None:
    body = client.get("/api/v1/search", params={"q": QUESTION, "k": 3}).json()
    expected = kept_service.search.find(Query(QUESTION, top_k=3)).hits
    assert body["engine"] == "all"
    assert body["has_confident_hit"] is True
    assert [hit["rank"] for hit in body["hits"]] == [1, 2, 3]
    assert [hit["passage_id"] for hit in body["hits"]] == [hit.passage.passage_id for hit in expected]
    first = body["hits"][0]
    assert (first["start_s"], first["end_s"]) == (expected[0].passage.span.start_s, expected[0].passage.span.end_s)
    assert {channel["channel"] for channel in first["channels"]} <= {
        "adapter",
        "phonetic",
        "pieces",
        "keywords",
        "meaning",
        "words",
    }


def test_compare_and_collections(client) -> None:
    body = client.get("/api/v1/compare", params={"q": QUESTION, "left": "phonetic"}).json()
    assert (body["left"]["engine"], body["right"]["engine"]) == ("phonetic", "asr")
    assert body["right"]["hits"][0]["transcript"]
    (collection,) = client.get("/api/v1/collections").json()
    assert (collection["name"], collection["recordings"]) == ("samples", 7)


def test_collection_filter(client) -> None:
    hits = client.get("/api/v1/search", params={"q": QUESTION, "collection": "samples"}).json()["hits"]
    assert {hit["collection"] for hit in hits} == {"samples"}
    missing = client.get("/api/v1/search", params={"q": QUESTION, "collection": "none"})
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


def test_clip_plays_and_seeks(client) -> None:
    hit = client.get("/api/v1/search", params={"q": QUESTION, "k": 1}).json()["hits"][0]
    whole = client.get(hit["clip_url"])
    assert whole.headers["content-type"] == "audio/wav"
    with wave.open(io.BytesIO(whole.content)) as file:
        assert (file.getframerate(), file.getnchannels()) == (16_000, 1)
        assert file.getnframes() / 16_000 == pytest.approx(hit["end_s"] - hit["start_s"], abs=0.05)
    part = client.get(hit["clip_url"], headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert client.get(hit["clip_url"], headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    assert client.get(hit["clip_url"], headers={"Range": "bytes=99999999-"}).status_code == 416
    head = client.head(hit["clip_url"])
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


def test_health_says_what_there_is(client, kept_service) -> None:
    passages = len(kept_service.store.passages.ids())
    expected = {"status": "ok", "recordings": 7, "passages": passages, "indexing": None}
    assert client.get("/health").json() == expected


def test_openapi_describes_the_routes_and_its_page_needs_no_other_host(client) -> None:
    paths = client.get("/api/openapi.json").json()["paths"]
    assert {"/health", "/api/v1/search", "/api/v1/compare", "/api/v1/collections"} <= set(paths)
    page = client.get("/api/docs").text
    assert "://" not in page
    for address in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert client.get(address).status_code == 200, address
    assert client.get("/docs").status_code == 403  # no door leads there


def test_a_hit_never_shows_whose_collection_it_is_in(service) -> None:
    with TestClient(create_app(service)) as client:
        client.get("/health")
        mine = private("notes", visitor_id(client.cookies[COOKIE]))
        service.store.collections.rename("samples", mine)
        service.manage.rebuild()
        body = client.get("/api/v1/search", params={"q": QUESTION, "k": 1})
    assert body.json()["hits"][0]["collection"] == "notes"
    assert "@" not in body.text
