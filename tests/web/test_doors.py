"""Which requests are let in: the routes of the real application, enumerated, and the attacks of an audit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from benchmarks.access_table import all_routes, example
from ingest import runners
from speechsearch.api.doors import door_of, doors
from speechsearch.api.page_policy import hash_of, inline_scripts
from speechsearch.jobs.queue import JobQueue
from speechsearch.service.open import Service
from speechsearch.service.settings import Settings
from speechsearch.ui import page
from tests.conftest import copy_data
from tests.web.whole import whole_app

PAGE_NEEDS = {
    ("GET", "/"),
    ("HEAD", "/"),
    ("GET", "/assets/{path:path}"),
    ("GET", "/static/{path:path}"),
    ("GET", "/favicon.ico"),
    ("GET", "/theme.css"),
    ("POST", "/gradio_api/queue/join"),
    ("GET", "/gradio_api/queue/data"),
    ("POST", "/gradio_api/run/{api_name}"),
    ("POST", "/gradio_api/cancel"),
    ("POST", "/gradio_api/reset"),
    ("GET", "/gradio_api/heartbeat/{session_hash}"),
}
CLIENT_NEEDS = {("GET", "/config"), ("GET", "/gradio_api/info")}
REPLACED = {("POST", "/login"), ("POST", "/gradio_api/upload"), ("GET", "/gradio_api/upload_progress")}
REPLACED |= {(method, "/gradio_api/file={path_or_url:path}") for method in ("GET", "HEAD")}
VALUES = {
    "name": "/tmp/x.wav",
    "api_name": "predict",
    "path_or_url": "/tmp/x.wav",
    "passage_id": "p",
    "recording_id": "r",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, library_folder: Path, loader) -> Iterator[object]:
    folder = tmp_path_factory.mktemp("doors")
    settings = Settings(data_dir=copy_data(library_folder, folder / "data"))
    with pytest.MonkeyPatch.context() as environment, Service.open(settings, loader=loader) as service:
        environment.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        yield whole_app(service, JobQueue(service, runners(service, folder)))


@pytest.fixture
def client(app) -> TestClient:
    return TestClient(app, follow_redirects=False)


def let_in(method: str, path: str) -> bool:
    return door_of(method, path, doors(10**9)) is not None


def test_no_route_of_gradio_is_open_but_those_that_are_needed(app) -> None:
    found = all_routes(app)
    ours = {(one.method, one.path) for one in found if one.is_ours}
    theirs = {(one.method, one.path) for one in found if not one.is_ours}
    assert len(theirs) > 60 and len(ours) > 40
    open_theirs = {one for one in theirs if let_in(one[0], example(one[1], VALUES))}
    assert open_theirs - REPLACED == PAGE_NEEDS | CLIENT_NEEDS
    closed_ours = {one for one in ours if not let_in(one[0], example(one[1], VALUES))}
    assert closed_ours == set()


def test_the_routes_that_are_replaced_are_ours(client) -> None:
    assert client.post("/gradio_api/upload", content=b"x").json()["code"] == "input"
    assert client.get("/gradio_api/upload_progress", params={"upload_id": "x"}).text == 'data: {"msg": "done"}\n\n'
    assert client.get("/gradio_api/file=/tmp/x.wav").json()["code"] == "not_found"
    assert client.post("/login").headers["location"] == "/"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/gradio_api/process_recording"),
        ("POST", "/gradio_api/process_recording/"),
        ("GET", "/gradio_api/file/http://127.0.0.1:1/"),
        ("GET", "/gradio_api/file/https://example.org/"),
        ("GET", "/gradio_api/file=http://127.0.0.1:1/"),
        ("GET", "/gradio_api/file=HTTPS:/example.org"),
        ("GET", "/gradio_api/file%3Dhttp://127.0.0.1:1/"),
        ("GET", "/gradio_api/file=relative.py"),
        ("GET", "/gradio_api/file/etc/passwd"),
        ("GET", "/gradio_api/proxy=http://127.0.0.1:1/"),
        ("POST", "/gradio_api/component_server"),
        ("POST", "/gradio_api/stream/x"),
        ("GET", "/gradio_api/stream/a/b/c/playlist.m3u8"),
        ("POST", "/gradio_api/vibe-code/"),
        ("GET", "/gradio_api/runs"),
        ("GET", "/gradio_api/deep_link"),
        ("GET", "/gradio_api/custom_component/a/client/component/index.js"),
        ("GET", "/gradio_api/queue/status"),
        ("POST", "/gradio_api/run/search"),
        ("POST", "/gradio_api/call/search"),
        ("OPTIONS", "/gradio_api/queue/join"),
        ("GET", "/gradio_api/queue/join"),
        ("PUT", "/gradio_api/upload"),
        ("GET", "/gradio_api//queue/data"),
        ("GET", "/gradio_api/token"),
        ("GET", "/monitoring"),
        ("GET", "/monitoring/summary"),
        ("GET", "/svelte/x"),
        ("GET", "/upload"),
        ("GET", "/file"),
        ("GET", "/proxy=http://127.0.0.1:1/"),
        ("POST", "/login/"),
        ("GET", "/logout"),
        ("GET", "/manifest.json"),
        ("GET", "/nowhere"),
        ("TRACE", "/"),
        ("POST", "/"),
    ],
)
def test_what_is_no_door_is_refused(client, method: str, path: str) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (403, "refused")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_only_known_websockets_are_opened(client) -> None:
    from starlette.websockets import WebSocketDisconnect

    for path in ("/gradio_api/queue/join", "/anything", "/api/v1/search"):
        with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect(path):
            pass
        assert refused.value.code == 1008


def test_an_event_with_a_queue_cannot_go_round_it(client) -> None:
    fns = client.get("/config").json()["dependencies"]
    queued = next(one["id"] for one in fns if one["queue"] is not False and one["backend_fn"])
    refused = client.post("/gradio_api/run/predict", json={"data": [], "fn_index": queued, "session_hash": "a"})
    assert refused.status_code == 404
    assert "join the queue" in refused.json()["detail"]


def test_what_the_page_needs_is_there(client) -> None:
    page = client.get("/")
    assert page.status_code == 200
    for path in ("/theme.css", "/favicon.ico", "/config", "/gradio_api/info", "/health", "/login"):
        assert client.get(path).status_code in (200, 303), path


def test_only_the_pages_own_scripts_run(client) -> None:
    for path, is_gradios in (("/", True), ("/api/docs", False), ("/health", False)):
        answer = client.get(path, headers={"Accept-Encoding": "gzip, br"})
        (sources,) = re.findall(r"script-src ([^;]*);", answer.headers["content-security-policy"])
        named = [one for one in sources.split() if one.startswith("'sha256-")]
        assert "'unsafe-inline'" not in sources
        assert ("'unsafe-eval'" in sources) == is_gradios
        assert set(map(hash_of, inline_scripts(answer.text))) <= set(named)
        assert bool(named) == (path != "/health")
    early = (Path(page.__file__).parent / "static" / "early.js").read_text(encoding="utf-8")
    assert hash_of(early) in client.get("/").headers["content-security-policy"]
    assert client.get("/", headers={"Accept-Encoding": "gzip"}).headers["content-encoding"] == "gzip"
    plain = client.get("/", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert int(plain.headers["content-length"]) == len(plain.content)
