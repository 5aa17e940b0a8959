"""A Qdrant server for tests: the REST routes that ``index/server.py`` uses, over the client's own in-memory mode.

It runs in a process of its own, so that several processes write to it: ``python -m tests.tiny.qdrant_server``, with a
port and a log if wanted, prints its address and serves until it is killed. With a log every write is on the disk before
it is answered, and a server that is started again has what was written before. Unlike a real one it compares
everything, knows no shards and refuses writes that would not be durable everywhere when they return.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

ROOT = Path(__file__).parent.parent.parent
PATH = re.compile(r"/collections/([^/]+)(/[a-z/]+)?")
DURABLE = {"wait": ["true"], "ordering": ["strong"]}


class Collections:
    """The routes below /collections, one request at a time: the in-memory mode is not made for threads."""

    def __init__(self, log: Path | None) -> None:
        from qdrant_client import QdrantClient, models

        warnings.filterwarnings("ignore", message="Payload indexes have no effect in the local Qdrant")
        warnings.filterwarnings("ignore", message="Local mode performs exact")
        self._client, self._models, self._lock = QdrantClient(":memory:"), models, threading.Lock()
        self._log = None
        routes: dict[tuple[str, str], Callable[[str, Any], Any]] = {
            ("GET", "/exists"): lambda name, _: {"exists": self._client.collection_exists(name)},
            ("GET", ""): lambda name, _: self._client.get_collection(name),
            ("POST", "/points/query"): self._query,
            ("POST", "/points/scroll"): self._scroll,
            ("POST", "/points"): lambda name, body: self._client.retrieve(name, body["ids"], with_payload=False),
        }
        self._writes: dict[tuple[str, str], Callable[[str, Any], Any]] = {
            ("PUT", ""): self._create,
            ("DELETE", ""): lambda name, _: self._client.delete_collection(name),
            ("PUT", "/index"): lambda name, body: self._client.create_payload_index(
                name, body["field_name"], body["field_schema"]
            ),
            ("PUT", "/points"): self._upsert,
            ("POST", "/points/delete"): lambda name, body: self._client.delete(
                name, models.PointIdsList(points=body["points"])
            ),
        }
        self._routes = {**routes, **self._writes}
        if log is not None:
            log.touch()
            for line in log.read_text(encoding="utf-8").split("\n")[:-1]:  # what was cut off was not answered either
                method, rest, name, body = json.loads(line)
                self._routes[method, rest](name, body)
            self._log = log.open("a", encoding="utf-8")

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Return status and result (or error) of a request."""
        parts = urlsplit(path)
        found = PATH.fullmatch(parts.path)
        key = (method, (found[2] or "") if found else "")
        if found is None or key not in self._routes:
            return 404, f"no route {method} {path}"
        if "/points" in key[1] and key in self._writes and parse_qs(parts.query) != DURABLE:
            return 400, "this server takes only writes with wait=true and ordering=strong"
        name = unquote(found[1])
        with self._lock:
            try:
                result = self._routes[key](name, body)
            except ValueError as error:
                return (404 if "not found" in str(error) else 400), str(error)
            if self._log and key in self._writes:
                self._log.write(json.dumps([*key, name, body]) + "\n")
                self._log.flush()
                os.fsync(self._log.fileno())
        return 200, result

    def _create(self, name: str, body: Mapping[str, Any]) -> bool:
        asked = self._models.CreateCollection.model_validate(body)
        return self._client.create_collection(
            name, vectors_config=asked.vectors, sparse_vectors_config=asked.sparse_vectors
        )

    def _upsert(self, name: str, body: Mapping[str, Any]) -> Any:
        return self._client.upsert(name, self._models.PointsList.model_validate(body).points)

    def _query(self, name: str, body: Mapping[str, Any]) -> Any:
        asked = self._models.QueryRequest.model_validate(body)
        return self._client.query_points(
            name,
            query=asked.query,
            using=asked.using,
            query_filter=asked.filter,
            search_params=asked.params,
            limit=asked.limit or 10,
            with_payload=bool(asked.with_payload),
        )

    def _scroll(self, name: str, body: Mapping[str, Any]) -> Any:
        records, following = self._client.scroll(
            name, limit=body["limit"], offset=body.get("offset"), with_payload=False
        )
        return {"points": records, "next_page_offset": following}


def serve(port: int, log: Path | None) -> None:
    """Serve until the process ends, and print the address first."""
    from pydantic_core import to_jsonable_python

    collections = Collections(log)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body in one packet

        def _answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, result = collections.answer(self.command, self.path, json.loads(content) if content else None)
            body = {"result": to_jsonable_python(result), "status": "ok"}
            written = json.dumps(body if status == 200 else {"status": {"error": result}}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(written)))
            self.end_headers()
            self.wfile.write(written)

        do_GET = do_POST = do_PUT = do_DELETE = _answer

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        server.daemon_threads = True
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        server.serve_forever()


@dataclass(frozen=True)
class QdrantServer:
    """A running server; ``process`` may be killed."""

    url: str
    process: subprocess.Popen[str]


@contextmanager
def qdrant_server(port: int = 0, log: Path | None = None) -> Iterator[QdrantServer]:
    """Run a server in a process of its own; port 0 is a free one."""
    command = [sys.executable, "-m", "tests.tiny.qdrant_server", str(port), *([str(log)] if log else [])]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            assert url, "the server did not start"
            yield QdrantServer(url, process)
        finally:
            process.kill()


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
