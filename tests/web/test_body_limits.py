"""Bodies too large for a route, of told and of untold length, against the real application: nothing is kept of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from benchmarks.access_table import all_routes, example
from ingest import runners
from speechsearch.api.doors import LONGEST_BODY_BYTES, LONGEST_QUESTION_BYTES
from speechsearch.api.question_files import QuestionFiles, plain_name
from speechsearch.api.uploads import Upload
from speechsearch.domain.errors import NotFoundError, TooManyError
from speechsearch.domain.limits import Limits
from speechsearch.domain.visitors import Visitor
from speechsearch.jobs.queue import JobQueue
from speechsearch.service.open import Service
from speechsearch.service.settings import Settings
from tests.conftest import copy_data
from tests.web.whole import no_files_left, whole_app

CHUNK = b"x" * 2**16
HUGE_BYTES = 400 * 10**6
RECORDINGS, QUESTIONS = ("POST", "/api/v1/recordings"), ("POST", "/gradio_api/upload")
TRANSCRIPTIONS, TRANSLATIONS = ("POST", "/v1/audio/transcriptions"), ("POST", "/v1/audio/translations")
SOUNDS = ("POST", "/api/v1/understand/sounds")
ALIKE = tuple(("POST", path) for path in ("/api/v1/similar/embed", "/api/v1/similar/search_by_audio", "/page/similar"))
SPOKEN = (QUESTIONS, SOUNDS, *ALIKE)
UPLOADS = {**dict.fromkeys((RECORDINGS, *SPOKEN), 422), TRANSCRIPTIONS: 400, TRANSLATIONS: 400}
"""The routes that take files, and what they answer to a form that breaks off."""
FORM = "multipart/form-data; boundary=b"
FILE_HEAD = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.wav"\r\n\r\n'
FIELD_HEAD = b'--b\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n'
VALUES = {"api_name": "predict", "name": "samples", "session_hash": "x"}


@dataclass
class House:
    app: Any
    folder: Path
    service: Service

    @property
    def uploads(self) -> Path:
        return self.folder / "uploads"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, library_folder: Path, loader) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("bodies")
    settings = Settings(data_dir=copy_data(library_folder, folder / "data"))
    with pytest.MonkeyPatch.context() as environment, Service.open(settings, loader=loader) as service:
        environment.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        (folder / "uploads").mkdir()
        yield House(whole_app(service, JobQueue(service, runners(service, folder))), folder, service)


async def endless(head: bytes, size_bytes: int) -> AsyncIterator[bytes]:
    if head:
        yield head
    for _ in range(size_bytes // len(CHUNK)):
        yield CHUNK


def send(client: TestClient, method: str, path: str, head: bytes = b"", size_bytes: int = HUGE_BYTES, *,
         breaks: bool = False, content_type: str = FORM) -> tuple[int, int]:  # fmt: skip
    """Send a body in chunks and return the status and how many bytes of it were read; ``breaks``: then hang up."""
    read_bytes, status, body = 0, 0, endless(head, size_bytes)

    async def receive() -> dict[str, Any]:
        nonlocal read_bytes
        async for chunk in body:
            read_bytes += len(chunk)
            return {"type": "http.request", "body": chunk, "more_body": True}
        return {"type": "http.disconnect"} if breaks else {"type": "http.request", "body": b"", "more_body": False}

    async def answer(message: dict[str, Any]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "client": ("127.0.0.1", 50_000),
        "server": ("testserver", 80),
        "headers": [(b"host", b"testserver"), (b"content-type", content_type.encode())],
    }  # fmt: skip
    client.portal.call(client.app, scope, receive, answer)
    return status, read_bytes


@pytest.fixture
def client(house: House) -> Iterator[TestClient]:
    with TestClient(house.app) as client:
        yield client


def taking_routes(app) -> list[tuple[str, str]]:
    taking = ("POST", "PUT", "PATCH", "DELETE")
    found = {(one.method, example(one.path, VALUES)) for one in all_routes(app) if one.method in taking}
    return sorted(found - UPLOADS.keys())


def test_no_route_but_those_for_files_takes_a_large_body(house: House, client: TestClient) -> None:
    with no_files_left(house.folder):
        found = taking_routes(house.app)
        assert len(found) > 20
        for method, path in [*found, ("POST", "/api/v1/recordings/dataset"), ("PATCH", "/api/v1/recordings/x")]:
            answer = client.request(method, path, content=b"", headers={"Content-Length": str(HUGE_BYTES)})
            assert answer.status_code in (403, 413), (method, path)
            assert answer.status_code == 413 or answer.json()["code"] == "refused", (method, path)
        for told in UPLOADS:
            longest = LONGEST_QUESTION_BYTES if told in SPOKEN else house.service.limits.archive_bytes
            answer = client.request(*told, content=b"", headers={"Content-Length": str(longest + 2**21)})
            assert answer.status_code == 413


def test_bodies_of_untold_length_are_read_up_to_the_limit_and_no_further(house: House, client: TestClient) -> None:
    tried = 0
    with no_files_left(house.folder):
        for method, path in taking_routes(house.app):
            for kind in ("application/json", FORM, "application/x-www-form-urlencoded", "audio/wav"):
                if path in ("/api/v1/search", "/mcp", "/gradio_api/queue/join", "/login") or kind == "application/json":
                    status, read_bytes = send(client, method, path, FIELD_HEAD, content_type=kind)
                    tried += 1
                    assert read_bytes <= LONGEST_BODY_BYTES + len(CHUNK), (method, path, kind)
                    assert status >= 400 or read_bytes == 0 or path == "/logout", (method, path, kind, status)
                    assert status == 413 or read_bytes < LONGEST_BODY_BYTES, (method, path, kind, status)
    assert tried > 20


def test_fields_of_the_uploads_forms_are_short(house: House, client: TestClient) -> None:
    for method, path in UPLOADS:
        with no_files_left(house.folder):
            status, read_bytes = send(client, method, path, FIELD_HEAD)
        assert (status, read_bytes < 3 * 10**6) == (413, True)


@pytest.mark.parametrize(("method", "path"), UPLOADS)
def test_nothing_is_left_of_an_upload_that_breaks_off(house: House, client: TestClient, method: str, path: str) -> None:
    refused = UPLOADS[method, path]
    with no_files_left(house.folder):
        status, read_bytes = send(client, method, path, FILE_HEAD, 2**20, breaks=True)
        assert (status, read_bytes) == (refused, 2**20 + len(FILE_HEAD))
        assert send(client, method, path, FILE_HEAD, 2**20)[0] == refused  # no end of the form


def test_a_question_of_more_than_25_mb_leaves_nothing(house: House, client: TestClient) -> None:
    with no_files_left(house.folder):
        status, read_bytes = send(client, *QUESTIONS, FILE_HEAD)
    assert status == 413
    assert read_bytes <= LONGEST_QUESTION_BYTES + 2 * len(CHUNK)


def test_a_question_goes_to_gradios_folder_and_is_its_senders_alone(house: House) -> None:
    with TestClient(house.app) as ann, TestClient(house.app) as bob:
        (path,) = ann.post("/gradio_api/upload", files={"files": ("../a question?.wav", b"RIFF", "audio/wav")}).json()
        assert Path(path).parent.parent == house.uploads
        assert Path(path).name == "a_question_.wav"
        answer = ann.get(f"/gradio_api/file={path}")
        assert (answer.content, answer.headers["content-type"]) == (b"RIFF", "audio/wav")
        assert answer.headers["content-disposition"].startswith("inline")
        assert ann.get(f"/gradio_api/file={path}", headers={"Range": "bytes=1-2"}).content == b"IF"
        assert bob.get(f"/gradio_api/file={path}").status_code == 404
        assert ann.get(f"/gradio_api/file={house.uploads}").status_code == 404
        assert ann.get(f"/gradio_api/file={house.folder / 'data' / 'speechsearch.db'}").status_code == 404
        (page,) = ann.post("/gradio_api/upload", files={"files": ("x.html", b"<script>", "text/html")}).json()
        shown = ann.get(f"/gradio_api/file={page}")
        assert shown.headers["content-type"] == "application/octet-stream"
        assert shown.headers["content-disposition"].startswith("attachment")


def test_questions_are_counted(house: House) -> None:
    with TestClient(house.app) as client:
        client.get("/health")
        codes = [client.post("/gradio_api/upload", content=b"").status_code for _ in range(31)]
    assert codes == [422] * 30 + [429]


def test_questions_need_room_on_the_disk(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        free = 0

    monkeypatch.setattr("shutil.disk_usage", lambda path: Full)
    with TestClient(house.app) as client, no_files_left(house.folder):
        answer = client.post("/gradio_api/upload", files={"files": ("a.wav", b"RIFF", "audio/wav")})
    assert (answer.status_code, answer.json()["code"]) == (503, "store")


ANN, BOB = Visitor("ann", address="10.0.0.7"), Visitor("bob", address="10.0.0.7")


def arrived(folder: Path, size_bytes: int = 4) -> Upload:
    path = folder / "incoming"
    with path.open("wb") as file:
        file.truncate(size_bytes)
    return Upload(files=[(path, "a.wav")])


def test_questions_are_kept_for_two_hours_and_not_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = (tmp_path.stat().st_mtime) + 60
    files = QuestionFiles(tmp_path / "q", Limits(), clock=lambda: now_s)
    files.folder.mkdir()
    left = files.folder / "left by Gradio"
    left.mkdir()
    paths = [files.keep(arrived(tmp_path, LONGEST_QUESTION_BYTES), ANN)[0] for _ in range(5)]
    assert [Path(path).exists() for path in paths] == [False, True, True, True, True]
    with pytest.raises(NotFoundError, match="no such file"):
        files.path(paths[0], ANN)
    for number in range(36):
        files.keep(arrived(tmp_path, LONGEST_QUESTION_BYTES), Visitor(f"v{number}", address=ANN.address))
    with pytest.raises(TooManyError, match="from this address"):
        files.keep(arrived(tmp_path, LONGEST_QUESTION_BYTES), BOB)
    now_s += 3 * 3600
    (kept,) = files.keep(arrived(tmp_path), BOB)
    assert [path.name for path in files.folder.iterdir()] == [Path(kept).parent.name]
    assert files.path(kept, BOB).read_bytes() == b"\0" * 4


def test_names_of_questions_are_plain() -> None:
    assert plain_name("a" * 300 + ".wav") == "a" * 96 + ".wav"
    assert plain_name("") == "sound"
