"""The page is killed while it takes in, is sent a file and is asked: the next one goes on, and nothing is left."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.faults.kills import spoken
from tests.tiny.fakes import FakeLoader, open_fakes
from tests.tiny.kept import check_search

ROOT = Path(__file__).parents[2]
FILES = 6
WITHIN_S = 90.0
SERVE = """
import socket, sys, time
from pathlib import Path
import uvicorn
from ingest import runners
from speechsearch.api import create_app
from speechsearch.domain.assets import ASSETS
from speechsearch.jobs.queue import JobQueue
from tests.tiny.fakes import FakeLoader, FakeSpeechEncoder, open_fakes


class Unhurried(FakeSpeechEncoder):
    def encode_passages(self, sounds):
        time.sleep(float(sys.argv[2]))
        return super().encode_passages(sounds)


with open_fakes(Path(sys.argv[1]), FakeLoader(speech=Unhurried())) as service:
    queue = JobQueue(service, runners(service, ASSETS / "samples"))
    queue.start()
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(create_app(service, jobs=queue), log_level="error")).run(sockets=[listener])
"""


@dataclass
class Page:
    """A running page."""

    process: subprocess.Popen[str]
    port: int

    def get(self, path: str, **parameters: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}/api/v1/{path}", params=parameters, timeout=WITHIN_S)

    def jobs(self) -> list[dict]:
        return [one for one in self.get("jobs").json() if one["kind"] == "files"]


@contextmanager
def page(data_dir: Path, encoding_takes_s: float) -> Iterator[Page]:
    """Serve a data folder; the process is killed at the end, as if the power went."""
    command = [sys.executable, "-c", SERVE, str(data_dir), str(encoding_takes_s)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Page(process, int(process.stdout.readline()))
        finally:
            process.kill()


def wait_for(what) -> None:
    until_s = time.monotonic() + WITHIN_S
    while not what():
        assert time.monotonic() < until_s
        time.sleep(0.05)


def half_an_upload(port: int) -> socket.socket:
    """Send the beginning of an upload, and no more."""
    head = (
        f"POST /api/v1/recordings HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 9000000\r\n"
        'Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\nContent-Disposition: form-data; name="files"; '
        'filename="half.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    )
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(head.encode() + bytes(2_000_000))
    return connection


def test_a_killed_page_goes_on_where_it_was(tmp_path: Path) -> None:
    data_dir, statuses = tmp_path / "data", []
    with page(data_dir, encoding_takes_s=0.5) as first:
        files = [("files", (f"{number}.wav", content)) for number, content in enumerate(spoken(FILES))]
        url = f"http://127.0.0.1:{first.port}/api/v1/recordings"
        assert httpx.post(url, files=files, data={"collection": "talks"}, timeout=WITHIN_S).status_code == 202

        def ask() -> None:
            try:
                while True:
                    statuses.append(first.get("search", q="anything", engine="adapter").status_code)
            except httpx.HTTPError:  # it is dead
                pass

        asking = threading.Thread(target=ask)
        asking.start()
        wait_for(lambda: sum(one["state"] == "indexed" for one in files_of(first)) >= 2)
        with half_an_upload(first.port):
            wait_for(lambda: len(list((data_dir / "jobs").iterdir())) >= 2)  # the half of it lies there
            (job,) = first.jobs()
            assert job["state"] == "running"
            first.process.kill()
        asking.join()
    assert set(statuses) == {200}
    with page(data_dir, encoding_takes_s=0.0) as second:
        wait_for(lambda: all(one["state"] == "done" for one in second.get("jobs").json()))
        assert {one["state"] for one in files_of(second)} <= {"indexed", "unchanged"}
        assert list((data_dir / "jobs").iterdir()) == []
    with open_fakes(data_dir, FakeLoader()) as service:
        assert len(service.browse.recordings()) == FILES
        assert service.browse.differences() == [] == service.manage.missing()
        assert check_search(service) > 0
        assert list((data_dir / "media").glob("*.unfinished")) == []


def files_of(page: Page) -> list[dict]:
    """Return what became of the files of the page's job so far."""
    (job,) = page.jobs()
    return page.get(f"jobs/{job['job_id']}").json()["files"]
