from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from ingest import runners
from speechsearch.api import create_app
from speechsearch.domain.errors import SpeechSearchError
from speechsearch.jobs.queue import JobQueue
from speechsearch.ui.page import build_page, mount

QUESTION = "Why is octopus blood blue?"
pytestmark = pytest.mark.filterwarnings("ignore")  # what the libraries below warn of while they answer is not ours


@pytest.fixture(scope="module")
def mounted(kept_service, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("page")
    jobs = JobQueue(kept_service, runners(kept_service, folder))

    async def build():  # inside a loop, because Gradio leaves one open where there is none
        page = build_page(kept_service, jobs)
        return page, mount(create_app(kept_service, jobs=jobs), page, kept_service, jobs)

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        environment.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        yield asyncio.run(build())


@pytest.fixture(scope="module")
def page(mounted):
    return mounted[0]


@pytest.fixture(scope="module")
def client(mounted):
    with TestClient(mounted[1]) as client:
        yield client


def call(client: TestClient, index: int, data: list[object]) -> dict:
    """Send an event to the page as its script does and return the last message about it."""
    body = {"fn_index": index, "data": data, "session_hash": f"session-{index}"}
    assert client.post("/gradio_api/queue/join", json=body).status_code == 200
    lines = client.get("/gradio_api/queue/data", params={"session_hash": f"session-{index}"}).text.splitlines()
    messages = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    return [message for message in messages if message["msg"] == "process_completed"][-1]


def events(page, name: str) -> list[int]:
    return [number for number, function in page.fns.items() if function.name == name]


def takes_sound(page) -> list[int]:
    """Return the events that are given a control's file, and are answered here and not in the browser."""
    return [
        number
        for number, function in page.fns.items()
        if function.fn and any(type(block).__name__ in ("Audio", "File") for block in function.inputs)
    ]


def test_page_is_served_beside_the_routes(client) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert "speechsearch" in answer.text
    assert "fonts.googleapis" not in answer.text
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
    assert client.get("/health").json()["status"] == "ok"
    assert "googleapis" not in client.get("/theme.css").text


def test_a_programs_search_goes_through_the_queue(client, page) -> None:
    (index,) = events(page, "search")
    message = call(client, index, [QUESTION, "hybrid", 2, "", ""])
    assert message["success"] is True
    (found,) = message["output"]["data"]
    assert [hit["rank"] for hit in found["hits"]] == [1, 2]


def test_failures_show_our_words_and_nobody_elses(client, page, kept_service, monkeypatch: pytest.MonkeyPatch) -> None:
    (index,) = events(page, "search")
    wrong = call(client, index, [QUESTION, "none", 2, "", ""])
    assert wrong["success"] is False
    assert "engine" in wrong["output"]["error"]

    def broken(*_: object) -> None:
        raise RuntimeError("/home/ann/secret")

    monkeypatch.setattr(kept_service, "search", broken)
    assert "secret" not in json.dumps(call(client, index, [QUESTION, "hybrid", 2, "", ""]))


def test_a_path_that_was_not_uploaded_is_refused(client, page, tone: Path) -> None:
    forged = {"path": str(tone), "orig_name": "a.wav", "meta": {"_type": "gradio.FileData"}}
    indexes = takes_sound(page)
    assert indexes
    for index in indexes:
        kinds = [type(block).__name__ for block in page.fns[index].inputs]
        data = [forged if kind in ("Audio", "File") else None for kind in kinds]
        message = call(client, index, data)
        assert message["success"] is False, page.fns[index].name


def test_addresses_are_not_fetched_for_visitors(client) -> None:
    for path in [
        "file=http://127.0.0.1:1/x",
        "file=HTTPS://a.b/x",
        "file=%68ttp://a.b/x",
        "file=/https://a.b",
        "file=file:///etc/passwd",
        "file= http://a.b",
        "proxy=https://a.b/x",
    ]:
        answer = client.get(f"/gradio_api/{path}")
        assert (answer.status_code, answer.json()["code"]) == (403, "refused")


def test_controls_take_no_addresses(page) -> None:
    controls = [block for block in page.blocks.values() if type(block).__name__ in {"Audio", "File"}]
    assert controls
    for control in controls:
        with pytest.raises(SpeechSearchError, match="does not fetch web addresses"):
            asyncio.run(control.async_move_resource_to_block_cache("https://example.org/a.wav"))


def test_files_of_the_host_are_not_served(client, kept_service) -> None:
    data = kept_service.settings.data_dir
    secret = data / "session.key"
    secret.write_text("secret")
    media = next((data / "media").iterdir())
    root = Path(__file__).parents[2]
    for path in (
        secret,
        data / "speechsearch.db",
        media,
        root / "pyproject.toml",
        root / "app.py",
        Path("/etc/hostname"),
    ):
        for shown in (str(path), f"{data}/../{path}", f"{path}/.", str(path).replace("/", "%2f")):
            answer = client.get(f"/gradio_api/file={shown}")
            assert answer.status_code in (403, 404), shown
            assert "secret" not in answer.text
    for path in ("/static/../../../app.py", "/assets/..%2f..%2f..%2fapp.py", "/svelte/..%2f..%2fapp.py"):
        assert client.get(path).status_code in (403, 404), path


def test_what_is_not_needed_is_off(client, page) -> None:
    assert page.analytics_enabled is False
    assert page.share is False if hasattr(page, "share") else True
    assert client.get("/monitoring").status_code in (403, 404)
    configuration = client.get("/config").json()
    assert configuration["show_error"] is False
    assert not configuration.get("is_space")
    named = {one["api_name"] for one in configuration["dependencies"] if one["api_visibility"] == "public"}
    assert named == {"search", "ask", "compare", "collections", "speakers", "ingest_status", "similar", "duplicates"}
