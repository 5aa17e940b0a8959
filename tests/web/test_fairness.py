"""One visitor floods evaluations, uploads and tasks while another searches and adds a small file."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from speechsearch.api import turns
from speechsearch.api.turns import A_VISITOR
from speechsearch.jobs.queue import JobQueue
from speechsearch.service.open import Service
from speechsearch.service.settings import Settings
from speechsearch.store import JobFile
from speechsearch.ui import compare_tab
from tests.conftest import copy_data
from tests.web.whole import whole_app


@dataclass
class House:
    app: Any
    go: threading.Event
    measured: list[str]
    jobs: JobQueue


@pytest.fixture
def house(tmp_path: Path, library_folder: Path, loader, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """The application, with evaluations that wait for ``go`` and tasks that do nothing, one file each."""
    go, measured = threading.Event(), []

    def evaluate(service, collection, files, engines, baseline, visitor):
        measured.append(visitor.visitor_id)
        go.wait(30)
        yield from ()

    def take_in(job, report):
        report(None)
        yield JobFile("a.wav", "indexed", 1)

    settings = Settings(data_dir=copy_data(library_folder, tmp_path / "data"))
    monkeypatch.setattr(compare_tab, "evaluate_within", evaluate)
    monkeypatch.setattr(turns, "GRACE_S", 0.1)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    with Service.open(settings, loader=loader) as service:
        jobs = JobQueue(service, {"files": take_in})
        yield House(whole_app(service, jobs), go, measured, jobs)
        go.set()
        jobs.stop()


def event_of(client: TestClient, name: str) -> int:
    """Return the number of the event that runs a handler, by the queue it is in or its endpoint's name."""
    config = client.get("/config").json()["dependencies"]
    return next(one["id"] for one in config if name == one["api_name"])


def join(client: TestClient, number: int, data: list[object], session: str) -> Any:
    return client.post("/gradio_api/queue/join", json={"fn_index": number, "data": data, "session_hash": session})


@pytest.mark.filterwarnings("ignore")
def test_one_visitors_flood_does_not_keep_another_from_measuring_and_searching(house: House) -> None:
    (evaluation,) = [
        number for number, fn in whole_functions(house.app).items() if fn.concurrency_id == compare_tab.EVALUATIONS
    ]
    data = ["samples", None, ["hybrid"], "asr"]
    with TestClient(house.app) as ann, TestClient(house.app) as bob:
        for client in (ann, bob):
            client.get("/health")
        codes = [join(ann, evaluation, data, f"a{number}").status_code for number in range(20)]
        assert codes == [200] + [429] * 19
        refused = join(ann, evaluation, data, "more")
        assert refused.json()["detail"].startswith("One evaluation or trial at a time")
        assert join(bob, evaluation, data, "b").status_code == 200
        until_s = time.monotonic() + 20
        while len(house.measured) < 2:
            assert time.monotonic() < until_s, "the other's evaluation does not begin"
            time.sleep(0.02)
        search = event_of(bob, "search")
        floods = [join(ann, search, ["bees", "hybrid", 1, "", ""], f"s{number}").status_code for number in range(40)]
        assert floods.count(200) >= A_VISITOR - 1
        assert join(bob, search, ["octopus blood", "hybrid", 1, "", ""], "q").status_code == 200
        answer = bob.get("/gradio_api/queue/data", params={"session_hash": "q"}).text
        assert '"success":true' in answer and "octopus" in answer.lower()
        assert bob.get("/api/v1/search", params={"q": "octopus"}).status_code == 200
        house.go.set()
        bob.get("/gradio_api/queue/data", params={"session_hash": "b"})
        assert join(bob, evaluation, data, "b").status_code == 200


def whole_functions(app: Any) -> dict[int, Any]:
    gradio = next(route.app for route in app.routes if hasattr(route, "app") and hasattr(route.app, "get_blocks"))
    return gradio.get_blocks().fns


def test_one_visitors_flood_of_tasks_does_not_keep_another_waiting(house: House) -> None:
    done: list[str] = []
    house.jobs.on_done.append(lambda job: done.append(job.visitor_id))
    files = {"files": ("a.wav", b"RIFF", "audio/wav")}
    with TestClient(house.app) as ann, TestClient(house.app) as bob:
        ids = [
            [
                client.post("/api/v1/recordings", files=files, data={"collection": "x"}).json()["job_id"]
                for _ in range(n)
            ]
            for client, n in ((ann, 6), (bob, 1))
        ]
        house.jobs.start()
        until_s = time.monotonic() + 20
        while len(done) < 7:
            assert time.monotonic() < until_s, done
            time.sleep(0.02)
        assert bob.get(f"/api/v1/jobs/{ids[1][0]}").json()["state"] == "done"
    assert done.index(done[-1]) == 0 and len(set(done[:2])) == 2  # first one of each, then the rest of the flood
