"""The doors for programs: MCP tools, Gradio's endpoints, and the examples of docs/api.md against the real server."""

from __future__ import annotations

import asyncio
import base64
import gc
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ingest import runners
from speechsearch import audio
from speechsearch.api import create_app
from speechsearch.api.agent_tools import transcript_of
from speechsearch.api.passwords import hash_password
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, Passage, Recording, Span, Transcript
from speechsearch.jobs.queue import JobQueue
from speechsearch.service.open import Service
from speechsearch.service.settings import AuthSettings, Settings
from speechsearch.ui.page import build_page, mount
from tests.conftest import copy_data
from tests.tiny.served import served

DOCUMENT = Path(__file__).parents[2] / "docs" / "api.md"
SOCKET = DOCUMENT.with_name("understand.md")
EXAMPLES = re.findall(r"```(sh|python)\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
TOOLS = {
    "search",
    "compare",
    "collections",
    "speakers",
    "names",
    "names_heard",
    "ask",
    "similar",
    "duplicates",
    "passage",
    "recordings",
    "transcript",
    "clip",
    "status",
    "add",
    "add_feed",
}
QUESTION = "Why is octopus blood blue?"
pytestmark = pytest.mark.filterwarnings("ignore")  # what the libraries below warn of while they answer is not ours


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, library_folder: Path, loader) -> Iterator[str]:
    """A server with the seven samples, on a free port."""
    folder = tmp_path_factory.mktemp("programs")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        environment.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        copy_data(library_folder, folder / "data")
        users = AuthSettings(users={"ann": hash_password("a tide of bees")}, visitors="read")
        with Service.open(Settings(data_dir=folder / "data", auth=users), loader=loader) as service:
            yield from serve(service)
    gc.collect()  # the clients' event loops, while what they warn of is still ignored


def serve(service: Service) -> Iterator[str]:
    jobs = JobQueue(service, runners(service, SAMPLES))
    app = create_app(service, jobs=jobs)
    mount(app, asyncio.run(_built(service, jobs)), service, jobs)
    jobs.start()
    try:
        with served(app) as address:
            yield address
    finally:
        jobs.stop()


async def _built(service: Service, jobs: JobQueue):
    return build_page(service, jobs)  # inside a loop, because Gradio leaves one open where there is none


def expected(address: str) -> dict:
    answer = httpx.get(f"{address}/api/v1/search", params={"q": QUESTION, "k": 2}, timeout=60).json()
    return {**answer, "encode_ms": 0, "search_ms": 0, "total_ms": 0}


def test_tools_answer_as_the_routes_do(address: str) -> None:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    async def talk():
        async with (
            streamablehttp_client(f"{address}/mcp") as (reading, writing, _),
            ClientSession(reading, writing) as session,
        ):
            await session.initialize()
            tools = (await session.list_tools()).tools
            found = await session.call_tool("search", {"question": QUESTION, "top_k": 2})
            listed = await session.call_tool("collections", {})
            status = await session.call_tool("status", {})
            wrong = await session.call_tool("search", {"question": QUESTION, "engine": "none"})
            return tools, found, listed, status, wrong

    tools, found, listed, status, wrong = asyncio.run(talk())
    assert {tool.name for tool in tools} == TOOLS
    for tool in tools:
        assert tool.description
        assert all("description" in one for one in tool.inputSchema["properties"].values())
    assert {**found.structuredContent, "encode_ms": 0, "search_ms": 0, "total_ms": 0} == expected(address)
    assert [one["name"] for one in listed.structuredContent["result"]] == ["samples"]
    assert (status.structuredContent["recordings"], status.structuredContent["tasks"]) == (7, [])
    assert wrong.isError
    assert "engine" in wrong.content[0].text


def test_an_assistant_reads_listens_and_adds(address: str) -> None:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    content = base64.b64encode((SAMPLES / "audio" / "s001.opus").read_bytes()).decode()

    async def talk(headers: dict[str, str]):
        async with (
            streamablehttp_client(f"{address}/mcp", headers=headers) as (reading, writing, _),
            ClientSession(reading, writing) as session,
        ):
            await session.initialize()

            async def call(tool: str, **arguments):
                return await session.call_tool(tool, arguments)

            hit = (await call("search", question=QUESTION, top_k=1)).structuredContent["hits"][0]
            around = await call("passage", passage_id=hit["passage_id"], context=5)
            listed = await call("recordings", limit=3)
            found = await call("recordings", words=hit["title"])
            said = await call(
                "transcript", recording_id=hit["recording_id"], start_s=hit["start_s"], end_s=hit["end_s"]
            )
            clip = await call("clip", passage_id=hit["passage_id"], context_s=1)
            added = await call("add", file_name="../new.opus", content_base64=content, collection="new", title="Nine")
            wrong = [
                await call("passage", passage_id="none"),
                await call("transcript", recording_id="0" * 64),
                await call("add", file_name="a.opus", content_base64="???", collection="new"),
                await call("add_feed", url="http://127.0.0.1/feed.xml", collection="new" * 30),
                await call("search", question=QUESTION, top_k=26),
            ]
            return hit, around, listed, found, said, clip, added, wrong

    login = "Basic " + base64.b64encode(b"ann:a tide of bees").decode()
    hit, around, listed, found, said, clip, added, wrong = asyncio.run(talk({"Authorization": login}))
    context = around.structuredContent
    assert context["passage"]["passage_id"] == hit["passage_id"] and "blood" in context["passage"]["transcript"].lower()
    beside = [one["start_s"] for one in (*context["before"], context["passage"], *context["after"])]
    assert beside == sorted(beside) and context["recording"]["title"] == hit["title"]
    assert context["page_url"] == hit["page_url"] and context["audio_url"].endswith(
        f"#t={hit['start_s']:.2f},{hit['end_s']:.2f}"
    )
    assert (listed.structuredContent["total"], listed.structuredContent["next_offset"]) == (7, 3)
    assert [one["recording_id"] for one in found.structuredContent["recordings"]] == [hit["recording_id"]]
    assert hit["passage_id"] in [one["passage_id"] for one in said.structuredContent["passages"]]
    sound, words = clip.content
    seconds = (len(base64.b64decode(sound.data)) - 44) / 32_000
    assert sound.mimeType == "audio/wav" and hit["title"] in words.text
    assert hit["end_s"] - hit["start_s"] < seconds <= hit["end_s"] - hit["start_s"] + 2.1
    assert added.structuredContent["state"] in ("queued", "running") and not added.isError
    assert all(one.isError and one.content[0].text for one in wrong)
    until_s = time.monotonic() + 60
    while time.monotonic() < until_s:
        answer = httpx.get(f"{address}/api/v1/recordings", params={"collection": "new"})
        if answer.status_code == 200 and answer.json()["total"]:
            break
        time.sleep(0.2)
    (recording,) = answer.json()["recordings"]
    assert (recording["title"], recording["file_name"]) == ("Nine", "new.opus")
    no_login = asyncio.run(talk({}))
    assert no_login[6].isError, "visitors only read here"
    assert httpx.delete(f"{address}/api/v1/collections?name=new", auth=("ann", "a tide of bees")).status_code == 200


