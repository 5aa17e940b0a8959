"""The recording view and the routes of a recording's sound, over the real service."""

from __future__ import annotations

import io
import re
import wave
from collections.abc import Iterator

import numpy as np
import pytest
import soundfile
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from speechsearch.api.clip_routes import clip_routes
from speechsearch.api.error_responses import add_error_handlers
from speechsearch.api.recording_routes import recording_routes
from speechsearch.domain.values import Filters, Query, Recording
from speechsearch.domain.visitors import Visitor
from speechsearch.ui.recording_tab import panel_routes

OWNER, READER, ANN = Visitor("own", is_owner=True, may_add=True), Visitor("rob"), Visitor("ann", may_add=True)
QUESTION = "Why is octopus blood blue?"


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
    for routes in (clip_routes, recording_routes, panel_routes):
        app.include_router(routes(service))
    with TestClient(app) as client:
        yield client


@pytest.fixture
def octopus(service) -> Recording:
    """The recording that answers the question."""
    return service.search.find(Query(QUESTION, top_k=1)).hits[0].recording


@pytest.fixture
def hostile(service) -> Recording:
    """The recording whose title is an attack."""
    return next(one for one in service.browse.recordings() if "<script>" in one.title)


def own(recording: Recording, rest: str = "") -> str:
    return f"/api/v1/recordings/{recording.recording_id}{rest}"


def test_recordings_come_by_title_and_in_pages(client, service) -> None:
    every = client.get("/api/v1/recordings").json()
    assert every["total"] == len(every["recordings"]) == 7
    titles = [one["title"] for one in every["recordings"]]
    assert titles == [one.title for one in service.browse.recordings()]
    page = client.get("/api/v1/recordings", params={"limit": 2, "offset": 3, "collection": "samples"}).json()
    assert (page["total"], [one["title"] for one in page["recordings"]]) == (7, titles[3:5])
    assert client.get("/api/v1/recordings", params={"collection": "none"}).status_code == 404
    assert client.get("/api/v1/recordings", params={"limit": 0}).status_code == 422


def test_recording_with_its_passages_and_words(client, service, octopus) -> None:
    body = client.get(own(octopus)).json()
    assert (body["title"], body["duration_s"]) == (octopus.title, octopus.duration_s)
    spans = [(one.span.start_s, one.span.end_s) for one in service.browse.passages_of(octopus.recording_id)]
    assert [(one["start_s"], one["end_s"]) for one in body["passages"]] == spans
    assert all(one["transcript"] and one["words"] == [] for one in body["passages"])
    for one in client.get(own(octopus), params={"words": True}).json()["passages"]:
        assert " ".join(word["text"] for word in one["words"]) == one["transcript"]
        assert all(one["start_s"] <= word["start_s"] <= word["end_s"] <= one["end_s"] + 0.1 for word in one["words"])


def test_neighbours_of_passages(client, service) -> None:
    longest = max(service.browse.recordings(), key=lambda one: one.duration_s)
    ids = [one.passage_id for one in service.browse.passages_of(longest.recording_id)]
    assert len(ids) > 1
    bodies = [client.get(f"/api/v1/passages/{one}").json() for one in ids]
    assert [one["previous"] for one in bodies] == [None, *ids[:-1]]
    assert [one["next"] for one in bodies] == [*ids[1:], None]
    assert {one["recording_id"] for one in bodies} == {longest.recording_id}
    assert client.get("/api/v1/passages/none").status_code == 422


