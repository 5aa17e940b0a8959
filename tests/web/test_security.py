from __future__ import annotations

import re

import pytest
from fastapi import FastAPI, Request, WebSocket
from fastapi.testclient import TestClient
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocketDisconnect

from speechsearch.api import create_app
from speechsearch.api.accounts import Accounts
from speechsearch.api.doors import FORM_BYTES, LONGEST_BODY_BYTES, doors
from speechsearch.api.failures import Failures
from speechsearch.api.identity import Access, IdentityMiddleware
from speechsearch.api.rate_limit import MOST_KEYS, RateLimit
from speechsearch.api.security import SecurityMiddleware
from speechsearch.api.server import allowed_hosts
from speechsearch.api.throttle import Throttle, ThrottleMiddleware
from speechsearch.service.settings import Settings

OURS = "http://testserver"


def small_app(**options) -> FastAPI:
    """An application with nothing but a route of each kind behind the middleware."""
    app = FastAPI()

    @app.api_route("/api/thing", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    async def thing(request: Request):
        headers = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "true"}
        return PlainTextResponse(str(len(await request.body())), headers=headers)

    @app.post("/api/v1/recordings")
    async def upload(request: Request):
        return len(await request.body())

    @app.websocket("/api/v1/jobs/live/events")
    async def live(websocket: WebSocket):
        await websocket.accept()
        await websocket.send_text("hello")
        await websocket.close()

    app.add_middleware(SecurityMiddleware, open_doors=doors(2 * LONGEST_BODY_BYTES), **options)
    return app


@pytest.fixture
def client():
    with TestClient(small_app()) as client:
        yield client


