"""What is similar by the routes, the page's folds, the tools and the commands: answers, rights, hostile names."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from speechsearch import cli
from speechsearch.api import create_app
from speechsearch.domain.alike import SimilarHit, SimilarResults
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import CapabilityError
from speechsearch.domain.limits import Segmentation
from speechsearch.domain.values import SAMPLE_RATE_HZ, Recording, Span
from speechsearch.jobs.queue import JobQueue
from speechsearch.service.open import Service
from speechsearch.ui import similar_view
from tests.tiny.fakes import FakeLoader, FakeSoundEmbedder, open_fakes, take_in
from tests.web.whole import whole_app

PATH, PAGE = "/api/v1/similar", "/page/similar"
EVIL = "\"><script>alert(1)</script>' onload='x"
NOBODY = "f" * 64


def sound(name: str = "s002", start_s: float = 4.0, length_s: float = 10.0) -> bytes:
    samples, rate_hz = soundfile.read(SAMPLES / "audio" / f"{name}.opus", dtype="float32")
    file = io.BytesIO()
    start = round(start_s * rate_hz)
    soundfile.write(file, samples[start : start + round(length_s * rate_hz)], rate_hz, format="WAV")
    return file.getvalue()


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed data folder with two samples, and a copy of one that is named in a hostile way."""
    folder = tmp_path_factory.mktemp("in")
    for name in ("s001", "s002"):
        samples, rate_hz = soundfile.read(SAMPLES / "audio" / f"{name}.opus", dtype="float32")
        soundfile.write(folder / f"{name}.wav", samples, rate_hz)
    soundfile.write(folder / "copy.mp3", samples, rate_hz)
    data = tmp_path_factory.mktemp("similar") / "data"
    with opened(data) as service:
        assert take_in(service, folder) == ["indexed"] * 3
        copy = service.browse.recording_named("copy")
        service.manage.change_recording(copy.recording_id, {"title": EVIL, "speaker": EVIL})
        assert list(service.manage.catch_up()) == []
    return data


def opened(data_dir: Path) -> Service:
    models = FakeLoader(sounds=FakeSoundEmbedder(), finds_copies=True)
    return open_fakes(data_dir, models, Segmentation(shortest_s=5, longest_s=12))


@pytest.fixture(scope="module")
def service(data_dir: Path):
    with opened(data_dir) as service:
        yield service