def test_sound_is_the_file_itself_whole_or_in_part(client, service, octopus) -> None:
    content = service.browse.media(octopus.recording_id)[1].read_bytes()
    whole = client.get(own(octopus, "/audio"))
    assert whole.content == content
    assert whole.headers["content-type"] == "audio/ogg"
    assert whole.headers["content-disposition"].startswith("inline;")
    part = client.get(own(octopus, "/audio"), headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, content[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(content)}"
    assert client.get(own(octopus, "/audio"), headers={"Range": f"bytes={len(content)}-"}).status_code == 416
    head = client.head(own(octopus, "/audio"))
    assert (head.headers["content-length"], head.content) == (str(len(content)), b"")
    saved = client.get(own(octopus, "/audio"), params={"download": True})
    assert saved.content == content
    assert saved.headers["content-disposition"].startswith("attachment;")


def test_names_of_saved_files_are_safe(client, service, hostile) -> None:
    passage = service.browse.passages_of(hostile.recording_id)[0]
    for path in (own(hostile, "/audio?download=1"), f"/api/v1/clips/{passage.passage_id}?download=1"):
        header = client.get(path).headers["content-disposition"]
        assert header.startswith("attachment; filename")
        assert not set(header.split("''", 1)[1]) & set("<>\"'/\\:;\r\n\u202e")
        assert "%E2%80%AE" not in header
    assert header.endswith("%200-00.wav")
    assert "content-disposition" not in client.get(f"/api/v1/clips/{passage.passage_id}").headers


def test_what_browsers_do_not_play_comes_as_a_copy_until_it_is_deleted(client, service, tmp_path) -> None:
    from ingest import discover, run

    source = service.browse.media(service.search.find(Query(QUESTION, top_k=1)).hits[0].recording.recording_id)[1]
    samples, rate_hz = soundfile.read(source, dtype="float32")
    (tmp_path / "in").mkdir()
    soundfile.write(tmp_path / "in" / "talk.aiff", samples, rate_hz)
    found = discover([tmp_path / "in"], service.limits, tmp_path)
    assert [one.state for one in run(service.manage, found, collection="old tapes")] == ["indexed"]
    (tape,) = service.browse.recordings("old tapes")
    answer = client.get(own(tape, "/audio"))
    assert answer.headers["content-type"] == "audio/flac"
    played, played_rate_hz = soundfile.read(io.BytesIO(answer.content))
    assert len(played) / played_rate_hz == pytest.approx(tape.duration_s, abs=0.01)
    saved = client.get(own(tape, "/audio"), params={"download": True})
    assert saved.content[:4] == b"FORM"
    derived = service.library.derived.folder
    assert {file.suffix for file in derived.glob(f"{tape.recording_id}*")} == {".flac", ".peaks"}
    body = client.delete(own(tape)).json()
    assert (body["recordings"], body["leftovers"]) == (1, [])
    assert not list(derived.glob(f"{tape.recording_id}*"))
    assert client.get(own(tape, "/audio")).status_code == 404


def test_peaks_follow_the_loudness(client, service, octopus) -> None:
    kept = service.library.derived.folder / f"{octopus.recording_id}.peaks"
    at_ingest = kept.read_bytes()
    body = client.get(own(octopus, "/peaks"), params={"points": 50}).json()
    assert (len(body["peaks"]), body["duration_s"]) == (50, octopus.duration_s)
    samples, _ = soundfile.read(service.browse.media(octopus.recording_id)[1], dtype="float32")
    loud = [np.sqrt(np.mean(np.square(part))) for part in np.array_split(samples, 50)]
    assert np.corrcoef(loud, body["peaks"])[0, 1] > 0.8
    kept.unlink()
    assert client.get(own(octopus, "/peaks"), params={"points": 50}).json() == body
    assert kept.read_bytes() == at_ingest
    assert client.get(own(octopus, "/peaks"), params={"points": 0}).status_code == 422


@pytest.mark.parametrize("recording_id", ["0" * 63, "A" * 64, "..%2f..%2fetc%2fpasswd", "0" * 65])
def test_ids_that_are_none(client, recording_id: str) -> None:
    for path in ("/api/v1/recordings/{}", "/api/v1/recordings/{}/audio", "/page/recordings/{}"):
        assert client.get(path.format(recording_id)).status_code in (404, 422)


def test_recordings_of_another_visitor_are_not_there(client, service, octopus) -> None:
    service.library.rename_collection("samples", "@ann/notes")
    passage = service.browse.passages_of(octopus.recording_id)[0].passage_id
    every = [own(octopus, rest) for rest in ("", "/audio", "/audio?download=1", "/peaks")]
    every += [f"/api/v1/passages/{passage}", f"/api/v1/clips/{passage}", f"/api/v1/clips/{passage}?download=1"]
    every += [f"/page/recordings/{octopus.recording_id}{rest}" for rest in ("", "/answers?q=x", "/passages")]
    for visitor, status in ((ANN, 200), (READER, 404), (OWNER, 404)):
        client.app.state.visitor = visitor
        assert {path: client.get(path).status_code for path in every} == dict.fromkeys(every, status)
        assert client.get("/api/v1/recordings").json()["total"] == (7 if visitor is ANN else 0)
        assert octopus.recording_id in client.get("/page/recordings").text or visitor is not ANN
    assert client.delete(own(octopus)).status_code == 404
    client.app.state.visitor = ANN
    assert client.get(own(octopus)).json()["collection"] == "notes"
    assert "@ann" not in client.get(f"/page/recordings/{octopus.recording_id}").text
    assert client.delete(own(octopus)).json()["recordings"] == 1


def test_readers_delete_nothing(client, octopus) -> None:
    client.app.state.visitor = READER
    assert client.delete(own(octopus)).status_code == 403
    assert client.get(own(octopus)).status_code == 200


def test_view_marks_where_a_question_is_answered(client, service) -> None:
    longest = max(service.browse.recordings(), key=lambda one: one.duration_s)
    page = f"/page/recordings/{longest.recording_id}"
    html = client.get(page, params={"q": QUESTION}).text
    query = Query(QUESTION, top_k=20, filters=Filters(recording_ids=(longest.recording_id,)))

    def rows(engine: str) -> list[tuple[str, ...]]:
        hits = sorted(service.search.find(query, engine).hits, key=lambda hit: (not hit.is_confident, hit.rank))
        spans = [(hit.rank, hit.passage.span) for hit in hits]
        return [(str(rank), f"{span.start_s:.2f}", f"{span.end_s:.2f}") for rank, span in spans]

    found = re.compile(r'data-rank="(\d+)" data-start="([\d.]+)" data-end="([\d.]+)"')
    assert found.findall(html) == rows("")
    assert len(rows("")) > 1
    for engine in ("asr", "phonetic"):
        assert found.findall(client.get(f"{page}/answers", params={"q": QUESTION, "engine": engine}).text) == rows(
            engine
        )
    assert f'value="{QUESTION}"' in html
    assert f'data-duration="{longest.duration_s:.3f}"' in html
    assert html.count('role="slider"') == 1 and 'preload="none"' in html
    assert "ss-rec-answer" not in client.get(page).text
    assert "not an engine" not in client.get(page, params={"engine": "not an engine"}).text
    assert "ss-problem" in client.get(f"{page}/answers", params={"q": QUESTION, "engine": "none"}).text


def test_hostile_titles_and_questions_stay_text(client, service, hostile) -> None:
    attack = "\"><script>alert(2)</script>' onload='x"
    pages = [
        client.get(f"/page/recordings/{hostile.recording_id}", params={"q": attack, "engine": attack[:40]}).text,
        client.get(f"/page/recordings/{hostile.recording_id}/answers", params={"q": attack}).text,
        client.get(f"/page/recordings/{hostile.recording_id}/passages").text,
        client.get("/page/recordings", params={"words": "script"}).text,
        client.get("/page/recordings", params={"words": attack}).text,
    ]
    for html in pages:
        assert "<script" not in html and "onload='" not in html
    assert "<bdi>&lt;script&gt;" in pages[0] and "<bdi>&lt;script&gt;" in pages[3]
    assert "No recording fits" in pages[4]


def test_list_finds_by_any_word(client, octopus) -> None:
    words = f"{octopus.title.split()[-1]} {octopus.speaker.split()[0]}".upper()
    html = client.get("/page/recordings", params={"words": words}).text
    assert html.count("<li>") == 1 and octopus.recording_id in html
    assert client.get("/page/recordings").text.count("<li>") == 7


def test_new_ones_come_first_then_those_found_most_and_each_stands_once(client, service, octopus) -> None:
    newest = service.browse.newest(5)
    asked = next(one for one in service.browse.recordings() if one.recording_id not in newest)
    service.search.find(Query(asked.title, filters=Filters(recording_ids=(asked.recording_id,))))
    assert asked.recording_id not in service.browse.most_found(99)  # the visitor had chosen it himself
    for _ in range(3):
        service.search._found.note([asked.recording_id])
    html = client.get("/page/recordings").text
    ids = re.findall(r'data-recording="(\w+)"', html)
    assert ids[:5] == newest and asked.recording_id in ids[5:7] and len(set(ids)) == len(ids) == 7
    assert re.findall("<h3[^>]*>([^<]*)", html)[:2] == ["Recently added", "Most found"]
    assert "found 3 times" in html
    assert "<h3" not in client.get("/page/recordings", params={"year": octopus.date[:4]}).text


def test_a_question_counts_a_recording_once(service, octopus) -> None:
    before = service.browse.most_found(99).get(octopus.recording_id, 0)
    service.search.compare(Query(QUESTION, top_k=5))
    assert service.browse.most_found(99)[octopus.recording_id] == before + 1
    service.search.find(Query(QUESTION, top_k=5))
    assert service.browse.most_found(99)[octopus.recording_id] == before + 2


def test_filters_offer_what_there_is_and_leave_out_the_rest(client, service, octopus) -> None:
    filters = client.get("/page/recordings/filters", params={"speaker": octopus.speaker}).text
    assert f'<option value="{octopus.speaker}" selected>' in filters
    assert f'<option value="{octopus.date[:4]}">' in filters
    assert 'name="collection"' not in filters  # there is one only
    for chosen in ({"speaker": octopus.speaker}, {"year": octopus.date[:4], "words": octopus.title}):
        html = client.get("/page/recordings", params=chosen).text
        assert html.count("<li>") == 1 and octopus.recording_id in html
    assert "No recording fits" in client.get("/page/recordings", params={"collection": "another"}).text
    assert client.get("/page/recordings", params={"year": "twenty"}).status_code == 422


def test_a_visitor_counts_and_sees_only_what_is_his_to_see(client, service) -> None:
    client.app.state.visitor = READER
    seen = {one.recording_id for one in service.browse.recordings(visitor=READER)}
    assert set(service.browse.newest(99, READER)) == seen
    assert set(service.browse.most_found(99, READER)) <= seen


def test_clips_are_levelled(client, service, octopus) -> None:
    passage = service.browse.passages_of(octopus.recording_id)[0]
    with wave.open(io.BytesIO(client.get(f"/api/v1/clips/{passage.passage_id}").content)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32767
    from speechsearch.audio.playback import speech_dbfs

    assert speech_dbfs(samples) == pytest.approx(-20.0, abs=0.1)