FOREIGN = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": OURS},
    {"Origin": "https://evil.org"},
    {"Origin": "http://testserver:81"},
    {"Origin": "null"},
    {"Origin": ""},
)
KNOWN = ({}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": OURS})


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_pages_of_other_sites_change_nothing(client, method: str) -> None:
    for headers in FOREIGN:
        assert client.request(method, "/api/thing", headers=headers).status_code == 403, headers
    for headers in KNOWN:
        assert client.request(method, "/api/thing", headers=headers).status_code == 200, headers


def test_pages_of_other_sites_open_no_websocket(client) -> None:
    for headers in FOREIGN:
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("/api/v1/jobs/live/events", headers=headers):
            pass
    for headers in KNOWN:
        with client.websocket_connect("/api/v1/jobs/live/events", headers=headers) as live:
            assert live.receive_text() == "hello"


def test_links_from_other_sites_work_and_their_scripts_read_nothing(client) -> None:
    answer = client.get("/api/thing", headers=FOREIGN[0] | FOREIGN[3])
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control-allow")]


def test_bodies_have_a_limit(client) -> None:
    whole = b"x" * LONGEST_BODY_BYTES
    assert client.post("/api/thing", content=whole).text == str(len(whole))
    assert client.post("/api/thing", content=whole + b"x").status_code == 413
    assert client.post("/api/v1/recordings", content=whole + b"x").status_code == 200
    assert client.post("/api/v1/recordings", content=whole * 2 + b"x" * (FORM_BYTES + 1)).status_code == 413


def test_bodies_of_untold_length_have_a_limit_too(client) -> None:
    answer = client.post("/api/thing", content=iter([b"x" * 2**20] * 9))
    assert answer.status_code == 413


@pytest.mark.parametrize("length", ["-1", "many", "1e3", "9" * 5000, ""])
def test_lengths_that_are_none(client, length: str) -> None:
    assert client.post("/api/thing", content=b"x", headers={"Content-Length": length}).status_code == 413


def test_only_the_machines_own_names_are_answered() -> None:
    hosts = allowed_hosts(Settings(server={"hosts": ("speech.example.org",)}))
    with TestClient(small_app(allowed_hosts=hosts)) as client:
        for host in ("localhost", "localhost:7860", "127.0.0.1:7860", "[::1]:7860", "[::1]", "Speech.Example.org"):
            assert client.get("/api/thing", headers={"Host": host}).status_code == 200, host
        for host in ("evil.org", "localhost.evil.org", "127.0.0.1.nip.io", "", "[::1].evil.org", "localhost@evil.org"):
            assert client.get("/api/thing", headers={"Host": host}).status_code == 421, host
        with (
            pytest.raises(WebSocketDisconnect),
            client.websocket_connect("/api/v1/jobs/live/events", headers={"Host": "evil.org"}),
        ):
            pass


def test_a_server_for_others_answers_to_numbers_and_this_machines_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.setattr("socket.gethostname", lambda: "Tower.example.net")
    hosts = allowed_hosts(Settings(server={"host": "0.0.0.0", "hosts": ("Speech.example.org",)}))
    with TestClient(small_app(allowed_hosts=hosts)) as client:
        known = ("localhost:7860", "192.168.1.7:7860", "[2001:db8::1]:7860", "[::1]", "tower", "tower.local:7860")
        for host in (*known, "tower.example.net", "speech.example.org"):
            assert client.get("/api/thing", headers={"Host": host}).status_code == 200, host
        for host in (
            "evil.org",
            "192.168.1.7.nip.io",
            "0x7f000001",
            "2130706433",
            "127.1",
            "",
            "[::1",
            "tower.evil.org",
        ):
            assert client.get("/api/thing", headers={"Host": host}).status_code == 421, host
    monkeypatch.setenv("SPACE_ID", "a/b")
    assert allowed_hosts(Settings()) is None


def counted_app(a_minute: int) -> FastAPI:
    app = FastAPI()
    access = Access(accounts=Accounts({}, b"", 1.0), failures=Failures(10), is_owner=True, may_add=True, may_read=False)

    @app.get("/api/v1/search")
    @app.get("/health")
    def answer() -> str:
        return "ok"

    app.add_middleware(ThrottleMiddleware, throttle=Throttle(a_minute))
    app.add_middleware(IdentityMiddleware, access=access)
    return app


def test_questions_are_counted_by_visitor_and_those_without_a_cookie_together() -> None:
    app = counted_app(3)
    with TestClient(app) as one, TestClient(app) as other, TestClient(app) as nobody:
        for client in (one, other):
            client.get("/health")
            assert [client.get("/api/v1/search").status_code for _ in range(4)] == [200, 200, 200, 429]
        refused = one.get("/api/v1/search")
        assert (refused.json()["code"], refused.headers["retry-after"]) == ("too_many", "20")
        assert one.get("/health").status_code == 200
        codes = []
        for _ in range(4):
            nobody.cookies.clear()
            codes.append(nobody.get("/api/v1/search").status_code)
        assert codes == [200, 200, 200, 429]


def test_new_cookies_do_not_help_beyond_the_addresss_limit() -> None:
    with TestClient(counted_app(1)) as client:
        codes = []
        for number in range(12):
            client.cookies.clear()
            cookie = {"Cookie": f"speechsearch_visitor={number:032x}"}
            codes.append(client.get("/api/v1/search", headers=cookie).status_code)
        assert codes == [200] * 10 + [429] * 2


def test_the_limit_forgets_those_who_are_quiet() -> None:
    now_s = 0.0
    limit = RateLimit(60, clock=lambda: now_s)
    for number in range(MOST_KEYS):
        assert limit.wait_s(str(number)) == 0
    now_s = 10.0
    assert limit.wait_s("one more") == 0
    assert len(limit._left) == 1


@pytest.mark.parametrize("path", ["/health", "/api/v1/search", "/api/docs", "/nowhere", "/gradio_api/file=http://a.b"])
def test_headers_on_every_answer(service, path: str) -> None:
    with TestClient(create_app(service)) as client:
        headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert "microphone=(self)" in headers["permissions-policy"]
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'self'" in policy
    assert not re.search(r"https?:|\*", policy)


def test_a_space_may_frame_the_page(service) -> None:
    with TestClient(create_app(service, frame_ancestors=("'self'", "https://huggingface.co"))) as client:
        headers = client.get("/health").headers
    assert headers["content-security-policy"].endswith("frame-ancestors 'self' https://huggingface.co")
    assert "x-frame-options" not in headers
