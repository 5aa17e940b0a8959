"""Write who may use which route into docs/security.md: ``python -m benchmarks.access_table``.

Nothing is read from the code: the real application is asked, as each role, and what it answers is written down.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechsearch.api.doors import WEBSOCKET, door_of, doors

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "security.md"
BEGIN, END = "<!-- the table: python -m benchmarks.access_table -->", "<!-- the table's end -->"
ROLES = ("anonymous", "visitor", "user", "owner")
PASSWORD = "a tide of bees"  # noqa: S105
GOOD, LOGIN, REFUSED, NOTHING = "yes", "login", "no", "nothing"
ANSWER_S = 20.0
METHODS = {"HEAD": 0, "GET": 1, WEBSOCKET: 2, "POST": 3, "PUT": 4, "PATCH": 5, "DELETE": 6}


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path, as the application declares it, of a library's program or our own."""

    method: str
    path: str
    is_ours: bool


def leaves(routes: list[Any], before: str = "") -> Iterator[tuple[Any, str]]:
    """Yield every route that answers, of included routers and mounted applications too, with its whole path."""
    for route in routes:
        inside = getattr(route, "original_router", None)
        if inside is not None:
            yield from leaves(inside.routes, before)
        elif getattr(route, "endpoint", None) is not None or not hasattr(route, "routes"):
            yield route, before + route.path
        else:
            yield from leaves(route.routes, before + route.path)


def all_routes(app: Any) -> set[Route]:
    """Return every route that is mounted, open or not."""
    found = set()
    for route, path in leaves(app.routes):
        is_ours = getattr(route.endpoint, "__module__", "").startswith("speechsearch")
        is_ours = is_ours or path in ("/api/openapi.json", "/mcp")
        # A program of its own, such as /mcp, looks at the method itself.
        methods = (route.methods or ("GET", "POST", "DELETE")) if hasattr(route, "methods") else (WEBSOCKET,)
        found |= {Route(method, path, is_ours) for method in methods}
    return found


def example(path: str, values: Mapping[str, str]) -> str:
    """Return an address of a path with its {parameters} filled in.

    >>> example("/api/v1/jobs/{job_id}", {"job_id": "7"}), example("/file={name:path}", {})
    ('/api/v1/jobs/7', '/file=x')
    """
    return re.sub(r"\{(\w+)[^}]*\}", lambda match: values.get(match[1], "x"), path)


def open_routes(app: Any) -> list[Route]:
    """Return the routes that the list of doors lets in, in the order of the table: what removes things last."""
    values = {"api_name": "predict", "path_or_url": "/x", "name": "/x"}
    found = [one for one in all_routes(app) if door_of(one.method, example(one.path, values), doors(1))]
    ours = {(one.method, one.path.split("{")[0]) for one in found if one.is_ours}
    shown = [one for one in found if one.is_ours or (one.method, one.path.split("{")[0]) not in ours]

    def turn(one: Route) -> tuple[object, ...]:
        method = METHODS[one.method]
        if method <= METHODS["POST"]:
            return (0, False, 0, one.path, method)
        return (method, not one.path.startswith("/api/v1/speakers"), -len(one.path), one.path, 0)

    return sorted(shown, key=turn)