@pytest.fixture(scope="module")
def client(service, tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        with TestClient(whole_app(service, JobQueue(service, {}))) as client:
            yield client


@pytest.fixture(scope="module")
def ids(service) -> dict[str, str]:
    return {one.file_name: one.recording_id for one in service.browse.recordings()}


def test_the_routes_answer_as_the_openapi_says(client, ids) -> None:
    found = client.get(f"{PATH}/search", params={"track_id": ids["s002.wav"], "k": 3}).json()
    (hit, *_) = found["hits"]
    assert found["sense"] == "recording" and (found["recordings"], found["of_recordings"]) == (2, 2)
    assert hit["recording_id"] == ids["copy.mp3"] and hit["title"] == EVIL and abs(hit["offset_s"]) < 0.1
    assert hit["likelihood"] > 0.95 and 10 < len(hit["points"]) <= 200 and hit["page_url"].startswith("/?recording=")
    by_audio = client.post(f"{PATH}/search_by_audio", content=sound(), params={"k": 1}).json()
    assert by_audio["hits"][0]["recording_id"] in (ids["copy.mp3"], ids["s002.wav"])
    assert by_audio["hits"][0]["offset_s"] == pytest.approx(4.0, abs=0.1)
    form = client.post(f"{PATH}/search_by_audio", files={"audio": ("clip.wav", sound())}, params={"sense": "sound"})
    assert form.status_code == 200 and form.json()["hits"][0]["nearest"]
    words = client.get(f"{PATH}/search", params={"track_id": ids["s001.wav"], "sense": "words"}).json()
    assert words["hits"] and all(one["passage_id"] and one["likelihood"] is None for one in words["hits"])
    made = client.post(f"{PATH}/embed", content=sound()).json()
    assert made["dim"] == len(made["vector"]) == 16 and made["made_by"] == "fake-sounds-1"
    assert np.linalg.norm(made["vector"]) == pytest.approx(1.0, abs=1e-4) and made["duration_s"] == 10.0
    health = client.get(f"{PATH}/health").json()
    assert health["status"] == "ok" and health["senses"] == ["recording", "words", "sound"]
    assert (health["recordings"], health["sounding"]) == (3, 3) and health["windows"] > 6


def test_what_cannot_be_answered_is_refused_with_a_reason(client, ids) -> None:
    for query, status in (
        ({"track_id": NOBODY}, 404),
        ({"track_id": "00000000-0000-4000-8000-000000000000"}, 404),
        ({"track_id": "../../etc/passwd"}, 422),
        ({}, 422),
        ({"track_id": ids["s001.wav"], "sense": "smell"}, 422),
        ({"track_id": ids["s001.wav"], "k": 0}, 422),
        ({"track_id": ids["s001.wav"], "collection": "none"}, 404),
    ):
        answer = client.get(f"{PATH}/search", params=query)
        assert answer.status_code == status and answer.json()["message"], (query, answer.text)
    silence = io.BytesIO()
    soundfile.write(silence, np.zeros(SAMPLE_RATE_HZ * 2, np.float32), SAMPLE_RATE_HZ, format="WAV")
    for content in (b"", b"no sound at all", sound(length_s=0.2), silence.getvalue()):
        for route in ("embed", "search_by_audio"):
            answer = client.post(f"{PATH}/{route}", content=content)
            assert answer.status_code == 422 and answer.json()["message"], answer.text
    large = client.post(f"{PATH}/search_by_audio", content=b"\0" * (27 * 2**20))
    assert large.status_code == 413


def test_pairs_are_listed_judged_and_shown_again(client, ids) -> None:
    (pair,) = client.get(f"{PATH}/duplicates").json()
    assert {pair["first"]["recording_id"], pair["second"]["recording_id"]} == {ids["copy.mp3"], ids["s002.wav"]}
    assert pair["is_whole"] and pair["votes"]["offsets"] == "yes" and pair["first"]["may_delete"]
    body = {"first": ids["s002.wav"], "second": ids["copy.mp3"]}
    assert client.post(f"{PATH}/duplicates", json=body | {"first": NOBODY}).status_code == 404
    assert client.post(f"{PATH}/duplicates", json=body | {"verdict": "burn both"}).status_code == 422
    assert client.post(f"{PATH}/duplicates", json=body).status_code == 204
    assert client.get(f"{PATH}/duplicates").json() == []
    assert client.post(f"{PATH}/duplicates", json=body | {"verdict": None}).status_code == 204
    assert len(client.get(f"{PATH}/duplicates", params={"collection": "talks"}).json()) == 1
    assert client.get(f"{PATH}/duplicates", params={"collection": "none"}).status_code == 404


def test_the_folds_show_what_is_similar_and_names_stay_text(client, ids) -> None:
    pages = [
        client.get(PAGE, params={"track": ids["s002.wav"], "sense": sense}) for sense in ("recording", "words", "sound")
    ]
    pages.append(client.post(PAGE, content=sound()))
    pages.append(client.get(f"{PAGE}/duplicates", params={"look": "true"}))
    for page in pages:
        assert page.status_code == 200 and "<script>" not in page.text and EVIL not in page.text
    same, words, alike, by_sound, pairs = (page.text for page in pages)
    assert 'data-sense="recording" aria-pressed="true"' in same and "<circle" in same and "% likely" in same
    assert "Looked for in 2 recordings" in same and "Begins there at 0:00" in same
    assert 'data-sense="words" aria-pressed="true"' in words and "alike 0." in words
    assert "Most alike:" in alike and "Begins there at 0:04" in by_sound
    assert pairs.count("<audio controls") == 2 and 'data-keep="both"' in pairs and pairs.count('data-keep="one"') == 2
    assert "The same recording" in pairs and "same sound: yes" in pairs
    form = client.get(f"{PAGE}/duplicates").text
    assert "ss-l-look" in form and "ss-l-pairs" not in form
    missing = client.get(PAGE, params={"track": NOBODY})
    assert missing.status_code == 404 and 'role="alert"' in missing.text
    silent = client.post(PAGE, content=b"nothing")
    assert silent.status_code == 422 and 'role="alert"' in silent.text


def test_an_excerpt_is_played_and_no_more(client, ids) -> None:
    wanted = {"recording": ids["s002.wav"], "start": 4.0, "end": 9.0}
    answer = client.get(f"{PAGE}/excerpt", params=wanted)
    assert answer.status_code == 200 and answer.headers["content-type"] == "audio/wav"
    assert soundfile.info(io.BytesIO(answer.content)).duration == pytest.approx(5.0, abs=0.01)
    for change in ({"end": 4.0}, {"end": 90.0}, {"start": "nan"}, {"start": -1}, {"recording": "x"}):
        assert client.get(f"{PAGE}/excerpt", params=wanted | change).status_code == 422, change
    assert client.get(f"{PAGE}/excerpt", params=wanted | {"recording": NOBODY}).status_code == 404


def test_cards_and_recordings_have_an_entry(client, service, ids) -> None:
    (passage, *_) = service.browse.passages_of(ids["s001.wav"])
    whole = client.get(f"/page/recordings/{ids['s001.wav']}").text
    assert f'<ss-similar data-root="" data-track="{ids["s001.wav"]}">' in whole and "Similar recordings" in whole
    assert passage.passage_id


def test_what_is_switched_off_is_said(service, client, ids, monkeypatch: pytest.MonkeyPatch) -> None:
    def off(*arguments: object) -> None:
        raise CapabilityError("There is no sound embedder here.", "Set one.")

    monkeypatch.setattr(service.similar._sounds, "embed", off)
    answer = client.post(f"{PATH}/embed", content=sound())
    assert answer.status_code == 501 and answer.json()["code"] == "capability"


def test_visitors_are_counted_and_readers_change_nothing(data_dir: Path, tmp_path: Path) -> None:
    from shutil import copytree

    models = FakeLoader(sounds=FakeSoundEmbedder(), finds_copies=True)
    copytree(data_dir, tmp_path / "data", ignore=lambda folder, names: {name for name in names if "lock" in name})
    from tests.tiny.fakes import fake_settings

    settings = fake_settings(tmp_path / "data", models, Segmentation(shortest_s=5, longest_s=12))
    settings = settings.model_copy(
        update={
            "server": settings.server.model_copy(update={"uploads": "private"}),
            "limits": settings.limits.model_copy(update={"searches_a_minute": 30}),
        }
    )
    with Service.open(settings, loader=models) as service, TestClient(create_app(service)) as client:
        (pair,) = client.get(f"{PATH}/duplicates").json()
        assert not pair["first"]["may_delete"] and not pair["second"]["may_delete"]
        body = {"first": pair["first"]["recording_id"], "second": pair["second"]["recording_id"]}
        assert client.post(f"{PATH}/duplicates", json=body).status_code == 403
        answers = {client.get(f"{PATH}/health").status_code for _ in range(31)}
        assert 429 in answers


def test_the_commands_say_the_same(data_dir: Path, service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from contextlib import contextmanager

    from speechsearch import cli_similar

    @contextmanager
    def already_open():
        yield service

    monkeypatch.setattr(cli_similar, "opened", already_open)
    run = CliRunner().invoke
    said = run(cli.app, ["similar", "s002.wav"])
    assert said.exit_code == 0 and "likely  begins at" in said.output, said.output
    found = json.loads(run(cli.app, ["similar", "s002.wav", "--by", "sound", "-k", "1", "--json"]).output)
    assert len(found["hits"]) == 1 and found["sense"] == "sound"
    (tmp_path / "clip.wav").write_bytes(sound())
    assert "begins at 4.0 s" in run(cli.app, ["similar", "--audio", str(tmp_path / "clip.wav")]).output
    pairs = run(cli.app, ["duplicates"])
    assert pairs.exit_code == 0 and "1 pair." in pairs.output and "the same" in pairs.output
    assert len(json.loads(run(cli.app, ["duplicates", "talks", "--json"]).output)) == 1
    for wrong in (["similar"], ["similar", "s002.wav", "--by", "smell"], ["similar", "nothing"]):
        failed = run(cli.app, wrong)
        assert failed.exception is not None, wrong


def test_where_nothing_is_likely_what_comes_nearest_is_folded() -> None:
    hit = SimilarHit(1, Recording("a", "talks", "A", 9.0), Span(0.0, 5.0), 0.4, 0.2)
    for sense in ("words", "sound"):
        shown = similar_view.found(SimilarResults(sense, (hit,), 5.0, 1, 1), "")
        assert "What comes nearest is below." in shown and shown.index("<details") < shown.index("ss-l-hits")
    likely = replace(hit, likelihood=0.8)
    assert "<details" not in similar_view.found(SimilarResults("sound", (likely,), 5.0, 1, 1), "")
