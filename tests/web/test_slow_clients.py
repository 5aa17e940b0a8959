"""Clients that stand still, against a real server: each is given up after a while and keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi.responses import StreamingResponse

from speechsearch.api import create_app
from speechsearch.api.connections import Patience, TimedProtocol
from speechsearch.api.observed import UNEXPECTED
from speechsearch.domain.counters import ERRORS, REQUESTS
from speechsearch.jobs.queue import JobQueue
from speechsearch.service.open import Service
from tests.tiny.fakes import FakeLoader, open_fakes

QUICK = Patience(head_s=1.0, body_s=1.0, body_bytes_a_second=100_000.0, reader_s=1.0)
WAIT_S = 60.0
"""Far above what is waited for: other tests may have the processor."""
LARGE_BYTES = 64 * 2**20
"""More than the sockets' own buffers hold."""


class QuickProtocol(TimedProtocol):
    patience = QUICK


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"data: " + b"x" * 2**16 + b"\n\n"
        await asyncio.sleep(0)


@dataclass
class House:
    service: Service
    jobs: JobQueue
    port: int

    def counted(self, route: str) -> list[str]:
        """Return the statuses of the requests at a route that are over."""
        series = self.service.counters.read().get(REQUESTS, {})
        return [status for (_, pattern, status), kept in series.items() if pattern == route for _ in range(kept.count)]

    def connect(self) -> socket.socket:
        """Return a connection that takes little at once."""
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.settimeout(WAIT_S)
        made.connect(("127.0.0.1", self.port))
        return made


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("slow")
    with open_fakes(folder / "data", FakeLoader()) as service:
        jobs = JobQueue(service, {"files": lambda job, report: iter(()), "steps": lambda job, report: iter(())})
        app = create_app(service, jobs=jobs, patience=QUICK)
        app.add_api_route("/api/test/download", lambda: StreamingResponse(iter([bytes(2**20)] * 64)))
        app.add_api_route("/api/test/events", lambda: StreamingResponse(endless(), media_type="text/event-stream"))
        config = uvicorn.Config(
            app, http=QuickProtocol, log_config=None, lifespan="off", ws_ping_interval=0.5, ws_ping_timeout=0.5,
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        server = uvicorn.Server(config)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
            thread.start()
            until(lambda: server.started)
            yield House(service, jobs, listener.getsockname()[1])
            server.should_exit = True
            thread.join(WAIT_S)


def until(happens: Callable[[], Any]) -> None:
    end_s = time.monotonic() + WAIT_S
    while not happens():
        assert time.monotonic() < end_s, "it does not happen"
        time.sleep(0.02)


def is_cut_off(connection: socket.socket) -> bool:
    """Read to the end and say whether there is one."""
    try:
        while connection.recv(2**20):
            pass
    except ConnectionResetError:
        pass
    return True


@pytest.mark.parametrize("head", [b"", b"GET /health/live HTTP/1.1\r\nHost: local"])
def test_who_does_not_finish_the_head_of_a_request_is_cut_off(house: House, head: bytes) -> None:
    with house.connect() as connection:
        connection.sendall(head)
        began_s = time.monotonic()
        assert is_cut_off(connection)
        assert time.monotonic() - began_s >= QUICK.head_s * 0.5


def test_a_slow_second_request_on_a_kept_connection_is_cut_off(house: House) -> None:
    with house.connect() as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(2**16).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /health/live HT")
        assert is_cut_off(connection)


@pytest.mark.parametrize("path", ["/api/v1/ask", "/api/v1/recordings", "/v1/audio/transcriptions"])
def test_who_does_not_send_the_body_is_answered_408(house: House, path: str) -> None:
    form = b"Content-Type: multipart/form-data; boundary=b" if "a/" not in path else b"Content-Type: application/json"
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n".encode() + form + b"\r\n\r\n--b"
    with house.connect() as connection:
        connection.sendall(head)
        answer = connection.recv(2**16)
        assert answer.startswith(b"HTTP/1.1 408"), answer
        assert b"connection: close" in answer.lower()
        assert is_cut_off(connection)
    assert not [path for path in house.jobs.folder.rglob("*") if path.is_file()]
    assert (UNEXPECTED,) not in house.service.counters.read().get(ERRORS, {})


def test_a_body_that_comes_drop_by_drop_is_given_up_and_a_steady_one_is_not(house: House) -> None:
    def dropped(drop: bytes, pause_s: float, drops: int) -> bytes:
        head = f"POST /api/v1/ask HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(drop) * drops}\r\n\r\n"
        with house.connect() as connection:
            connection.sendall(head.encode())
            connection.settimeout(pause_s)
            for _ in range(drops):
                connection.sendall(drop)
                try:
                    if answer := connection.recv(2**16):
                        return answer
                except TimeoutError:
                    continue
            connection.settimeout(WAIT_S)
            return connection.recv(2**16)

    assert dropped(b"x", 0.3, 100).startswith(b"HTTP/1.1 408")
    assert dropped(b"x" * 100_000, 0.3, 5).startswith(b"HTTP/1.1 422")  # longer than body_s, but it gets on


@pytest.mark.parametrize("route", ["/api/test/download", "/api/test/events"])
def test_who_does_not_read_an_answer_is_cut_off(house: House, route: str) -> None:
    with house.connect() as connection:
        connection.sendall(f"GET {route} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        until(lambda: house.counted(route))
        assert is_cut_off(connection)


def test_who_reads_slowly_but_reads_gets_all(house: House) -> None:
    with house.connect() as connection:
        connection.sendall(b"GET /api/test/download HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        read_bytes, paused = 0, 0
        while piece := connection.recv(2**20):
            read_bytes += len(piece)
            if read_bytes // 2**23 > paused:
                paused += 1
                time.sleep(0.3)
    assert paused * 0.3 > QUICK.reader_s
    assert read_bytes > LARGE_BYTES


def test_who_does_not_answer_a_websockets_ping_is_cut_off(house: House) -> None:
    job = house.jobs.submit("steps")
    key = base64.b64encode(os.urandom(16)).decode()
    with house.connect() as connection:
        connection.sendall(
            f"GET /api/v1/jobs/{job.job_id}/events HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        until(lambda: "101" in house.counted("/api/v1/jobs/{job_id}/events"))
        assert is_cut_off(connection)


def test_slow_clients_keep_nobody_waiting(house: House) -> None:
    slow = {
        b"GET / HTTP/1.1\r\nHost: l": 40,
        b"POST /api/v1/recordings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n": 40,
        b"GET /api/test/download HTTP/1.1\r\nHost: localhost\r\n\r\n": 20,
    }
    with ExitStack() as stack, httpx.Client(base_url=f"http://127.0.0.1:{house.port}", timeout=WAIT_S) as client:
        alone_s = timed(client)
        for begun, number in slow.items():
            for _ in range(number):
                stack.enter_context(house.connect()).sendall(begun)
        beside_s = timed(client)
    assert beside_s < alone_s + 2.0


def timed(client: httpx.Client) -> float:
    began_s = time.monotonic()
    assert client.get("/api/v1/collections").status_code == 200
    return time.monotonic() - began_s
