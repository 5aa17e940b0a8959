from __future__ import annotations

import asyncio
import json
import warnings
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from speechsearch.api import create_app
from speechsearch.errors import SpeechSearchError
from speechsearch.ui.background import BackgroundRun
from speechsearch.ui.page import build_page, mount


@pytest.fixture
def mounted(service, ingest_files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")

    async def build():  # inside a loop, because Gradio leaves one open where there is none
        page = build_page(service, ingest_files, BackgroundRun("the sample collection", lambda line: None))
        return page, mount(create_app(service), page, service)

    return asyncio.run(build())


@pytest.fixture
def page(mounted):
    return mounted[0]


@pytest.fixture
def client(mounted):
    with TestClient(mounted[1]) as client, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the libraries below warn of while they answer is not ours
        yield client


def call(client: TestClient, page, name: str, data: list[object]) -> dict:
    """Send an event to the page as its script does and return the last message about it."""
    (index,) = [number for number, function in page.fns.items() if function.name == name][:1]
    body = {"fn_index": index, "data": data, "session_hash": f"session-{name}"}
    assert client.post("/gradio_api/queue/join", json=body).status_code == 200
    lines = client.get("/gradio_api/queue/data", params={"session_hash": f"session-{name}"}).text.splitlines()
    messages = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    return [message for message in messages if message["msg"] == "process_completed"][-1]


def upload(client: TestClient, path: Path) -> dict[str, object]:
    (stored,) = client.post("/gradio_api/upload", files={"files": (path.name, path.read_bytes())}).json()
    return {"path": stored, "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}


def test_page_is_served_beside_the_routes(client) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert "speechsearch" in answer.text
    assert "fonts.googleapis" not in answer.text
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
    assert client.get("/health").json()["status"] == "ok"
    assert "googleapis" not in client.get("/theme.css").text


def test_search_through_the_queue(client, page) -> None:
    message = call(client, page, "typed", ["railway bridge", 2, "hybrid", "asr"])
    assert message["success"] is True
    assert "The cantilever bridge" in json.dumps(message["output"]["data"])


def test_load_without_a_question_overwrites_nothing(client, page) -> None:
    message = call(client, page, "load", [])
    assert message["success"] is True
    data = message["output"]["data"]
    assert [update["__type__"] for update in data] == ["update"] * 6
    assert "value" not in json.dumps(data)


def test_uploaded_file_is_added(client, page, tone: Path, service) -> None:
    message = call(client, page, "add", [[upload(client, tone)], "mine"])
    assert message["success"] is True
    assert [entry.recording.collection for entry in service.entries][-1] == "mine"


def test_a_path_that_was_not_uploaded_is_refused(client, page, tone: Path, service) -> None:
    forged = {"path": str(tone), "orig_name": "a.wav", "meta": {"_type": "gradio.FileData"}}
    before = len(service.entries)
    assert call(client, page, "add", [[forged], "mine"])["success"] is False
    assert call(client, page, "spoken", [forged, 5, "hybrid", "asr"])["success"] is False
    assert len(service.entries) == before


@pytest.mark.parametrize(
    "path",
    [
        "file=http://127.0.0.1:1/x",
        "file=HTTPS://a.b/x",
        "file=%68ttp://a.b/x",
        "file=/https://a.b",
        "proxy=https://a.b/x",
    ],
)
def test_addresses_are_not_fetched_for_visitors(client, path: str) -> None:
    answer = client.get(f"/gradio_api/{path}")
    assert (answer.status_code, answer.json()["code"]) == (403, "refused")


def test_controls_take_no_addresses(page) -> None:
    controls = [block for block in page.blocks.values() if type(block).__name__ in {"Audio", "File"}]
    assert len(controls) == 2
    for control in controls:
        with pytest.raises(SpeechSearchError, match="does not fetch addresses"):
            asyncio.run(control.async_move_resource_to_block_cache("https://example.org/a.wav"))


def test_files_of_the_host_are_not_served(client, service, tmp_path: Path) -> None:
    service.settings.data_dir.mkdir(exist_ok=True)
    secret = service.settings.data_dir / "catalog.sqlite"
    secret.write_text("secret")
    for path in (secret, Path("pyproject.toml").resolve(), Path("/etc/hostname")):
        answer = client.get(f"/gradio_api/file={path}")
        assert answer.status_code == 403
        assert "secret" not in answer.text