async def status_of(app: Any, method: str, path: str, headers: Mapping[str, str], query: str, body: bytes) -> int:
    """Send a request and return its status, of a WebSocket 101 or 403."""
    begun: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    is_socket = method == WEBSOCKET
    sent = iter([{"type": "websocket.connect"} if is_socket else {"type": "http.request", "body": body}])

    async def receive() -> Any:
        for message in sent:
            return message
        await asyncio.sleep(3600)

    async def send(message: Any) -> None:
        kind = message["type"]
        status = {"websocket.accept": 101, "websocket.close": 403}.get(kind) or message.get("status")
        if status is not None and not begun.done():
            begun.set_result(status)

    given = {"host": "testserver", "accept": "*/*", **headers}
    scope = {
        "type": "websocket" if is_socket else "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "path": path,
        "scheme": "ws" if is_socket else "http", "raw_path": path.encode(), "query_string": query.encode(),
        "root_path": "", "client": ("127.0.0.1", 50_000), "server": ("testserver", 80),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }  # fmt: skip
    if not is_socket:
        scope["method"] = method
    task = asyncio.create_task(app(scope, receive, send))
    await asyncio.wait({task, begun}, timeout=ANSWER_S, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.wait({task}, timeout=0.2)  # streams do not end by themselves
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return begun.result()


def answer_of(status: int, route: Route) -> str:
    """Return a cell of the table. Where Gradio finds nothing under a made-up name, it has looked.

    >>> ours, theirs = Route("GET", "/api/v1/jobs/{job_id}", True), Route("GET", "/assets/{path:path}", False)
    >>> [answer_of(status, ours) for status in (200, 404, 422, 303, 401, 403)], answer_of(404, theirs)
    (['yes', 'nothing', 'yes', 'yes', 'login', 'no'], 'yes')
    """
    if status == 404 and route.is_ours:
        return NOTHING
    return {401: LOGIN, 403: REFUSED}.get(status, GOOD)


def body_of(route: Route, values: Mapping[str, str]) -> tuple[str, bytes]:
    """Return the type and the body of a request that a route would accept."""
    passage_id = values["passage_id"]
    if route.path == "/login":
        return "application/x-www-form-urlencoded", f"username=ann&password={PASSWORD}".replace(" ", "+").encode()
    given: dict[str, object] = {"session_hash": "x", "data": [], "fn_index": 0}
    if route.path.startswith("/api/v1/collections"):
        given = {"name": "new", "description": "of a test"} if route.method == "POST" else {"description": "changed"}
    elif route.path == "/api/v1/ask":
        given = {"question": "bees"}
    elif route.path == "/api/v1/names/heard":
        given = {"name": "samples", "passage_id": passage_id, "is_said": True}
    elif route.path == "/api/v1/names/table":
        return "text/csv", b"Ferry,ferree"
    elif route.path.startswith("/api/v1/names"):
        given = {"name": "samples", "sounds_like": ["sam pulls"]}
    elif route.path.endswith("/dataset"):
        given = {"name": "a/dataset", "collection": "new"}
    elif route.path.endswith("/feed"):
        given = {"url": "https://example.org/feed.xml", "collection": "new"}
    elif "/speakers/" in route.path:
        speaker_id = values["speaker_id"]
        of_whom = {"name": "Somebody", "into": speaker_id, "speaker_id": speaker_id}
        given = {**of_whom, "recording_ids": [values["recording_id"]]}
    elif route.path.startswith("/api/v1/recordings"):
        given = {"title": "changed"}
    elif route.path.startswith("/api/v1/feedback"):
        given = {"passage_id": passage_id, "question": "?", "relevance": 1, "engine": "hybrid", "rank": 1}
    return "application/json", json.dumps(given).encode()


def settings_of(role: str, folder: Path) -> Any:
    """Return the settings of a server at which a role is found."""
    from speechsearch.api.passwords import hash_password
    from speechsearch.service.settings import AuthSettings, ServerSettings, Settings

    if role == "user":  # as on a Space
        return Settings(data_dir=folder, server=ServerSettings(uploads="private"))
    visitors: Any = "none" if role == "anonymous" else "read"
    users: Any = {"ann": hash_password(PASSWORD)}
    return Settings(data_dir=folder, auth=AuthSettings(users=users, visitors=visitors))


def column(role: str, folder: Path, loader: Any) -> dict[Route, str]:
    """Return what a role is answered at each open route. The data folder is changed: it ends up without recordings."""
    import gradio as gr

    from speechsearch.api import create_app
    from speechsearch.api.identity import COOKIE, SESSION_COOKIE, visitor_id
    from speechsearch.domain.visitors import Visitor
    from speechsearch.jobs.queue import JobQueue
    from speechsearch.service.open import Service
    from speechsearch.ui.page import mount

    settings = settings_of(role, folder)
    with Service.open(settings, loader=loader) as service:
        jobs = JobQueue(service, {kind: lambda job, report: iter(()) for kind in ("files", "reindex", "dataset")})
        headers = {"cookie": f"{COOKIE}={'a' * 32}"}
        who = Visitor(visitor_id("a" * 32), may_add=True) if role == "user" else Visitor("ann", True, True)
        upload = folder / "upload"
        upload.write_bytes(b"x")
        job = jobs.submit_files([(upload, "a.wav")], "mine", who)
        (recording, *_) = service.browse.recordings("samples")
        (passage, *_) = service.browse.passages_of(recording.recording_id)
        values = {
            "recording_id": recording.recording_id, "passage_id": passage.passage_id, "job_id": job.job_id,
            "name": "/x", "api_name": "predict", "model": "mini",
            "speaker_id": service.speakers.all()[0].speaker_id, "number": "1",
        }  # fmt: skip

        async def ask() -> dict[Route, str]:
            with gr.Blocks() as page:
                gr.Textbox()
            page.queue()
            app = mount(create_app(service, jobs=jobs), page, service, jobs)
            async with app.router.lifespan_context(app):
                if role == "owner":
                    headers["cookie"] += f"; {SESSION_COOKIE}={await session(app)}"
                query = f"q=bees&name=samples&id={recording.recording_id}&passage_id={passage.passage_id}"
                answers = {}
                for route in open_routes(app):
                    kind, body = body_of(route, values)
                    sent = {**headers, "content-type": kind}
                    path = example(route.path, values)
                    answers[route] = answer_of(await status_of(app, route.method, path, sent, query, body), route)
                return answers

        return asyncio.run(ask())


async def session(app: Any) -> str:
    """Log in and return the session's cookie."""
    import httpx

    from speechsearch.api.identity import SESSION_COOKIE

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
        answer = await client.post("/login", data={"username": "ann", "password": PASSWORD})
        return answer.cookies[SESSION_COOKIE]


def table(library: Callable[[Path], Path], loader: Any) -> str:
    """Return the table.

    Args:
        library: makes a copy of a data folder with recordings in "samples" and returns it.
    """
    with tempfile.TemporaryDirectory() as folder:
        columns = [column(role, library(Path(folder) / role), loader) for role in ROLES]
    lines = [f"| method | route | {' | '.join(ROLES)} |", "|---|---|" + "---|" * len(ROLES)]
    routes = sorted(columns[0], key=lambda one: (not one.is_ours, one.path, METHODS[one.method]))
    for route in routes:
        cells = " | ".join(each[route] for each in columns)
        lines.append(f"| {route.method} | `{route.path}`{'' if route.is_ours else ' (Gradio)'} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    """Make a library of one sample, ask, and write the table."""
    from ingest import discover, run
    from speechsearch.domain.assets import SAMPLES
    from speechsearch.service.open import Service, new_loader
    from speechsearch.service.settings import Settings

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = Settings(data_dir=folder / "data")
        loader = new_loader(settings)
        with Service.open(settings, loader=loader) as service:
            found = discover([SAMPLES / "audio" / "s004.opus"], service.limits, folder)
            assert [one.state for one in run(service.manage, found, collection="samples")] == ["indexed"]
            assert list(service.manage.catch_up()) == []
        written = table(lambda target: Path(shutil.copytree(folder / "data", target)), loader)
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{written}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
