"""``ingest`` on the command line, with and without the second pass, and a library that has no recogniser at all."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import soundfile
from typer.testing import CliRunner, Result

from ingest import runners
from speechsearch.audio.degrade import Degradation
from speechsearch.cli import app
from speechsearch.domain.assets import ASSETS, SAMPLES
from speechsearch.domain.errors import InputError, NotFoundError
from speechsearch.domain.values import Filters, Query
from speechsearch.evaluation.robustness import RobustnessBench
from speechsearch.jobs.queue import JobQueue
from speechsearch.service.open import Service
from speechsearch.service.settings import read_settings
from tests.tiny.fakes import FakeLoader, FakeRecognizer


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spoken, rate_hz = soundfile.read(SAMPLES / "audio" / "s001.opus", frames=15 * 16_000)
    path = tmp_path_factory.mktemp("sound") / "talk.wav"
    soundfile.write(path, spoken, rate_hz)
    return path


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeLoader:
    """Models that the command line finds too: two recognisers, of which the settings name the first."""
    made = FakeLoader(recognizers=(FakeRecognizer("first"), FakeRecognizer("second")))
    monkeypatch.setattr("speechsearch.service.open.new_loader", lambda settings: made)
    monkeypatch.setenv("SPEECHSEARCH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SPEECHSEARCH_ENGINES__RECOGNIZER", "first")
    monkeypatch.setenv("SPEECHSEARCH_ENGINES__SPEAKER_ENCODER", "none")
    monkeypatch.setenv("SPEECHSEARCH_SEGMENTATION__SHORTEST_S", "2")
    monkeypatch.setenv("SPEECHSEARCH_SEGMENTATION__LONGEST_S", "4")
    monkeypatch.setattr("speechsearch.library.coverage.LONGEST_KEPT_S", 0.0)
    return made


def command(*words: object) -> Result:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def opened() -> Service:
    return Service.open(read_settings())


def test_without_waiting_the_transcripts_are_left_to_the_page(loader: FakeLoader, sound: Path) -> None:
    done = command("ingest", sound)
    assert done.exit_code == 0 and "indexed  talk.wav" in done.output
    with opened() as service:
        passages = service.store.passages.count()
        assert f"{passages} passages wait for the second pass" in done.output
        assert loader.counted() == {"sound": passages}
        assert service.search.find(Query("x", top_k=99)).coverage.is_whole
        assert service.search.find(Query("x", top_k=99), "asr").hits == ()
    done = command("ingest", sound, "--wait")  # unchanged, and now written down
    assert done.exit_code == 0 and "unchanged" in done.output and "wait for the second pass" not in done.output
    assert loader.counted() == {"first": passages, "text": passages}


def test_corrected_metadata_is_taken_in_and_edits_stay(loader: FakeLoader, sound: Path, tmp_path: Path) -> None:
    folder = tmp_path / "talks"
    folder.mkdir()
    (folder / "talk.wav").write_bytes(sound.read_bytes())
    table = folder / "metadata.csv"

    def ingest(row: str) -> str:
        table.write_text(f"file,title,speaker,date\n{row}\n")
        done = command("ingest", folder)
        assert done.exit_code == 0
        return done.output

    def known() -> tuple[str, str, str]:
        (one,) = json.loads(command("show", "--json").stdout)
        return one["title"], one["speaker"], one["date"]

    assert "1 indexed." in ingest("talk.wav,Hony,Bne,")
    assert "1 updated." in ingest("talk.wav,Honey,Ben,5/2020") and known() == ("Honey", "Ben", "2020-05")
    assert "1 unchanged." in ingest("talk.wav,Honey,Ben,5/2020")
    assert command("edit", "talk.wav", "--title", " Honey,  by hand ", "--date", "4 May 2020").exit_code == 0
    assert known() == ("Honey, by hand", "Ben", "2020-05-04")
    assert "1 unchanged." in ingest("talk.wav,Honey,Ben,2020-05")  # the table says nothing new
    assert "speaker is 'Benedict', not 'Ben'." in ingest("talk.wav,Honey,Benedict,2020-05")
    assert known() == ("Honey, by hand", "Benedict", "2020-05-04")
    table.unlink()
    assert "1 unchanged." in command("ingest", folder).output and known()[1] == "Benedict"
    assert loader.counted().keys() == {"sound"}
    with opened() as service:
        assert service.browse.differences() == []
        (recording,) = service.browse.recordings()
        filtered = Query("x", filters=Filters(speakers=("Benedict",), date_from="2020-05-04", date_to="2020-05-04"))
        assert service.search.find(filtered).hits
    start = recording.recording_id[:8]
    assert command("edit", start, "--speaker", "", "--json").exit_code == 0 and known()[1] == ""


def test_edits_in_a_library_of_an_older_version_stay(loader: FakeLoader, sound: Path, tmp_path: Path) -> None:
    (tmp_path / "talk.wav").write_bytes(sound.read_bytes())
    table = tmp_path / "metadata.csv"
    assert command("ingest", tmp_path / "talk.wav").exit_code == 0
    assert command("edit", "talk.wav", "--title", "By hand").exit_code == 0
    (database,) = (tmp_path / "data").glob("*.db")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE recordings SET described = ''")  # as the migration leaves it
    for row, said in (
        ("talk.wav,Honey,Ann", "speaker is 'Ann'; title stays 'By hand', not 'Honey'"),
        ("talk.wav,Honey,Ben", "speaker is 'Ben', not 'Ann'."),
        ("talk.wav,Bees,Ben", "title is 'Bees', not 'By hand'."),
    ):
        table.write_text(f"file,title,speaker\n{row}\n")
        assert said in command("ingest", tmp_path / "talk.wav").output


def test_what_edit_cannot_use_is_refused(loader: FakeLoader, sound: Path) -> None:
    assert command("ingest", sound).exit_code == 0
    for words, kind, message in (
        (("talk.wav",), InputError, "nothing to change"),
        (("talk.wav", "--title", " "), InputError, "title is empty"),
        (("talk.wav", "--date", "03/04/2021"), InputError, "may be 3 April or 4 March 2021"),
        (("none", "--title", "x"), NotFoundError, "no recording 'none'"),
    ):
        with pytest.raises(kind, match=message):
            CliRunner().invoke(app, ["edit", *words], catch_exceptions=False)


def test_cutting_anew_keeps_what_was_edited(loader: FakeLoader, sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command("ingest", sound).exit_code == 0
    assert command("edit", "talk.wav", "--title", "By hand", "--speaker", "Ann").exit_code == 0
    monkeypatch.setenv("SPEECHSEARCH_SEGMENTATION__LONGEST_S", "6")
    assert "1 indexed." in command("ingest", sound).output
    with opened() as service:
        (recording,) = service.browse.recordings()
        assert (recording.title, recording.speaker) == ("By hand", "Ann")


def test_with_wait_both_passes_are_done(loader: FakeLoader, sound: Path) -> None:
    done = command("ingest", sound, "--wait", "--json")
    assert done.exit_code == 0
    (result,) = json.loads(done.stdout)
    assert (result["state"], result["name"]) == ("indexed", "talk.wav")
    with opened() as service:
        assert service.manage.missing() == []
        hits = service.search.find(Query("x", top_k=99), "asr").hits
        assert len(hits) == result["passages"] and all(hit.transcript for hit in hits)


def test_what_cannot_be_written_down_fails_the_command(
    loader: FakeLoader, sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeRecognizer, "transcribe", lambda self, sounds, language=None: 1 / 0)
    done = command("ingest", sound, "--wait")
    assert done.exit_code == 1 and "ZeroDivisionError" in done.output
    with opened() as service:
        assert service.search.find(Query("x")).coverage.is_whole  # it is found by its sound


def test_without_transcripts_none_are_ever_made(loader: FakeLoader, sound: Path) -> None:
    done = command("ingest", sound, "--no-transcripts", "--wait")
    assert done.exit_code == 0 and "wait for the second pass" not in done.output
    assert loader.counted().keys() == {"sound"}
    assert command("rebuild").exit_code == 0
    with opened() as service:
        assert service.manage.missing() == []
        queue = JobQueue(service, runners(service, ASSETS / "samples"))
        queue.start()
        assert queue.jobs() == []
        queue.stop()
        results = service.search.find(Query("x"), "asr")
        assert results.hits == () and results.coverage.passages == 0 < results.coverage.of_passages
        assert loader.counted() == {}


def test_without_a_recogniser_everything_else_works(
    loader: FakeLoader, sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEECHSEARCH_ENGINES__RECOGNIZER", "none")
    assert command("ingest", sound, "--wait").exit_code == 0
    assert loader.counted().keys() == {"sound"}
    assert json.loads(command("search", "x", "--json").stdout)["engine"] == "hybrid"
    compared = json.loads(command("compare", "x", "--json").stdout)
    assert [compared[side]["engine"] for side in ("left", "right")] == ["hybrid", "adapter"]
    assert command("doctor").output.splitlines()[0] == "Database, index and audio files agree."
    with opened() as service:
        assert set(service.search.engines) == {"hybrid", "adapter"}
        assert service.search.baseline() == "adapter"  # the other engine that there is
        both = service.search.compare(Query("x"))
        assert (both.left.engine, both.right.engine) == ("hybrid", "adapter")
        with pytest.raises(NotFoundError, match="no engine 'asr'"):
            service.search.find(Query("x"), "asr")
        (recording,) = service.browse.recordings()
        transcribed = service.browse.transcribed(recording.recording_id)
        assert transcribed and {said for _, said in transcribed} == {None}
        best = both.left.hits[0]
        assert best.transcript is None and both.left.recognizer == ""
        trial = RobustnessBench(service).clip(best.passage.passage_id, Query("x"), Degradation())
        assert [move.engine for move in trial.moves] == ["hybrid", "adapter"]
        assert trial.said_before == trial.said_after == ""
        spoken = service.browse.sound(best.passage.passage_id)
        assert service.search.find(Query(audio=spoken)).hits[0].passage == best.passage
        assert service.manage.rebuild() == service.store.passages.count()
        assert service.browse.contents(recording.collection).recordings[0].vectors == {"adapter": len(transcribed)}
        assert service.manage.delete_collection(recording.collection).recordings == 1
        assert service.browse.differences() == []


def test_two_recognisers_are_searched_side_by_side(
    loader: FakeLoader, sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEECHSEARCH_ENGINES__RECOGNIZER", "first, second")
    assert command("ingest", sound, "--wait").exit_code == 0
    with opened() as service:
        assert list(service.search.engines) == ["all", "all-second", "hybrid", "adapter", "asr", "asr-second"]
        passages = service.store.passages.count()
        assert loader.counted() == {"sound": passages, "first": passages, "second": passages, "text": 2 * passages}
        ids = sorted(service.store.passages.ids())
        said = {name: service.store.transcripts.get(ids, name) for name in ("first", "second")}
        for one in ids:
            word = said["first"][one].text.split()[0]
            assert said["second"][one].text == f"{word} fake-second-1"
            both = service.search.compare(Query(f"{word} fake-second-1", top_k=passages), "asr", "asr-second")
            assert (both.left.recognizer, both.right.recognizer) == ("first", "second")
            assert [side.hits[0].passage.passage_id for side in (both.left, both.right)] == [one, one]
            # Each side is answered from its own recogniser's words alone.
            assert {hit.transcript.split()[1] for hit in both.left.hits} == {"fake-first-1"}
            assert {hit.transcript.split()[1] for hit in both.right.hits} == {"fake-second-1"}
            cosines = [
                {c.channel: c.score for c in side.hits[0].channels}["meaning"] for side in (both.left, both.right)
            ]
            assert cosines[1] == pytest.approx(1.0, abs=1e-5) and cosines[0] < 0.99
        assert service.search.find(Query("x")).hits[0].transcript.endswith("fake-first-1")
        spoken = service.browse.sound(ids[0])
        assert service.search.find(Query(audio=spoken), "asr-second").hits[0].passage.passage_id == ids[0]
        assert {engine.likelihood for engine in service.search.engines.values()} == {None}
        assert loader.counted() == {"second": 1}
    monkeypatch.setenv("SPEECHSEARCH_ENGINES__RECOGNIZER", "second,first")  # the other one becomes the baseline
    with opened() as service:
        assert list(service.search.engines) == ["all", "all-first", "hybrid", "adapter", "asr", "asr-first"]
        assert service.search.find(Query("x"), "asr").recognizer == "second"
        assert service.manage.missing() == []
