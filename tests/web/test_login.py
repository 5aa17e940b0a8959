from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from speechsearch.api import create_app, passwords
from speechsearch.api.accounts import EPOCHS_FILE, KEY_FILE, Accounts
from speechsearch.api.failures import Failures
from speechsearch.api.identity import COOKIE, SESSION_COOKIE, visitor_id
from speechsearch.domain.errors import ConfigurationError
from speechsearch.service.open import Service
from speechsearch.service.settings import AuthSettings

PASSWORD = "a tide of bees"
with pytest.MonkeyPatch.context() as cheap:
    cheap.setattr(passwords, "COST", 16)
    HASH = passwords.hash_password(PASSWORD)
PAGE = {"Accept": "text/html"}


@pytest.fixture(scope="module", autouse=True)
def cheap_hashes() -> Iterator[None]:
    """A fifth of a second for each login would be most of these tests; tests/unit/test_passwords.py has real ones."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passwords, "COST", 16)
        yield


@pytest.fixture
def guarded(settings, loader, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """The application with one person who may log in; others may do what the parameter says. Time stands still."""
    monkeypatch.setattr("speechsearch.api.app.Failures", lambda a_minute: Failures(a_minute, lambda: 0.0))
    visitors = getattr(request, "param", "none")
    settings = settings.model_copy(update={"auth": AuthSettings(users={"ann": HASH}, visitors=visitors)})
    with Service.open(settings, loader=loader) as service:
        yield create_app(service)


@pytest.fixture
def client(guarded):
    with TestClient(guarded, follow_redirects=False) as client:
        yield client


def log_in(client: TestClient, password: str = PASSWORD, **headers: str):
    return client.post("/login", data={"username": "ann", "password": password}, headers=PAGE | headers)


def basic(name: str = "ann", password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/api/v1/search?q=ferry"),
        ("GET", "/api/v1/collections"),
        ("GET", "/api/v1/account"),
        ("GET", "/api/openapi.json"),
        ("GET", "/api/docs"),
        ("GET", "/gradio_api/info"),
        ("POST", "/gradio_api/queue/join"),
        ("POST", "/gradio_api/upload"),
        ("GET", "/config"),
        ("POST", "/mcp"),
    ],
)
def test_nothing_is_served_without_a_login(client, method: str, path: str) -> None:
    answer = client.request(method, path)
    assert answer.status_code == 401
    assert answer.json()["code"] == "login"
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert client.request(method, path, headers={"Sec-Fetch-Mode": "cors"}).headers.get("www-authenticate") is None


def test_health_says_only_that_the_program_runs(client) -> None:
    assert client.get("/health").json() == {"status": "ok"}


def test_websockets_need_a_login(client) -> None:
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/anything"):
        pass


def test_pages_lead_to_the_login_and_back_with_the_question(client) -> None:
    away = client.get("/?q=a b&k=3", headers=PAGE)
    assert (away.status_code, away.headers["location"]) == (303, "/login?q=a%20b&k=3")
    page = client.get(away.headers["location"])
    assert page.status_code == 200
    assert "script-src" not in page.headers["content-security-policy"]
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    (action,) = re.findall(r'action="([^"]+)"', page.text)
    assert action == "/login?q=a%20b&amp;k=3"
    back = client.post("/login?q=a%20b&k=3", data={"username": "ann", "password": PASSWORD}, headers=PAGE)
    assert (back.status_code, back.headers["location"]) == (303, "/?q=a%20b&k=3")


@pytest.mark.parametrize(
    "query", ["//evil.org", "next=https://evil.org", "%0d%0aSet-Cookie:a=b", '"><script>x</script>']
)
def test_the_way_back_never_leads_elsewhere(client, query: str) -> None:
    page = client.get(f"/login?{query}")
    assert "<script" not in page.text
    location = client.post(f"/login?{query}", data={"username": "ann", "password": PASSWORD}, headers=PAGE).headers
    assert location["location"].startswith("/?")
    assert "\r" not in location["location"]


def test_login_and_logout(client) -> None:
    entered = log_in(client)
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    (header,) = [value for value in entered.headers.get_list("set-cookie") if value.startswith(SESSION_COOKIE)]
    assert "HttpOnly" in header and "SameSite=Lax" in header and "Secure" not in header
    assert client.get("/api/v1/account").json() == {"person": "ann", "has_login": True, "may_add": True}
    assert client.get("/health").json()["recordings"] == 7
    assert client.get("/login").headers["location"] == "/"
    assert client.post("/logout").headers["location"] == "/"
    assert client.get("/api/v1/account").status_code == 401


def test_programs_log_in_with_basic_or_by_the_form(client) -> None:
    assert client.get("/api/v1/account", headers=basic()).json()["person"] == "ann"
    wrong = client.get("/api/v1/account", headers=basic(password="no"))
    assert (wrong.status_code, wrong.json()["message"]) == (401, "The name or the password is wrong.")
    for header in ("Basic", "Basic !!!", "Basic " + base64.b64encode(b"\xff\xfe").decode(), "Bearer x"):
        assert client.get("/api/v1/account", headers={"Authorization": header}).status_code == 401
    assert client.post("/login", data={"username": "ann", "password": PASSWORD}).json() == {"success": True}
    assert client.get("/api/v1/account").json()["person"] == "ann"


def test_wrong_passwords_say_nothing_about_names_and_are_counted(client) -> None:
    said = [
        log_in(client, "wrong").text,
        client.post("/login", data={"username": "eve", "password": "x"}, headers=PAGE).text,
    ]
    assert said[0] == said[1]
    for _ in range(9):
        assert client.get("/api/v1/account", headers=basic(password="guess")).status_code == 401
    refused = log_in(client)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert client.get("/api/v1/account", headers=basic()).status_code == 429


def test_right_passwords_are_not_counted(client) -> None:
    for _ in range(12):
        client.cookies.clear()
        assert log_in(client).status_code == 303


def test_others_failures_lock_nobody_out(guarded, client) -> None:
    assert log_in(client).status_code == 303
    with (
        TestClient(guarded) as stranger,
        TestClient(guarded, client=("10.0.0.7", 5000), follow_redirects=False) as elsewhere,
    ):
        codes = [stranger.get("/api/v1/account", headers=basic("eve", str(n))).status_code for n in range(12)]
        assert codes == [401] * 10 + [429] * 2
        assert log_in(stranger, "wrong").status_code == 401  # another name from the same address
        for _ in range(12):
            stranger.get("/api/v1/account", headers=basic(password="guess"))
        assert stranger.get("/api/v1/account", headers=basic(password="guess")).status_code == 429
        assert log_in(elsewhere).status_code == 303
        assert client.get("/api/v1/account").json()["person"] == "ann"
        assert log_in(client).status_code == 303  # the same address, but a browser that knows her


def test_guessing_many_names_from_one_address_ends(client) -> None:
    failures = Failures(10, lambda: 0.0)
    waits = [failures.begin(f"name {number}", "10.0.0.7") for number in range(101)]
    assert not any(waits[:100]) and waits[100] > 0
    failures.forgive("name 1", "10.0.0.7")
    assert failures.begin("ann", "10.0.0.7") == 0


def test_logging_out_everywhere_ends_the_other_sessions_and_no_one_elses(guarded, client, settings) -> None:
    with TestClient(guarded, follow_redirects=False) as phone:
        for device in (client, phone):
            assert log_in(device).status_code == 303
        assert client.post("/logout").status_code == 303
        assert phone.get("/api/v1/account").status_code == 200  # only here
        assert log_in(client).status_code == 303
        cookie = client.cookies[SESSION_COOKIE]
        assert client.post("/logout", data={"everywhere": "true"}).headers["location"] == "/"
        assert phone.get("/api/v1/account").status_code == 401
        client.cookies.set(SESSION_COOKIE, cookie)
        assert client.get("/api/v1/account").status_code == 401
        assert client.post("/logout", data={"everywhere": "true"}).status_code == 303  # of a stranger: nothing
    assert (settings.data_dir / EPOCHS_FILE).stat().st_mode & 0o777 == 0o600
    again = Accounts.of(AuthSettings(users={"ann": HASH, "bob": HASH}), settings.data_dir)
    assert again.name_of(cookie) == ""
    assert again.name_of(again.begin("bob")) == "bob"


def test_what_is_kept_of_sessions_is_checked(tmp_path: Path) -> None:
    (tmp_path / EPOCHS_FILE).write_text("[1]", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="is damaged"):
        Accounts.of(AuthSettings(users={"ann": HASH}), tmp_path)


def test_a_proxy_that_is_not_believed_is_named_once(client, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        client.get("/health", headers={"X-Forwarded-For": "203.0.113.9"})
    (record,) = [one for one in caplog.records if "FORWARDED_ALLOW_IPS" in one.getMessage()]
    assert "FORWARDED_ALLOW_IPS=testclient" in record.getMessage()


def test_a_proxy_that_is_believed_is_not_named(guarded, caplog: pytest.LogCaptureFixture) -> None:
    with TestClient(ProxyHeadersMiddleware(guarded, trusted_hosts="10.0.0.1"), client=("10.0.0.1", 5000)) as client:
        client.get("/health", headers={"X-Forwarded-For": "203.0.113.9"})
    assert "FORWARDED_ALLOW_IPS" not in caplog.text


def test_forged_and_old_cookies_are_refused(client, settings) -> None:
    assert log_in(client).status_code == 303
    real = client.cookies[SESSION_COOKIE]
    name, until_s, signature = real.split(".")
    forged = [
        "",
        "x",
        "..",
        f"{name}.{int(until_s) + 1}.{signature}",
        f"Ym9i.{until_s}.{signature}",
        real[:-1],
        f"{real}é",
    ]
    for value in forged:
        headers = {"Cookie": f"{SESSION_COOKIE}={value}".encode()}
        client.cookies.clear()
        assert client.get("/api/v1/account", headers=headers).status_code == 401, value
    assert (settings.data_dir / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_sessions_end_with_time_and_with_a_new_password() -> None:
    now_s = 1000.0
    accounts = Accounts({"ann": HASH}, b"k" * 32, session_s=60, clock=lambda: now_s)
    cookie = accounts.begin("ann")
    assert accounts.name_of(cookie) == "ann"
    assert Accounts({"ann": passwords.hash_password("other")}, b"k" * 32, 60, lambda: now_s).name_of(cookie) == ""
    assert Accounts({"bob": HASH}, b"k" * 32, 60, lambda: now_s).name_of(cookie) == ""
    assert Accounts({"ann": HASH}, b"j" * 32, 60, lambda: now_s).name_of(cookie) == ""
    now_s = 1061.0
    assert accounts.name_of(cookie) == ""


@pytest.mark.parametrize(
    ("users", "said"), [({"ann": "tide"}, "no password hash for 'ann'"), ({"a/b": HASH}, "'a/b' cannot be")]
)
def test_settings_that_would_be_unsafe_are_refused(users: dict[str, str], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Accounts.of(AuthSettings(users=users), tmp_path)


@pytest.mark.parametrize("guarded", ["read"], indirect=True)
def test_visitors_may_search_and_change_nothing(client) -> None:
    found = client.get("/api/v1/search", params={"q": "octopus"}).json()
    assert found["hits"]
    assert client.get("/api/v1/account").json() == {"person": "", "has_login": True, "may_add": False}
    assert log_in(client).status_code == 303
    assert client.get("/api/v1/account").json()["may_add"] is True


def test_cookies_in_a_frame_are_kept_apart(settings, loader) -> None:
    settings = settings.model_copy(update={"auth": AuthSettings(users={"ann": HASH})})
    with Service.open(settings, loader=loader) as service:
        app = create_app(service, frame_ancestors=("'self'", "https://huggingface.co"))
        with TestClient(app, base_url="https://a.hf.space", follow_redirects=False) as client:
            header = log_in(client).headers["set-cookie"]
            assert "SameSite=None; Secure; Partitioned" in header


def test_without_users_nobody_has_to_log_in(service) -> None:
    with TestClient(create_app(service), follow_redirects=False) as client:
        assert client.get("/login").headers["location"] == "/"
        assert log_in(client).headers["location"] == "/"
        answer = client.get("/api/v1/account")
        assert answer.json() == {"person": "", "has_login": False, "may_add": True}
        assert not (service.settings.data_dir / KEY_FILE).exists()


def test_a_visitors_id_is_not_the_cookie(service) -> None:
    with TestClient(create_app(service)) as client:
        client.get("/health")
        cookie = client.cookies[COOKIE]
        assert re.fullmatch("[0-9a-f]{32}", cookie)
        assert visitor_id(cookie) != cookie
        assert "set-cookie" not in client.get("/health").headers
        assert "set-cookie" in client.get("/health", headers={"Cookie": f"{COOKIE}=../../etc"}).headers
