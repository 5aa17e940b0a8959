"""What is counted and who may read it; whether the program lives and can answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from speechsearch.api import create_app
from speechsearch.api.passwords import hash_password
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.counters import MOST_SERIES, OTHERS, REQUESTS, Counters
from speechsearch.domain.errors import IndexUnavailableError, StoreError
from speechsearch.jobs.queue import JobQueue
from speechsearch.service.open import Service
from speechsearch.service.settings import AuthSettings
from tests.tiny.fakes import FakeLoader, fake_settings, open_fakes, take_in

HERE = ("127.0.0.1", 5000)
ELSEWHERE = ("192.0.2.7", 5000)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("metrics")
    spoken, rate_hz = soundfile.read(SAMPLES / "audio" / "s001.opus", frames=6 * 16_000)
    soundfile.write(folder / "s001.wav", spoken, rate_hz)
    with open_fakes(folder / "data", FakeLoader()) as opened:
        assert take_in(opened, folder / "s001.wav") == ["indexed"]
        assert list(opened.manage.catch_up()) == []
        yield opened


@pytest.fixture(scope="module")
def app(service: Service) -> FastAPI:
    return create_app(service, jobs=JobQueue(service, {}))


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    return TestClient(app)


def values(client: TestClient) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return name and labels -> value of what Prometheus reads."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


def of(found: dict[Any, float], name: str, **labels: str) -> float:
    return found.get((f"speechsearch_{name}", tuple(sorted(labels.items()))), 0.0)


def test_searches_answers_errors_and_requests_are_counted(client: TestClient) -> None:
    before = values(client)
    engine = client.get("/api/v1/search", params={"q": "bees"}).json()["engine"]
    client.get("/api/v1/compare", params={"q": "bees", "left": engine, "right": engine})
    assert client.post("/api/v1/ask", json={"question": "Who keeps bees?"}).status_code == 200
    assert client.get("/api/v1/search", params={"q": "bees", "collection": "none"}).status_code == 404
    after = values(client)

    def more(name: str, **labels: str) -> float:
        return of(after, name, **labels) - of(before, name, **labels)

    for stage in ("encode", "index", "all"):
        assert more("search_seconds_count", engine=engine, stage=stage) == 4  # one was the question's evidence
    assert of(after, "search_seconds_sum", engine=engine, stage="all") > 0
    spread = [value for (name, labels), value in after.items() if name == "speechsearch_search_seconds_bucket"]
    assert max(spread) == of(after, "search_seconds_bucket", engine=engine, stage="all", le="+Inf")
    asked = sum(more("ask_seconds_count", outcome=outcome) for outcome in ("answered", "refused"))
    assert asked == 1
    assert more("errors_total", code="not_found") == 1
    assert more("searches_refused_total", code="not_found") == 1
    assert more("requests_total", method="GET", route="/api/v1/search", status="200") == 1
    assert more("requests_total", method="GET", route="/api/v1/search", status="404") == 1
    assert more("request_seconds_count", route="/api/v1/search") == 2


def test_errors_of_tools_are_counted_as_those_of_routes_are(app: FastAPI, service: Service, monkeypatch) -> None:
    asking = {"Accept": "application/json, text/event-stream"}

    def tell(client: TestClient, name: str, **arguments: str) -> Any:
        params = {"name": name, "arguments": arguments}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        return client.post("/mcp", json=body, headers=asking).json()["result"]

    with TestClient(app) as client:
        before = values(client)
        assert not tell(client, "search", question="bees")["isError"]
        assert tell(client, "search", question="bees", collection="none")["isError"]
        assert tell(client, "passage", passage_id="none")["isError"]
        monkeypatch.setattr(service.search, "find", lambda *_: 1 // 0)
        assert tell(client, "search", question="bees")["isError"]
        after = values(client)
    for code, count in (("not_found", 2), ("unexpected", 1)):
        assert of(after, "errors_total", code=code) - of(before, "errors_total", code=code) == count


def test_what_is_there_is_told(client: TestClient, service: Service) -> None:
    found = values(client)
    assert of(found, "passages") == of(found, "passages_searchable", engine=service.search.default()) > 0
    assert of(found, "recordings", state="done") == 1
    assert [of(found, "part_answers", part=part) for part in ("database", "index")] == [1, 1]
    assert of(found, "disk_free_bytes") > 0
    assert ("speechsearch_queue_tasks", (("state", "queued"),)) in found
    assert found["process_resident_memory_bytes", ()] > 10**7


def test_tasks_and_their_files_are_counted(service: Service, tmp_path: Path) -> None:
    from speechsearch.store import JobFile

    jobs = JobQueue(service, {"steps": lambda job, report: (one for one in [JobFile("a", "indexed", 1, 4.0)])})
    before = values(TestClient(create_app(service)))
    done: list[str] = []
    jobs.on_done.append(lambda job: done.append(job.state))
    job = jobs.submit("steps")
    jobs.start()
    while not jobs.job(job.job_id).has_ended:
        jobs.worker.thread.join(0.05)
    jobs.stop()
    after = values(TestClient(create_app(service)))
    assert of(after, "files_total", state="indexed") - of(before, "files_total", state="indexed") == 1
    assert of(after, "sound_seconds_total") - of(before, "sound_seconds_total") == 4.0
    assert of(after, "tasks_total", kind="steps", state="done") == 1


def test_nothing_that_was_sent_becomes_a_label(client: TestClient) -> None:
    secret = "wojciechowski"
    client.get(f"/{secret}")
    client.get(f"/api/v1/{secret}")
    client.get("/api/v1/search", params={"q": secret, "engine": secret, "collection": secret})
    client.get(f"/api/v1/recordings/{secret}")
    client.request("TRACE" + secret.upper(), "/")
    shown = client.get("/metrics").text
    assert secret not in shown.lower()
    assert 'route="other"' in shown and 'method="other"' in shown


def test_labels_without_end_are_counted_together() -> None:
    counters = Counters()
    for number in range(MOST_SERIES + 50):
        counters.add(REQUESTS, method="GET", route=str(number), status="200")
    series = counters.read()[REQUESTS]
    assert len(series) == MOST_SERIES + 1
    assert series[OTHERS, OTHERS, OTHERS].count == 50


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server with a login."""
    settings = fake_settings(tmp_path_factory.mktemp("guarded") / "data", FakeLoader())
    users: Any = {"ann": hash_password("a tide of bees")}
    settings = settings.model_copy(update={"auth": AuthSettings(users=users)})
    with Service.open(settings, loader=FakeLoader()) as opened:
        yield opened


