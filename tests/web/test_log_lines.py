"""What is written to the log, by hostile values through every door: never a question, a name, a password or a token."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from fastapi.testclient import TestClient

from benchmarks.access_table import all_routes, example
from speechsearch.api import create_app
from speechsearch.api.log_lines import LineFormatter, write_logs
from speechsearch.api.passwords import hash_password
from speechsearch.domain.errors import NotFoundError
from speechsearch.jobs.queue import JobQueue
from speechsearch.service.open import Service
from speechsearch.service.settings import AuthSettings, LogSettings
from speechsearch.ui.page import mount
from tests.tiny.fakes import FakeLoader, fake_settings

SECRET = "Wojciechowskis-divorce"
HOSTILE = f'{SECRET}\n{{"level": "error", "message": "forged"}}\r\u2028${{jndi:ldap://x}}'
PASSWORD = f"a tide of {SECRET}"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = fake_settings(tmp_path_factory.mktemp("logs") / "data", FakeLoader())
    users: Any = {SECRET: hash_password(PASSWORD)}
    log = LogSettings(format="json", requests=True)
    with Service.open(
        settings.model_copy(update={"auth": AuthSettings(users=users), "log": log}), loader=FakeLoader()
    ) as opened:
        yield opened


Watch = Callable[..., io.StringIO]


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """Begin to write the log as ``serve`` does and return what is written; afterwards it is as before."""
    root, ours = logging.getLogger(), logging.getLogger("speechsearch")
    before = root.handlers[:], root.level, ours.level

    def begin(**settings: Any) -> io.StringIO:
        written = io.StringIO()
        monkeypatch.setattr("sys.stderr", written)
        write_logs(LogSettings(**settings))
        return written

    yield begin
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


def app_of(service: Service) -> Any:
    def fails(given: str) -> str:
        raise KeyError(given)

    async def build() -> Any:  # inside a loop, because Gradio leaves one open where there is none
        with gr.Blocks() as page:
            box = gr.Textbox()
            box.submit(fails, box, box, api_name="fails")
            box.change(fails, gr.Dropdown(["a"]), box, api_name="chosen")
        jobs = JobQueue(service, {"files": lambda job, report: iter(())})
        return mount(create_app(service, jobs=jobs), page, service, jobs)

    return asyncio.run(build())


@pytest.mark.filterwarnings("ignore")
def test_no_door_writes_what_was_sent(
    service: Service, watch: Watch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: Any
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    written = watch(format="json", requests=True)

    def broken(*given: object, **more: object) -> Any:
        raise RuntimeError(f"failed at {given} {more}")

    # Questions fail in a way that nobody foresaw, quoting what was asked.
    monkeypatch.setattr(service.search, "_find", broken)
    app = app_of(service)
    sent = 0
    with TestClient(app, raise_server_exceptions=False) as client:
        routes = sorted((one for one in all_routes(app) if one.is_ours), key=lambda one: (one.path, one.method))
        for key, asked in ((f"{SECRET}:{PASSWORD}", routes), (f"{SECRET}:wrong {SECRET}", routes[::20])):
            headers = {"authorization": f"Bearer {key}", "x-request-id": HOSTILE.encode("unicode_escape").decode()}
            for route in asked:
                if route.method == "WEBSOCKET":
                    continue
                values = dict.fromkeys(re.findall(r"\{(\w+)", route.path), SECRET)
                client.request(
                    route.method,
                    example(route.path, values),
                    params={"q": HOSTILE, "name": HOSTILE, "engine": HOSTILE, "token": SECRET},
                    headers={**headers, "user-agent": SECRET, "referer": f"http://x/?q={SECRET}"},
                    **body_of(route.path, route.method),
                )
                sent += 1
            config = client.get("/config", headers=headers)
            for name in ("fails", "chosen") if config.status_code == 200 else ():
                number = next(one["id"] for one in config.json()["dependencies"] if one["api_name"] == name)
                event = {"fn_index": number, "data": [HOSTILE], "session_hash": "s"}
                assert client.post("/gradio_api/queue/join", json=event, headers=headers).status_code == 200
                client.get("/gradio_api/queue/data", params={"session_hash": "s"}, headers=headers)
            client.post("/login", data={"username": SECRET, "password": PASSWORD + "!"})
    shown = written.getvalue() + "".join(capfd.readouterr())
    assert sent > 80
    assert SECRET.lower() not in shown.lower() and "forged" not in shown
    assert shown.count("RuntimeError") >= 2, "the fault itself is in the log"
    assert shown.count("KeyError") >= 1, "and that of the page's event"
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert all(one["request_id"] for one in lines if one["message"] == "request")
    assert {"time", "level", "logger", "message", "route", "status", "ms", "method"} <= set(lines[0])


def body_of(path: str, method: str) -> dict[str, Any]:
    if method in ("GET", "HEAD"):
        return {}
    if path in ("/api/v1/recordings", "/v1/audio/transcriptions", "/gradio_api/upload"):
        return {"files": {"file": (f"{SECRET}.wav", SECRET.encode(), "audio/wav")}, "data": {"collection": HOSTILE}}
    names = ("question", "name", "title", "description", "url", "collection", "into")
    return {"json": dict.fromkeys(names, HOSTILE)} if "ask" not in path else {"json": {"question": HOSTILE}}


def test_answers_carry_the_id_of_their_request(service: Service) -> None:
    client = TestClient(create_app(service), raise_server_exceptions=False)
    given = client.get("/health/live", headers={"x-request-id": "5f0c2a9e-trace"})
    assert given.headers["x-request-id"] == "5f0c2a9e-trace"
    made = {
        client.get("/health/live", headers={"x-request-id": one}).headers["x-request-id"] for one in ("", "a b", "<x>")
    }
    assert len(made) == 3 and all(re.fullmatch(r"[0-9a-f]{16}", one) for one in made)
    assert re.fullmatch(r"[0-9a-f]{16}", client.get("/nowhere").headers["x-request-id"])


def test_a_fault_is_answered_with_the_id_under_which_the_log_has_it(
    service: Service, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = watch(format="json")
    quiet = service.settings.model_copy(update={"log": LogSettings()})
    monkeypatch.setattr(service, "settings", quiet)

    def broken(*_: object) -> None:
        raise RuntimeError(SECRET) from NotFoundError(f"There is no collection '{SECRET}'.")

    monkeypatch.setattr(service.browse, "collections", broken)
    client = TestClient(create_app(service))
    answer = client.get("/api/v1/collections", auth=(SECRET, PASSWORD))
    body = answer.json()
    assert (answer.status_code, body["code"], body["message"]) == (500, "unexpected", "The server failed.")
    assert body["hint"] == f"The log says more, under {answer.headers['x-request-id']}."
    assert answer.headers["x-content-type-options"] == "nosniff"
    (line,) = [json.loads(line) for line in written.getvalue().splitlines()]
    assert line["request_id"] == answer.headers["x-request-id"]
    assert line["traceback"].splitlines()[0] == "NotFoundError (not_found)"
    assert line["traceback"].splitlines()[-1] == "RuntimeError"
    assert "collection_routes.py" in line["traceback"] and "broken" in line["traceback"]


def test_texts_are_written_where_the_settings_say_so(
    service: Service, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = watch(requests=True, texts=True)
    texts = service.settings.model_copy(update={"log": LogSettings(requests=True, texts=True)})
    monkeypatch.setattr(service, "settings", texts)
    client = TestClient(create_app(service))
    client.get("/api/v1/search", params={"q": "bees and\nferries"}, auth=(SECRET, PASSWORD))
    (line,) = written.getvalue().splitlines()
    assert "/api/v1/search?q=bees+and%0Aferries" in line
    assert SECRET not in line, "names and passwords of logins are never written"


def test_what_other_packages_write_is_left_out(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    written = watch()
    for name in ("uvicorn", "uvicorn.error"):  # another test's server may have told them to say less
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
        logging.getLogger(name).setLevel(logging.NOTSET)
    logging.getLogger("other.package").warning(f"I was given {SECRET}")
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    other, server = written.getvalue().splitlines()
    assert SECRET not in other and "other.package something at test_log_lines:" in other
    assert server.endswith("uvicorn.error Invalid HTTP request received.")


def test_a_line_is_one_line() -> None:
    record = logging.LogRecord("speechsearch", logging.ERROR, "x.py", 1, "went to %s", ("a\nb\u2028\x1b[31mc",), None)
    for is_json in (False, True):
        assert len(LineFormatter(is_json, has_texts=True).format(record).splitlines()) == 1
    assert "\x1b" not in LineFormatter(False, has_texts=True).format(record)


def test_what_the_servers_end_breaks_off_is_no_error(watch: Watch) -> None:
    written = watch()
    logging.getLogger("uvicorn.error").error("Exception in ASGI application", exc_info=asyncio.CancelledError())
    assert written.getvalue() == ""
