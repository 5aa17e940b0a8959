"""Who speaks, as the page's routes show it over the real service: lanes, lists, samples, filters, rights."""

from __future__ import annotations

import io
import re
import wave
from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from speechsearch.api.error_responses import add_error_handlers
from speechsearch.api.recording_routes import recording_routes
from speechsearch.domain.values import Recording
from speechsearch.domain.visitors import Visitor, private
from speechsearch.ui import people_fold, recording_tab
from tests.web.voices import hear, in_turns

pytestmark = pytest.mark.both_databases

OWNER, READER = Visitor("own", is_owner=True, may_add=True), Visitor("rob")
EVIL = "\"><img src=x onerror=alert(1)>' onload='x"


@pytest.fixture
def client(service) -> Iterator[TestClient]:
    """The routes, asked by the visitor of ``client.app.state``."""
    app = FastAPI()
    app.state.visitor = OWNER

    @app.middleware("http")
    async def identify(request: Request, call_next):
        request.scope.setdefault("state", {})["visitor"] = app.state.visitor
        return await call_next(request)

    add_error_handlers(app, service.counters)
    app.include_router(recording_routes(service))
    for tab in (recording_tab, people_fold):
        app.include_router(tab.panel_routes(service))
    with TestClient(app) as client:
        yield client


@pytest.fixture
def talks(service) -> list[Recording]:
    """Two recordings in which the same two people speak, the longest first."""
    return sorted(service.browse.recordings(), key=lambda one: -one.duration_s)[:2]


@pytest.fixture
def people(service, talks) -> tuple[str, ...]:
    """Their ids as speakers."""
    first = hear(service, talks[0], in_turns(talks[0].duration_s, 2), "", "")
    hear(service, talks[1], in_turns(talks[1].duration_s, 2), *first)
    return first


def labels(html: str) -> list[str]:
    return re.findall(r'data-label="([^"]*)"', html)


def test_one_voice_is_in_nobodys_way(client, service, talks) -> None:
    hear(service, talks[0], in_turns(talks[0].duration_s, 1), "")
    html = client.get(f"/page/recordings/{talks[0].recording_id}").text
    assert html.count("ss-v-track") == 1 and '<details class="ss-rec-all ss-v-all"><summary>' in html


def test_voices_turns_and_words_of_a_recording(client, service, talks, people) -> None:
    service.speakers.name(people[0], EVIL[:80])
    page = f"/page/recordings/{talks[0].recording_id}"
    whole, voices = client.get(page).text, client.get(f"{page}/voices").text
    assert voices in whole and voices.count("ss-v-track") == 2
    for html in (whole, client.get(f"{page}/turns").text, client.get(f"{page}/passages").text):
        assert "&lt;img src=x" in html and "<img" not in html and "onload='" not in html
    known = service.speakers.all()
    offered = 2 + len(known) + sum(bool(one.name) for one in known)
    assert voices.count("<option value=") == offered  # in each lane somebody new; and once all, and all names
    assert "?speakers=true" in whole
    turns = client.get(f"{page}/turns").text
    assert turns.count("<li ") == len(in_turns(talks[0].duration_s, 2))
    client.app.state.visitor = READER
    assert "data-edit" not in client.get(f"{page}/voices").text and "ss-v-track" in client.get(f"{page}/voices").text


def test_subtitles_say_who_speaks_if_asked(client, service, talks, people) -> None:
    service.speakers.name(people[0], "Ann <b>")
    address = f"/api/v1/recordings/{talks[0].recording_id}/subtitles"
    assert "Ann" not in client.get(address).text
    said = client.get(address, params={"speakers": True}).text
    assert "Ann &lt;b&gt;: " in said and f"{service.speakers.get(people[1]).label}: " in said


def test_speakers_are_listed_found_and_shown_with_their_voices(client, service, talks, people) -> None:
    assert "No speakers yet" not in client.get("/page/speakers").text
    service.speakers.name(people[1], "Ann")
    listed = client.get("/page/speakers").text
    label = service.speakers.get(people[0]).label
    assert "Ann" in labels(listed) and label in labels(listed) and "2 recordings" in listed
    assert labels(client.get("/page/speakers", params={"words": label.upper()}).text) == [label]
    assert "No speaker has" in client.get("/page/speakers", params={"words": EVIL}).text
    person = client.get(f"/page/speakers/{people[1]}").text
    assert all(one.recording_id in person for one in talks) and ", 0:06" in person  # when she speaks first
    client.app.state.visitor = READER
    assert "data-do" not in client.get(f"/page/speakers/{people[1]}").text + client.get("/page/speakers").text
    for bad in ("0" * 36, "x", "..%2f"):
        assert client.get(f"/page/speakers/{bad}").status_code in (404, 422)


def test_a_sample_is_the_voice_itself(client, service, talks, people) -> None:
    def length_s(**asked: object) -> float:
        answer = client.get(f"/page/speakers/{people[1]}/sample", params=asked)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/wav")
        with wave.open(io.BytesIO(answer.content)) as file:
            return file.getnframes() / file.getframerate()

    assert length_s() == pytest.approx(6.0, abs=0.1)
    assert length_s(recording=talks[1].recording_id, voice=2) == pytest.approx(6.0, abs=0.1)
    wrong = {"recording": talks[1].recording_id, "voice": 1}
    assert client.get(f"/page/speakers/{people[1]}/sample", params=wrong).status_code == 404


def test_the_list_of_recordings_is_narrowed_to_a_speaker(client, service, talks, people) -> None:
    service.speakers.name(people[0], "Ann")
    for speaker in ("Ann", "ann", service.speakers.get(people[1]).label):
        html = client.get("/page/recordings", params={"speaker": speaker}).text
        assert html.count("<li>") == 2 and all(one.recording_id in html for one in talks)
    named = client.get("/page/recordings", params={"speaker": talks[0].speaker}).text  # by metadata
    assert named.count("<li>") == 1 and talks[0].recording_id in named


def test_speakers_of_private_recordings_are_there_for_nobody_else(client, service, talks, people) -> None:
    service.speakers.name(people[0], "Ann")
    service.library.rename_collection("samples", private("samples", "somebody"))
    for path in ("", f"/{people[0]}", f"/{people[0]}/sample"):
        answer = client.get(f"/page/speakers{path}")
        assert "Ann" not in answer.text and (not path or answer.status_code == 404)
    assert client.get(f"/page/recordings/{talks[0].recording_id}/voices").status_code == 404
    assert "<li>" not in client.get("/page/recordings", params={"speaker": "Ann"}).text