def test_only_owners_and_this_machine_read_the_metrics(guarded: Service) -> None:
    app = create_app(guarded)

    def status(client: tuple[str, int], host: str = "localhost", **headers: str) -> int:
        asking = TestClient(app, client=client, base_url=f"http://{host}")
        return asking.get("/metrics", headers=headers).status_code

    assert status(HERE) == status(("::1", 5000), "[::1]:7860") == 200
    assert status(ELSEWHERE) == 401
    assert status(HERE, "speech.example.org") == 401  # a proxy of this machine asks for somebody
    assert status(HERE, **{"x-forwarded-for": "127.0.0.1"}) == 401
    assert status(ELSEWHERE, authorization="Bearer ann:a tide of bees") == 200


def test_visitors_do_not_read_the_metrics(guarded: Service) -> None:
    settings = guarded.settings
    auth = settings.auth.model_copy(update={"visitors": "read"})
    guarded.settings = settings.model_copy(update={"auth": auth})
    try:
        refused = TestClient(create_app(guarded), client=ELSEWHERE).get("/metrics")
    finally:
        guarded.settings = settings
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")


def test_anybody_may_ask_whether_the_program_lives_and_answers(guarded: Service) -> None:
    client = TestClient(create_app(guarded), client=ELSEWHERE)
    assert client.get("/health/live").json() == {"status": "ok"}
    ready = client.get("/health/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ok", "failing": []})
    assert ready.headers["cache-control"] == "no-store"
    assert client.get("/health").json() == {"status": "ok"}


def test_a_part_that_fails_is_named_and_the_rest_is_told(
    client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise StoreError("The database is gone.")

    def lost() -> Iterator[str]:
        raise IndexUnavailableError("The index is gone.")
        yield ""

    monkeypatch.setattr(service.library.index, "ids", lost)
    assert client.get("/health/ready").json() == {"status": "failing", "failing": ["index"]}
    monkeypatch.setattr(service.store, "ping", broken)
    ready = client.get("/health/ready")
    assert (ready.status_code, ready.json()["failing"]) == (503, ["database", "index"])
    assert client.get("/health/live").status_code == 200
    monkeypatch.setattr(service.store.jobs, "counts", broken)
    found = values(client)
    assert [of(found, "part_answers", part=part) for part in ("database", "index")] == [0, 0]
    assert ("speechsearch_queue_tasks", (("state", "queued"),)) not in found
    assert of(found, "disk_free_bytes") > 0
