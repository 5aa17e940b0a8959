"""The routes that take recordings in and tell of the queue."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache

import pytest
import soundfile
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from ingest import runners
from speechsearch.api import create_app
from speechsearch.domain.assets import ASSETS
from speechsearch.domain.progress import Progress
from speechsearch.jobs.queue import JobQueue
from speechsearch.service.open import Service
from speechsearch.service.settings import Settings
from speechsearch.store import JobFile
from speechsearch.ui import add_tab

pytestmark = pytest.mark.both_databases

SAMPLES = ASSETS / "samples"
HOSTILE = '<img src=x onerror=alert(1)> "quoted" \u202etxt.' + "x" * 3000 + ".opus"


@pytest.fixture
def queue(service: Service) -> Iterator[JobQueue]:
    made = JobQueue(service, runners(service, SAMPLES))
    made.folder.mkdir()
    yield made
    made.stop()


@pytest.fixture
def visit(service: Service, queue: JobQueue) -> Callable[[], TestClient]:
    """Give a browser with cookies of its own."""
    app = create_app(service, jobs=queue)
    app.include_router(add_tab.page_routes(service, queue))
    return lambda: TestClient(app)


@pytest.fixture
def client(visit: Callable[[], TestClient]) -> TestClient:
    return visit()


@cache
def spoken() -> bytes:
    """A file with four seconds of speech."""
    samples, rate_hz = soundfile.read(SAMPLES / "audio" / "s045.opus", frames=4 * 16_000)
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format="OGG", subtype="OPUS")
    return file.getvalue()


def upload(client: TestClient, *names: str, collection: str = "mine", **form: str) -> dict:
    files = [("files", (name, spoken())) for name in names]
    answer = client.post("/api/v1/recordings", files=files, data={"collection": collection, **form})
    return {"status": answer.status_code, **answer.json()}


def finish(client: TestClient, job_id: str) -> dict:
    until_s = time.monotonic() + 60
    while (job := client.get(f"/api/v1/jobs/{job_id}").json())["state"] not in ("done", "failed", "cancelled"):
        assert time.monotonic() < until_s, job
        time.sleep(0.02)
    return job


def test_files_are_taken_in_and_found(client, queue, service) -> None:
    metadata = json.dumps({"talks/a.opus": {"title": "The opening", "speaker": "Ann"}})
    job = upload(client, "talks/a.opus", "b.opus", metadata=metadata)
    assert (job["status"], job["state"], job["kind"], job["message"]) == (202, "queued", "files", "2 files")
    assert client.get("/health").json()["indexing"]["stage"] == "wait"
    queue.start()
    done = finish(client, job["job_id"])
    assert [(file["name"], file["state"]) for file in done["files"]] == [
        ("b.opus", "duplicate"), ("talks/a.opus", "indexed"),
    ]  # fmt: skip
    assert "Same sound as 'talks/a.opus'" in done["files"][0]["message"]
    cards = {one["job_id"]: one["html"] for one in client.get("/page/jobs").json()["jobs"]}
    assert '<details class="ss-more" open>' in cards[job["job_id"]]  # though writing transcripts came after it
    (recording,) = service.browse.recordings("mine")
    assert (recording.title, recording.speaker) == ("The opening", "Ann")
    assert list(queue.folder.iterdir()) == []
    assert client.get("/health").json()["indexing"] is None


@pytest.mark.parametrize(
    "name",
    [
        "filename*=UTF-8''caf%C3%A9%20talk.opus",
        "filename=\"=?utf-8?B?Y2Fmw6kgdGFsay5vcHVz?=\"; filename*=utf-8''caf%C3%A9%20talk.opus",
    ],
)
def test_names_of_other_clients_are_read(client, queue, service, name: str) -> None:
    head = f'--x\r\nContent-Disposition: form-data; name="files"; {name}\r\n\r\n'.encode()
    field = b'\r\n--x\r\nContent-Disposition: form-data; name="collection"\r\n\r\nmine\r\n--x--\r\n'
    answer = client.post(
        "/api/v1/recordings",
        content=head + spoken() + field,
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert answer.status_code == 202
    queue.start()
    finish(client, answer.json()["job_id"])
    assert [one.title for one in service.browse.recordings("mine")] == ["café talk"]


def test_what_is_corrected_is_updated_and_what_is_left_out_is_named(client, queue, service) -> None:
    queue.start()

    def send(title: str, date: str) -> dict:
        table = f"sep=;\nfile;title;date\nA.OPUS;{title};{date}\n".encode("utf-16")
        files = {"talks/a.opus": spoken(), "talks/metadata.csv": table, "talks/notes.txt": b"x"}
        sent = [("files", (name, content)) for name, content in files.items()]
        answer = client.post("/api/v1/recordings", files=sent, data={"collection": "mine"})
        return finish(client, answer.json()["job_id"])

    first = send("Opning", "03/04/2021")
    states = {one["name"]: one["state"] for one in first["files"]}
    assert states == {"talks/a.opus": "indexed", "talks/a.opus, date": "warning", "talks/notes.txt": "skipped"}
    assert any("may be 3 April or 4 March 2021" in one["message"] for one in first["files"])
    assert any("'notes.txt' was left out" in one["message"] for one in first["files"])
    second = send("Opening", "3 April 2021")
    (updated,) = [one for one in second["files"] if one["state"] == "updated"]
    assert updated["message"] == "title is 'Opening', not 'Opning'; date is '2021-04-03', not '03/04/2021'."
    (recording,) = service.browse.recordings("mine")
    assert (recording.title, recording.date) == ("Opening", "2021-04-03")
    assert service.browse.differences() == []
    html = "".join(one["html"] for one in client.get("/page/jobs").json()["jobs"])
    assert "1 updated, 1 left out" in html and "Opening&#x27;, not" in html


def test_hostile_names_are_only_names(client, queue, service) -> None:
    names = [HOSTILE, "../../../etc/cron.d/x.opus", "/etc/passwd", "C:\\evil.opus", ".hidden.opus", "a\x00b.opus"]
    job = upload(client, *names)
    queue.start()
    finish(client, job["job_id"])
    assert [one.name for one in queue.folder.iterdir()] == []
    page = client.get("/page/jobs").json()
    (card,) = [one for one in page["jobs"] if one["job_id"] == job["job_id"]]
    assert "<img" not in card["html"]
    assert "\u202e" not in card["html"]
    assert len(card["html"]) < 12_000
    assert [len(one.title) <= 255 for one in service.browse.recordings("mine")] == [True]


def test_limits_hold_while_files_arrive(client, queue, service) -> None:
    settings = service.settings
    for limits, names, code in [
        ({"file_bytes": 1000}, ["a.opus"], "too_large"),
        ({"archive_bytes": len(spoken()) + 1000}, ["a.opus", "b.opus"], "too_large"),
        ({"archive_files": 1}, ["a.opus", "b.opus"], "too_large"),
        ({"free_disk_bytes": 10**18}, ["a.opus"], "store"),
        ({"jobs_an_hour": 1}, ["a.opus"], "too_many"),
    ]:
        service.settings = settings
        if code == "too_many":
            assert upload(client, "first.opus")["status"] == 202
        before = sorted(queue.folder.iterdir())
        changed = settings.limits.model_copy(update=limits)
        service.settings = settings.model_copy(update={"limits": changed})
        assert upload(client, *names)["code"] == code, limits
        assert sorted(queue.folder.iterdir()) == before


def test_damaged_uploads_are_refused(client, queue) -> None:
    for content, kind, message in [
        (b"", "multipart/form-data; boundary=x", "The upload broke off|no files to add"),
        (b"{}", "application/json", "sent as multipart"),
        (b"rubbish", "multipart/form-data; boundary=x", "damaged"),
        (
            b"--x\r\nContent-Disposition: form-data; name=files; filename=a\r\n\r\nab",
            "multipart/form-data; boundary=x",
            "broke off",
        ),
    ]:
        answer = client.post("/api/v1/recordings", content=content, headers={"Content-Type": kind})
        assert answer.status_code == 422, content
        assert any(part in answer.json()["message"] for part in message.split("|")), answer.json()
        assert list(queue.folder.iterdir()) == []


def test_metadata_is_checked(client) -> None:
    for metadata in ["{", "[]", '{"a": 1}', '{"a": {"title": 1}}', "[" * 50_000]:
        assert "not JSON of the form" in upload(client, "a.opus", metadata=metadata)["message"], metadata[:20]


def test_collections_names_are_checked(client, queue) -> None:
    for collection in ["", "  ", "@other/notes", "x" * 81]:
        assert "cannot be named" in upload(client, "a.opus", collection=collection)["message"], collection
        assert list(queue.folder.iterdir()) == []


def test_a_job_can_be_paused_resumed_and_cancelled(client) -> None:
    job = upload(client, "a.opus")["job_id"]
    states = [client.post(f"/api/v1/jobs/{job}/{act}").json()["state"] for act in ("pause", "resume", "cancel")]
    assert states == ["paused", "queued", "cancelled"]
    assert client.post(f"/api/v1/jobs/{job}/resume").status_code == 422
    assert client.post("/api/v1/jobs/none/cancel").status_code == 404


def test_events_are_sent_until_the_end(client, queue) -> None:
    go = threading.Event()

    def steps(job, report):
        report(Progress("ingest", "a.opus", 1, 2, 40.0, 3.0))
        go.wait(20)
        yield JobFile("a.opus", "indexed", 1, 2.0)

    queue.worker.runners = {"files": steps}
    job = upload(client, "a.opus")["job_id"]
    queue.start()
    with client.websocket_connect(f"/api/v1/jobs/{job}/events") as events:
        while (told := events.receive_json())["progress"] is None or told["progress"]["done"] != 1:
            assert (told["state"] == "running") == (told["progress"] is not None), told
        assert (told["state"], told["progress"]["remaining_s"]) == ("running", 3.0)
        go.set()
        while events.receive_json()["state"] != "done":
            pass
        with pytest.raises(WebSocketDisconnect):
            events.receive_json()


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    """Private uploads for the tests that ask for them."""
    uploads = getattr(request, "param", "shared")
    return settings.model_copy(update={"server": settings.server.model_copy(update={"uploads": uploads})})


@pytest.mark.parametrize("settings", ["private"], indirect=True)
def test_visitors_see_only_their_own_jobs(visit, queue, service) -> None:
    ann, bob = visit(), visit()
    job = upload(ann, "secret plan.opus", collection="plans")["job_id"]
    queue.start()
    assert finish(ann, job)["collection"] == "plans"
    assert bob.get("/api/v1/jobs").json() == []
    assert bob.get("/page/jobs").json()["jobs"] == []
    for answer in (bob.get(f"/api/v1/jobs/{job}"), bob.post(f"/api/v1/jobs/{job}/cancel")):
        assert answer.status_code == 404
        assert "plan" not in answer.text
    with pytest.raises(WebSocketDisconnect), bob.websocket_connect(f"/api/v1/jobs/{job}/events"):
        pass
    assert ann.post("/api/v1/recordings/dataset", json={"name": "a/b", "collection": "x"}).status_code == 403
    page = ann.get("/page/jobs").json()
    assert (page["collections"], page["may_add_from_elsewhere"], page["closed"]) == (["plans"], False, "")
    (collection,) = [one.name for one in service.browse.collections() if one.name != "samples"]
    assert collection.endswith("/plans") and collection.startswith("@")
    assert "@" not in json.dumps(page)


@pytest.mark.parametrize("settings", ["private"], indirect=True)
def test_the_banner_tells_nobody_of_others_files(visit, queue) -> None:
    ann, bob = visit(), visit()
    upload(ann, "secret plan.opus")
    assert (ann.get("/page/jobs").json()["is_busy"], bob.get("/page/jobs").json()["is_busy"]) == (True, False)
    assert bob.get("/page/jobs").json()["banner"] == ""
    assert "secret" not in bob.get("/health").text


@pytest.mark.parametrize("settings", ["off"], indirect=True)
def test_nothing_is_taken_where_uploads_are_off(client, queue) -> None:
    assert upload(client, "a.opus")["status"] == 403
    assert "Recordings cannot be added here" in client.get("/page/jobs").json()["closed"]
    assert list(queue.folder.iterdir()) == []


def test_a_dataset_of_the_hub_is_queued(client) -> None:
    body = {"name": "google/fleurs", "collection": "mine", "configuration": "en_us", "limit": 3}
    answer = client.post("/api/v1/recordings/dataset", json=body)
    assert (answer.status_code, answer.json()["message"]) == (202, "google/fleurs, train")
    for name in ("../x/y", "samples", "/etc"):
        assert client.post("/api/v1/recordings/dataset", json={**body, "name": name}).status_code == 422


def test_the_upload_is_in_the_openapi_document(client) -> None:
    paths = client.get("/api/openapi.json").json()["paths"]
    assert "multipart/form-data" in paths["/api/v1/recordings"]["post"]["requestBody"]["content"]
    assert "/page/jobs" not in paths
