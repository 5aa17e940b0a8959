"""Two visitors: every route and every event, tried by one on what is the other's own."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from ingest import discover, run, runners
from speechsearch.api import create_app
from speechsearch.api.identity import COOKIE, visitor_id
from speechsearch.domain.assets import ASSETS
from speechsearch.domain.visitors import Visitor, private
from speechsearch.jobs.queue import JobQueue
from speechsearch.library.third_pass import hear_speakers
from speechsearch.service.open import Service
from speechsearch.ui.page import build_page, mount
from tests.conftest import copy_data

SECRET, COLLECTION = "zweimal-geheim", "diary-of-ann"
OWNER_COOKIE, OTHER_COOKIE = "a" * 32, "b" * 32
OWNER = Visitor(visitor_id(OWNER_COOKIE), may_add=True)
OF_PROGRAMS = {"engine": "hybrid", "left": "hybrid", "right": "asr", "top_k": 20, "collection": ""}
KINDS = {"int": 1, "float": 1.0, "bool": True}


@dataclass
class House:
    service: Service
    app: object
    page: object
    values: dict[str, str]
    """What a request can name: the ids and names of the owner's own things."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, library_folder: Path, loader) -> Iterator[House]:
    """The whole application with one recording and one task of the owner's own; visitors' additions are private."""
    from speechsearch.domain.limits import Limits
    from speechsearch.service.settings import ServerSettings, Settings

    folder = tmp_path_factory.mktemp("house")
    copy_data(library_folder, folder / "data")
    limits = Limits(searches_a_minute=100_000)
    settings = Settings(data_dir=folder / "data", server=ServerSettings(uploads="private"), limits=limits)
    sound = folder / f"{SECRET}.opus"
    shutil.copyfile(ASSETS / "samples" / "audio" / "s001.opus", sound)
    with pytest.MonkeyPatch.context() as environment, Service.open(settings, loader=loader) as service:
        environment.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        key = private(COLLECTION, OWNER.visitor_id)
        (result,) = run(service.manage, discover([sound], limits, folder), collection=key)
        assert result.state == "indexed"
        (recording,) = service.browse.recordings(COLLECTION, OWNER)
        (passage, *_) = service.browse.passages_of(recording.recording_id, OWNER)
        hear_speakers(service.library, recording.recording_id, lambda sound_s: None)
        voice = service.speakers.of_recording(recording.recording_id, OWNER).voices[0]
        service.speakers.name(voice.speaker.speaker_id, f"{SECRET}.voice", OWNER)
        jobs = JobQueue(service, runners(service, folder))  # not started, so that the task waits
        upload = folder / f"{SECRET}.wav"
        upload.write_bytes(b"x")
        job = jobs.submit_files([(upload, upload.name)], COLLECTION, OWNER)

        async def build():
            page = build_page(service, jobs)
            return page, mount(create_app(service, jobs=jobs), page, service, jobs)

        page, app = asyncio.run(build())
        values = {
            "recording_id": recording.recording_id,
            "passage_id": passage.passage_id,
            "job_id": job.job_id,
            "model": "mini",
            "speaker_id": voice.speaker.speaker_id,
            "number": str(voice.number),
            "id": recording.recording_id,
            "track_id": recording.recording_id,
            "track": passage.passage_id,
            "recording": recording.recording_id,
            "name": COLLECTION,
            "collection": COLLECTION,
            "q": SECRET,
            "words": SECRET,
            "question": SECRET,
        }
        yield House(service, app, page, values)


@pytest.fixture
def other(house: House) -> Iterator[TestClient]:
    with visiting(house, OTHER_COOKIE) as client:
        yield client


def visiting(house: House, cookie: str) -> TestClient:
    return TestClient(house.app, cookies={COOKIE: cookie}, follow_redirects=False)


def routes(house: House, kind: type[BaseRoute]) -> list[BaseRoute]:
    """Return the application's routes of a kind, those of included routers too."""
    found, waiting = [], list(house.app.routes)
    while waiting:
        route = waiting.pop(0)
        inside = getattr(route, "original_router", None) or getattr(route, "router", None)
        if isinstance(route, kind):
            found.append(route)
        elif inside is not None:
            waiting += inside.routes
    return found


def request_of(route: APIRoute, values: dict[str, str]) -> tuple[str, dict[str, object], object]:
    """Return address, query and JSON body that ask a route for the owner's things."""
    path = re.sub(r"\{(\w+)[^}]*\}", lambda match: values[match[1]], route.path)
    query = {}
    for field in route.dependant.query_params:
        kind = getattr(field.field_info.annotation, "__name__", "str")
        query[field.alias] = KINDS.get(kind, values.get(field.alias, ""))
    query = {name: value for name, value in query.items() if value != ""}
    body = {
        name: values.get(name, SECRET + "-2") for name in ("name", "title", "description", "collection", "passage_id")
    }
    speaker = {"speaker_id": values["speaker_id"], "into": values["speaker_id"], "recording_ids": [values["id"]]}
    return (
        path,
        query,
        body | speaker | {"new_name": "taken", "question": "?", "relevance": 1, "engine": "hybrid", "rank": 1},
    )


