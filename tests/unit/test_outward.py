"""Requests to other servers: public addresses only, after names and redirects too, and only so large."""

from __future__ import annotations

import gzip
import io
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from speechsearch.service import outward
from speechsearch.service.outward import FetchError, fetch, fetch_to, new_client
from tests.tiny.local_server import LocalServer, local_server

HERE = ("127.0.0.1",)


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with local_server() as found:
        found.answers["/a"] = (200, {"Content-Type": "Audio/MPEG; x=y"}, b"sound")
        yield found


def got(client: httpx.Client, url: str, most_bytes: int = 100) -> tuple[str, bytes]:
    target = io.BytesIO()
    with client:
        return fetch(client, url, target, most_bytes), target.getvalue()


def test_what_is_there_is_fetched(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # a proxy would resolve names by itself
    assert got(new_client(private_hosts=HERE), server.url("/a")) == ("audio/mpeg", b"sound")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0.0.0.0", "[::ffff:127.0.0.1]"])
def test_private_addresses_are_refused_however_they_are_written(server: LocalServer, host: str) -> None:
    with pytest.raises(FetchError, match=r"private network|cannot be fetched"):
        got(new_client(), server.url("/a", host))
    assert server.asked == []


def test_a_public_name_with_a_private_address_is_refused(server: LocalServer) -> None:
    names = {"two.example": ["93.184.216.34", "10.0.0.1"], "rebound.example": ["127.0.0.1"]}
    for host in names:
        with pytest.raises(FetchError, match="private network"):
            got(new_client(resolve=lambda name, port: names[name]), server.url("/a", host))
    assert server.asked == []


def test_the_address_that_was_checked_is_the_one_that_is_asked(server: LocalServer) -> None:
    answers = iter([["127.0.0.1"]])  # a second look would find nothing
    client = new_client(private_hosts=("once.example",), resolve=lambda name, port: next(answers))
    assert got(client, server.url("/a", "once.example"))[1] == b"sound"
    assert server.asked[0].headers["host"] == f"once.example:{server.port}"


@pytest.mark.parametrize(
    "target", ["http://localhost:{port}/a", "http://169.254.169.254/", "file:///etc/passwd", "//[::1]/"]
)
def test_redirects_are_checked_too(server: LocalServer, target: str) -> None:
    server.answers["/away"] = (302, {"Location": target.format(port=server.port)}, b"")
    with pytest.raises(FetchError, match=r"private network|cannot be fetched|http or https"):
        got(new_client(private_hosts=HERE), server.url("/away"))
    assert [one.path for one in server.asked] == ["/away"]


def test_only_hosts_of_the_list_are_asked(server: LocalServer) -> None:
    with pytest.raises(FetchError, match="Nothing may be fetched from '127"):
        got(new_client(hosts=("*.example.org",), private_hosts=HERE), server.url("/a"))
    assert got(new_client(hosts=HERE, private_hosts=HERE), server.url("/a"))[1] == b"sound"
    server.answers["/away"] = (302, {"Location": server.url("/a", "localhost")}, b"")
    with pytest.raises(FetchError, match="Nothing may be fetched from 'localhost'"):
        got(new_client(hosts=HERE, private_hosts=(*HERE, "localhost")), server.url("/away"))


@pytest.mark.parametrize("url", ["", "ftp://a.org/x", "http://", "http://u:p@a.org/", "/etc/passwd", "http://a b/"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(FetchError, match=r"is no address|cannot be fetched"):
        got(new_client(), url)


def test_too_much_is_given_up_whether_it_is_announced_or_not(server: LocalServer, tmp_path: Path) -> None:
    server.answers["/large"] = (200, {}, b"x" * 1000)
    server.answers["/silent"] = (200, {"Content-Length": "", "Connection": "close"}, b"x" * 1000)
    for path in ("/large", "/silent"):
        with new_client(private_hosts=HERE) as client, pytest.raises(FetchError, match="more than 100 bytes"):
            fetch_to(client, server.url(path), tmp_path / "file", 100)
        assert list(tmp_path.iterdir()) == []


def test_what_the_other_server_says_is_said(server: LocalServer) -> None:
    server.answers["/round"] = (302, {"Location": "/round"}, b"")
    for path, said in (("/none", "answers with 404"), ("/round", "leads on and on")):
        with pytest.raises(FetchError, match=said):
            got(new_client(private_hosts=HERE), server.url(path))
    with pytest.raises(FetchError, match="cannot be fetched"):
        got(new_client(private_hosts=HERE), "http://127.0.0.1:9/")


def test_what_is_packed_several_times_over_is_not_unpacked(server: LocalServer) -> None:
    server.answers["/once"] = (200, {"Content-Encoding": "gzip"}, gzip.compress(b"sound"))
    assert got(new_client(private_hosts=HERE), server.url("/once"))[1] == b"sound"
    server.answers["/bomb"] = (200, {"Content-Encoding": "gzip, gzip"}, gzip.compress(gzip.compress(b"sound")))
    with pytest.raises(FetchError, match="packed in a way that is not read"):
        got(new_client(private_hosts=HERE), server.url("/bomb"))


@pytest.mark.parametrize("part", ["headers", "chunks"])
def test_an_answer_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    monkeypatch.setattr(outward, "FREE_S", 0.5)
    over = threading.Event()

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            head = b"HTTP/1.1 200 OK\r\nX-Long: "
            connection.sendall(head if part == "headers" else head + b"\r\nTransfer-Encoding: chunked\r\n\r\n1;")
            with suppress(OSError):  # whoever asked has gone
                while not over.wait(0.02):
                    connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        begun_s = time.monotonic()
        with pytest.raises(FetchError, match=r"cannot be fetched: (it comes too slowly|timed out)"):
            got(new_client(private_hosts=HERE), f"http://127.0.0.1:{listener.getsockname()[1]}/")
        over.set()
        thread.join()
    assert time.monotonic() - begun_s < 10


def test_onnx_runtime_tells_nobody_that_it_is_used(tmp_path: Path) -> None:
    named = ("TMPDIR", "HOME", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= dict.fromkeys(named, str(tmp_path))
    code = "import speechsearch, onnxruntime"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, cwd=Path(__file__).parents[2])
    assert list(tmp_path.rglob("*")) == []  # where it does tell, it leaves a session and an id of the machine
