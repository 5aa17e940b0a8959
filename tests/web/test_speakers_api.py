"""Speakers by the routes and the command line: list, show, name, merge, split, assign, delete."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from speechsearch import cli
from speechsearch.api import create_app
from speechsearch.domain.values import Filters, Query
from speechsearch.library import third_pass
from speechsearch.service.open import Service
from tests.tiny.fakes import FakeLoader, FakeSpeakerEncoder, open_fakes, take_in
from tests.tiny.sounds import content_of, sweep
from tests.tiny.voices import acting

PATH = "/api/v1/speakers"
NOBODY = "00000000-0000-4000-8000-000000000000"
EVIL = '=1+1 "><script>alert(1)</script>'


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Two recordings without a cut: Ann and Bob speak in the first, Bob in the second."""
    from speechsearch.domain.limits import Segmentation

    scripts = {12: [(0.0, "ann"), (5.5, "bob"), (12.0, "")], 9: [(0.0, "bob"), (9.0, "")]}
    monkeypatch.setattr(third_pass, "diarize", acting(scripts))
    folder = tmp_path / "in"
    folder.mkdir()
    for seconds in scripts:
        (folder / f"{seconds}.wav").write_bytes(content_of("wav", sweep(seconds)))
    models = FakeLoader(speakers=FakeSpeakerEncoder())
    with open_fakes(tmp_path / "data", models, Segmentation(method="none")) as service:
        assert take_in(service, folder) == ["indexed"] * 2 and list(service.manage.catch_up()) == []
        yield service


@pytest.fixture
def client(service):
    with TestClient(create_app(service)) as client:
        yield client


def keys(service: Service) -> tuple[str, str]:
    return tuple(service.browse.recording_named(f"{seconds}.wav").recording_id for seconds in (12, 9))


def test_speakers_are_shown_named_merged_split_and_deleted(client, service) -> None:
    both, short = keys(service)
    people = {one["recordings"]: one for one in client.get(PATH).json()}
    ann, bob = people[1], people[2]
    assert (ann["speech_s"], bob["speech_s"], ann["name"]) == (5.5, 15.5, "") and ann["label"].startswith("Speaker ")
    shown = client.get(f"{PATH}/{bob['speaker_id']}").json()
    assert shown["may_change"] is True
    assert sorted((one["recording_id"], one["number"]) for one in shown["heard_in"]) == sorted([(both, 2), (short, 1)])
    heard = client.get(f"/api/v1/recordings/{both}/speakers").json()
    assert heard["is_heard"] and [(one["start_s"], one["end_s"], one["voice"]) for one in heard["turns"]] == [
        (0.0, 5.5, 1),
        (5.5, 12.0, 2),
    ]
    assert [one["speaker"]["speaker_id"] for one in heard["voices"]] == [ann["speaker_id"], bob["speaker_id"]]
    named = client.patch(f"{PATH}/{bob['speaker_id']}", json={"name": EVIL})
    assert named.json()["label"] == EVIL and client.get(PATH).json()[0]["name"] == EVIL
    assert client.patch(f"{PATH}/{ann['speaker_id']}", json={"name": EVIL.upper()}).status_code == 409
    rttm = client.get(f"/api/v1/recordings/{both}/rttm")
    assert rttm.headers["content-type"].startswith("text/plain") and len(rttm.text.splitlines()) == 2
    found = client.get("/api/v1/search", params={"q": "x", "speaker": EVIL, "engine": "adapter"}).json()["hits"]
    assert {one["recording_id"] for one in found} == {both, short}
    table = client.get("/api/v1/export", params={"q": "x", "engine": "adapter"}).text
    assert "'=1+1" in table and f",{EVIL}" not in table
    assert client.patch(f"{PATH}/{bob['speaker_id']}", json={"name": " "}).json()["name"] == ""
    merged = client.post(f"{PATH}/{bob['speaker_id']}/merge", json={"into": ann["speaker_id"]}).json()
    assert (merged["speaker_id"], merged["recordings"], len(client.get(PATH).json())) == (ann["speaker_id"], 2, 1)
    parted = client.post(f"{PATH}/{ann['speaker_id']}/split", json={"recording_ids": [short]}).json()
    assert parted["recordings"] == 1 and parted["number"] == 3
    voice = f"/api/v1/recordings/{both}/speakers/2"
    assert client.put(voice, json={"speaker_id": parted["speaker_id"]}).json()["recordings"] == 2
    assert client.put(voice, json={}).json()["number"] == 4
    assert client.delete(f"{PATH}/{parted['speaker_id']}").status_code == 204
    assert client.delete(f"{PATH}/{parted['speaker_id']}").status_code == 404
    assert client.get(f"/api/v1/recordings/{short}/speakers").json() == {"is_heard": True, "voices": [], "turns": []}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", f"{PATH}/{NOBODY}", None, 404),
        ("GET", f"{PATH}/x", None, 422),
        ("PATCH", f"{PATH}/{NOBODY}", {"name": "x" * 81}, 422),
        ("PATCH", f"{PATH}/{NOBODY}", {"name": "Ann"}, 404),
        ("POST", f"{PATH}/{NOBODY}/merge", {"into": "x"}, 422),
        ("POST", f"{PATH}/{NOBODY}/split", {"recording_ids": []}, 422),
        ("PUT", f"/api/v1/recordings/{'a' * 64}/speakers/1", {}, 404),
        ("PUT", f"/api/v1/recordings/{'a' * 64}/speakers/0", {}, 422),
        ("GET", f"/api/v1/recordings/{'a' * 64}/rttm", None, 404),
    ],
)
def test_what_is_not_there_or_does_not_fit_is_refused(client, method: str, path: str, body, status: int) -> None:
    answer = client.request(method, path, json=body)
    assert answer.status_code == status and answer.json()["message"]


def test_the_command_line_does_the_same(service, monkeypatch: pytest.MonkeyPatch) -> None:
    from contextlib import nullcontext

    from speechsearch import cli_speakers

    monkeypatch.setattr(cli_speakers, "opened", lambda: nullcontext(service))

    def say(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(cli.app, ["speakers", *arguments])
        assert result.exit_code == code, (result.output, result.exception)
        return result.output

    both, short = keys(service)
    assert len(say("list").splitlines()) == 2
    shown = json.loads(say("in", both, "--json"))
    ann, bob = (one["speaker"]["speaker_id"] for one in shown["voices"])
    assert "Bob" in say("name", bob, "Bob") and "12  voice 2, 6 s" in say("show", "bob")
    assert say("in", "12.wav").splitlines()[-1].endswith("Bob")
    assert "2 recordings" in say("merge", "bob", ann) and "1 recording" in say("split", ann, short)
    assert "Speaker 4" in say("assign", both, "2") and "2 recordings" in say("assign", both, "2", "Speaker 3")
    assert "Bob" not in say("unname", ann)
    say("forget", "Speaker 3", "--yes")
    assert len(say("list").splitlines()) == 1
    assert say("show", "nobody", code=1) == ""
    hits = service.search.find(Query("x", filters=Filters(speakers=(ann,))), "adapter").hits
    assert [hit.recording.recording_id for hit in hits] == [both]