def everything_of(house: House) -> str:
    store = house.service.library.store
    owner = store.voices.of_owner(OWNER.visitor_id, house.service.library.makers.speaker_encoder.fingerprint)
    voices = [(one.key, one.speaker_id) for one in owner], store.voices.named(OWNER.visitor_id)
    said = [store.recordings.find(), voices, store.jobs.find(), [one.name for one in store.collections.summaries()]]
    return repr(said)


def test_the_owner_is_given_what_the_other_is_not(house: House, other: TestClient) -> None:
    with visiting(house, OWNER_COOKIE) as owner:
        address = f"/api/v1/clips/{house.values['passage_id']}"
        assert owner.get(address).status_code == 200
        assert other.get(address).status_code == 404
        assert SECRET in owner.get("/api/v1/search", params={"q": SECRET, "k": 20}).text
        assert SECRET in owner.get("/api/v1/recordings").text
        assert f"{SECRET}.voice" in owner.get("/api/v1/speakers").text
        assert f"{SECRET}.voice" in owner.get(f"/api/v1/recordings/{house.values['recording_id']}/speakers").text


def test_no_route_shows_or_changes_what_is_the_others(house: House, other: TestClient) -> None:
    before, tried = everything_of(house), 0
    for route in routes(house, APIRoute):
        path, query, body = request_of(route, house.values)
        for method in sorted(route.methods):
            if path == "/logout":
                continue
            sent = {} if method in ("GET", "HEAD") else {"json": body}
            answer = other.request(method, path, params=query, **sent)
            tried += 1
            where = f"{method} {path} {query}: {answer.status_code} {answer.text[:300]}"
            assert answer.status_code < 500, where
            is_theirs = any(
                f"{{{name}" in route.path for name in ("recording_id", "passage_id", "job_id", "speaker_id")
            )
            assert not is_theirs or answer.status_code in (403, 404, 405, 415, 422), where
            # What the other has asked for may be repeated to him; what was found may not.
            said = answer.text.replace(f"{SECRET}-2", "").replace(f'value="{SECRET}"', "")
            assert f"{SECRET}." not in said and OWNER.visitor_id not in said, where
            assert house.values["recording_id"] not in said or path in said or answer.status_code >= 400, where
    assert tried > 20
    after = everything_of(house)
    theirs = f"@{visitor_id(OTHER_COOKIE)}/"
    if theirs not in after:
        assert after == before
    (kept,) = house.service.browse.recordings(COLLECTION, OWNER)
    assert kept.recording_id == house.values["recording_id"]
    assert house.service.store.jobs.find()[0].state == "queued"


def test_no_websocket_tells_of_what_is_the_others(house: House, other: TestClient) -> None:
    found = routes(house, WebSocketRoute)
    assert found
    for route in found:
        if route.path == "/ws/understand":  # takes every client; what it answers, test_understand.py looks at
            continue
        path = re.sub(r"\{(\w+)[^}]*\}", lambda match: house.values[match[1]], route.path)
        with pytest.raises(WebSocketDisconnect), other.websocket_connect(path) as live:
            live.receive_text()


@pytest.mark.filterwarnings("ignore")
def test_no_event_of_the_page_tells_of_what_is_the_others(house: House, other: TestClient) -> None:
    tried = 0
    for number, function in house.page.fns.items():
        if function.fn is None or function.name in ("run", "measure"):
            continue
        data = [value_for(block, house.values) for block in function.inputs]
        said = event(other, number, data)
        tried += 1
        assert f"{SECRET}." not in said, function.name
        assert OWNER.visitor_id not in said, function.name
        assert house.values["recording_id"] not in said, function.name
        assert house.values["speaker_id"] not in said, function.name
    assert tried > 5


def value_for(block, values: dict[str, str]) -> object:
    kind = type(block).__name__
    if kind in ("Textbox", "Api"):
        return (values | OF_PROGRAMS).get((getattr(block, "label", "") or "").lower(), SECRET)
    value = getattr(block, "value", None)
    return value if isinstance(value, str | int | float | bool | list) else None


def event(client: TestClient, number: int, data: list[object]) -> str:
    """Send an event and return all that is said about it."""
    session = f"isolation-{number}"
    body = {"fn_index": number, "data": data, "session_hash": session}
    joined = client.post("/gradio_api/queue/join", json=body)
    if joined.status_code != 200:
        return joined.text
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = client.get("/gradio_api/queue/data", params={"session_hash": session}).text
    return json.dumps([json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")])