def test_a_long_transcript_comes_in_parts() -> None:
    recording = Recording("r", "talks", "Long", 3000.0)
    said = [(Passage(str(n), "r", Span(30.0 * n, 30.0 * n + 29)), Transcript("x" * 900, "mini")) for n in range(100)]
    first = transcript_of(recording, said, 0.0, None)
    assert len(first.passages) == 20 and first.next_start_s == 600.0
    second = transcript_of(recording, said, first.next_start_s, 650.0)
    assert [one.start_s for one in second.passages] == [600.0, 630.0] and second.next_start_s is None


def test_gradios_endpoints_answer_as_the_routes_do(address: str) -> None:
    from gradio_client import Client

    client = Client(address, verbose=False, analytics_enabled=False)
    described = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(described) == {
        "/search", "/compare", "/ask", "/collections", "/speakers", "/ingest_status", "/similar", "/duplicates",
    }  # fmt: skip
    types = [one["python_type"]["type"] for one in described["/search"]["parameters"]]
    assert types[0] == "str" and "int" in types
    found = client.predict(question=QUESTION, top_k=2, api_name="/search")
    assert {**found, "encode_ms": 0, "search_ms": 0, "total_ms": 0} == expected(address)
    both = client.predict(question=QUESTION, api_name="/compare")
    assert (both["left"]["engine"], both["right"]["engine"]) == ("all", "asr")
    answer = client.predict(question=QUESTION, collection="samples", api_name="/ask")
    assert answer["question"] == QUESTION and answer["text"] and answer["nearest"]
    assert [one["name"] for one in client.predict(api_name="/collections")] == ["samples"]
    with pytest.raises(Exception, match="engine"):
        client.predict(question=QUESTION, engine="none", api_name="/search")


def test_gradios_client_can_log_in(address: str) -> None:
    from gradio_client import Client

    client = Client(address, auth=("ann", "a tide of bees"), verbose=False, analytics_enabled=False)
    assert client.predict(question=QUESTION, top_k=1, api_name="/search")["hits"]


@pytest.mark.parametrize(("language", "code"), EXAMPLES, ids=[f"{n}-{kind}" for n, (kind, _) in enumerate(EXAMPLES)])
def test_the_documents_examples_run(address: str, language: str, code: str, tmp_path: Path) -> None:
    (tmp_path / "talk.opus").write_bytes((SAMPLES / "audio" / "s001.opus").read_bytes())
    code = code.replace("http://127.0.0.1:7860", address)
    command = ["bash", "-euo", "pipefail", "-c", code] if language == "sh" else [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert '"code":' not in done.stdout, done.stdout


def test_the_client_of_the_socket_hears_and_asks(address: str, tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", SOCKET.read_text(encoding="utf-8"), re.DOTALL)
    assert len([line for line in code.splitlines() if line]) < 40
    code = code.replace("ws://127.0.0.1:7860", address.replace("http", "ws"))
    sound = audio.load(SAMPLES / "audio" / "s015.opus", Limits(), 600.0)
    file = tmp_path / "talk.wav"
    file.write_bytes(audio.to_wav(Audio(sound.samples[: 6 * SAMPLE_RATE_HZ])))
    command = [sys.executable, "-c", code, str(file), "What has three hearts?"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    finals = [line.removeprefix(">>> ") for line in lines if line.startswith(">>> ")]
    assert any(line.startswith("...") for line in lines), "something was told while it was heard"
    assert lines[-2] == " ".join(finals) and "hearts" in lines[-2].lower() and lines[-1]


def test_there_are_examples_of_every_kind() -> None:
    code = "\n".join(code for _, code in EXAMPLES)
    assert all(word in code for word in ("curl", "httpx", "gradio_client", "streamablehttp_client"))
    assert {kind for kind, _ in EXAMPLES} == {"sh", "python"}
