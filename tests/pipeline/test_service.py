"""The whole program with the shipped model: take in, search, play, compare, delete, rebuild."""

from __future__ import annotations

import csv
import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ingest import discover, run
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import (
    ConfigurationError,
    DataFolderInUseError,
    EmptyQueryError,
    FingerprintMismatchError,
    NotFoundError,
)
from speechsearch.domain.values import Filters, Query, Results
from speechsearch.domain.visitors import Visitor
from speechsearch.index import open_index
from speechsearch.retrieval.calibration import read_calibrations
from speechsearch.retrieval.engine_cards import EVERYTHING
from speechsearch.retrieval.spotting import NAME as SPOTTING
from speechsearch.service.open import Service
from speechsearch.service.search import AT_ONCE
from speechsearch.service.settings import EngineSettings, IndexSettings, Settings
from speechsearch.text.common import FEATURES
from tests.tiny.fakes import FakeLoader, FakeTextEncoder, fake_settings, open_fakes, take_in

CHOSEN = 7


def title(sample: str) -> str:
    with open(SAMPLES / "metadata.csv", encoding="utf-8", newline="") as lines:
        return next(row["title"] for row in csv.DictReader(lines) if row["file"] == f"audio/{sample}.opus")


@pytest.mark.parametrize(
    ("question", "sample"),
    [
        ("What did Wojciechowski say about the ferry and the bridge?", "s004"),
        ("Why is octopus blood blue?", "s015"),
        ("What did Rejewski do after the war?", "s031"),
        ("Why does Doctor Nkechi Umeadi want other lamps?", "s060"),
    ],
)
def test_the_right_recording_is_on_top(service: Service, question: str, sample: str) -> None:
    results = service.search.find(Query(question, top_k=3))
    assert results.hits[0].recording.title == title(sample)
    channels = {*EVERYTHING.channels, SPOTTING}
    assert results.hits[0].rank == 1 and {one.channel for one in results.hits[0].channels} <= channels


def test_scores_fall_and_engines_name_themselves(service: Service) -> None:
    for info in service.search.cards():
        results = service.search.find(Query("octopus blood", top_k=5), info.name)
        scores = [hit.score for hit in results.hits]
        assert results.engine == info.name and scores == sorted(scores, reverse=True) and len(scores) > 0


def test_comparing_gives_both_sides_under_one_clock(service: Service) -> None:
    comparison = service.search.compare(Query("octopus blood"))
    assert (comparison.left.engine, comparison.right.engine) == ("all", "asr")
    assert comparison.left.encode_ms > 0 and comparison.right.search_ms > 0
    assert any(hit.transcript for hit in comparison.right.hits)


def test_only_so_many_typed_questions_are_answered_at_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    running, most, lock = 0, 0, threading.Lock()
    answered = service.search._answered

    def watched(query: Query, engine: str, visitor: Visitor) -> Results:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        try:
            return answered(query, engine, visitor)
        finally:
            with lock:
                running -= 1

    monkeypatch.setattr(service.search, "_answered", watched)
    with ThreadPoolExecutor(3 * AT_ONCE) as visitors:
        found = list(visitors.map(service.search.find, [Query("octopus")] * 4 * AT_ONCE))
    assert most == AT_ONCE and all(results.hits for results in found)


def test_a_clip_is_the_passage(service: Service) -> None:
    hit = service.search.find(Query("Why is octopus blood blue?", top_k=1)).hits[0]
    samples, rate_hz = soundfile.read(io.BytesIO(service.browse.clip(hit.passage.passage_id)))
    whole, _ = soundfile.read(SAMPLES / "audio" / "s015.opus")
    start = round(hit.passage.span.start_s * 16_000)
    assert rate_hz == 16_000 and abs(len(samples) / rate_hz - hit.passage.span.duration_s) < 0.05
    said = whole[start : start + 16_000]
    louder = float(samples[:16_000] @ said / (said @ said))  # clips are levelled
    np.testing.assert_allclose(samples[:16_000], louder * said, atol=2e-2 * max(1.0, louder))


def test_a_spoken_question_finds_the_passage_it_is_cut_from(service: Service) -> None:
    samples, _ = soundfile.read(SAMPLES / "audio" / "s015.opus", dtype="float32")
    buffer = io.BytesIO()
    soundfile.write(buffer, samples[: 16_000 * 6], 16_000, format="WAV")
    audio = service.search.query_audio(buffer.getvalue())
    for engine in ("phonetic", "hybrid"):
        assert service.search.find(Query(audio=audio, top_k=1), engine).hits[0].recording.title == title("s015")


def test_filters_and_limits(service: Service) -> None:
    only = service.browse.recordings("samples")[0].recording_id
    results = service.search.find(Query("the war", filters=Filters(recording_ids=(only,))))
    assert {hit.recording.recording_id for hit in results.hits} == {only}
    with pytest.raises(NotFoundError, match="no collection 'none'"):
        service.search.find(Query("the war", filters=Filters(collections=("none",))))
    for query in (Query(""), Query("  \n"), Query("x" * 3000), Query("war", top_k=0), Query("war", top_k=10_000)):
        with pytest.raises(EmptyQueryError, match=r"empty|characters|answers"):
            service.search.find(query)
    with pytest.raises(NotFoundError, match="no engine 'oracle'"):
        service.search.find(Query("war"), "oracle")
    with pytest.raises(NotFoundError, match="no such passage"):
        service.browse.clip("00000000-0000-0000-0000-000000000000")


@pytest.mark.parametrize("text", ["?!", "\x00", "'; DROP TABLE passages; --", "日本語", "<script>", "a" * 1900])
def test_hostile_questions_do_no_harm(service: Service, text: str) -> None:
    for engine in ("hybrid", "asr", "adapter", "phonetic"):
        try:
            assert len(service.search.find(Query(text), engine).hits) <= 5
        except EmptyQueryError as error:
            assert error.message
    assert service.browse.differences() == []


def test_a_second_run_changes_nothing(service: Service, chosen_files: Path, tmp_path: Path) -> None:
    before = service.store.passages.ids()
    results = list(run(service.manage, discover([chosen_files], service.limits, tmp_path), collection="samples"))
    assert {result.state for result in results} == {"unchanged"} and len(results) == CHOSEN
    assert service.store.passages.ids() == before == set(service.library.index.ids())


def test_the_same_sound_in_another_collection_is_named(service: Service, tmp_path: Path) -> None:
    again = tmp_path / "again.opus"
    again.write_bytes((SAMPLES / "audio" / "s004.opus").read_bytes())
    (result,) = run(service.manage, discover([again], service.limits, tmp_path), collection="other")
    assert result.state == "duplicate" and title("s004") in result.message and "samples" in result.message


def test_deleting_leaves_nothing(service: Service, tmp_path: Path) -> None:
    noisy = tmp_path / "noisy.wav"
    samples, _ = soundfile.read(SAMPLES / "audio" / "s051.opus")
    soundfile.write(noisy, samples * 0.7, 16_000)
    (result,) = run(service.manage, discover([noisy], service.limits, tmp_path), collection="gone")
    assert result.state == "indexed"
    media = service.library.files.folder / service.store.recordings.media_name(result.recording_id)
    assert media.exists()
    gone = service.manage.delete_collection("gone")
    assert (gone.recordings, gone.passages) == (1, result.passages) and gone.media_bytes > 1000
    assert not media.exists() and service.browse.differences() == []
    assert "gone" not in {one.name for one in service.browse.collections()}
    with pytest.raises(NotFoundError, match="collection 'gone'"):
        service.manage.delete_collection("gone")


def test_rebuilding_gives_the_same_answers(service: Service) -> None:
    query = Query("Which animal saved a worker's life by refusing to move?")
    before = [(hit.passage.passage_id, round(hit.score, 2)) for hit in service.search.find(query).hits]
    service.library.index.delete(sorted(service.store.passages.ids())[:5])
    assert service.browse.differences() == ["5 passages of the database are not in the index."]
    assert service.manage.rebuild() == len(service.store.passages.ids())
    assert service.browse.differences() == []
    after = [(hit.passage.passage_id, round(hit.score, 2)) for hit in service.search.find(query).hits]
    assert sorted(before) == sorted(after) and before[0] == after[0]


def test_a_second_process_is_refused(service: Service, data_dir: Path) -> None:
    with pytest.raises(DataFolderInUseError, match="in use by"):
        Service.open(Settings(data_dir=data_dir))


def test_an_unknown_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no speech encoder 'large'"):
        Service.open(Settings(data_dir=tmp_path, engines=EngineSettings(encoder="large")))
    with pytest.raises(ConfigurationError, match="no recognizer 'oracle'"):
        Service.open(Settings(data_dir=tmp_path, engines=EngineSettings(recognizer="oracle")))
    with pytest.raises(ConfigurationError, match="no text encoder 'dictionary'"):
        Service.open(Settings(data_dir=tmp_path, engines=EngineSettings(text_encoder="dictionary")))
    Service.open(Settings(data_dir=tmp_path)).close()  # the failed openings let go of the folder


def test_an_embedded_index_for_other_channels_is_made_anew_at_once(tmp_path: Path) -> None:
    with open_fakes(tmp_path / "data", FakeLoader()) as service:
        assert take_in(service, SAMPLES / "audio" / "s004.opus") == ["indexed"]
        assert list(service.manage.catch_up()) == []
        passages = service.store.passages.count()
    other = FakeLoader(text=FakeTextEncoder("other", dim=24))
    with open_fakes(tmp_path / "data", other) as service:
        assert service.browse.differences() == []
        assert len(service.search.find(Query("anything", top_k=99), "adapter").hits) == passages
        assert service.search.find(Query("anything"), "asr").hits == ()
        assert other.counted() == {}
        assert list(service.manage.catch_up()) == []
        assert len(service.search.find(Query("anything", top_k=99), "asr").hits) == passages
        assert other.counted() == {"text": passages}


def test_to_be_checked_an_index_for_other_channels_is_refused(tmp_path: Path) -> None:
    with open_fakes(tmp_path / "data", FakeLoader()) as service:
        service.store.collections.add("talks")
    other = FakeLoader(text=FakeTextEncoder("other", dim=24))
    settings = fake_settings(tmp_path / "data", other)
    with pytest.raises(FingerprintMismatchError, match="rebuild"):
        Service.open(settings, "check", loader=other)
    with Service.open(settings, "rebuild", loader=other) as service:
        assert service.manage.rebuild() == 0


def test_a_servers_index_for_other_channels_is_refused_until_rebuilt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server is stood for by a folder: what matters is who may replace what is there."""

    def on_server(channels, *, path: Path, url: str, api_key: str, name: str, is_new: bool, layout: object):
        assert url == "http://server"
        return open_index(channels, path=tmp_path / "server", is_new=is_new)

    monkeypatch.setattr("speechsearch.service.open.open_index", on_server)

    def settings(models: FakeLoader) -> Settings:
        found = fake_settings(tmp_path / "data", models)
        return found.model_copy(update={"index": IndexSettings(url="http://server")})

    first, other = FakeLoader(), FakeLoader(text=FakeTextEncoder("other", dim=24))
    with Service.open(settings(first), loader=first) as service:
        take_in(service, SAMPLES / "audio" / "s004.opus")
        passages = service.store.passages.count()
    with pytest.raises(FingerprintMismatchError, match="rebuild"):
        Service.open(settings(other), loader=other)
    with Service.open(settings(first), loader=first) as service:  # it was left as it is
        assert service.browse.differences() == []
    with Service.open(settings(other), "rebuild", loader=other) as service:
        assert service.manage.rebuild() == passages
    with Service.open(settings(other), loader=other) as service:
        assert len(service.search.find(Query("anything", top_k=99)).hits) == passages


def test_what_a_killed_process_left_is_finished(tmp_path: Path) -> None:
    file = tmp_path / "one.opus"
    file.write_bytes((SAMPLES / "audio" / "s004.opus").read_bytes())
    models = FakeLoader()
    with open_fakes(tmp_path / "data", models) as opened:
        assert take_in(opened, file) == ["indexed"]
        (recording,) = opened.browse.recordings()
        opened.library.index.delete(sorted(opened.library.store.passages.ids()))
        opened.library.store.journal.mark(recording.recording_id, "stored")
        (opened.library.files.folder / "half.unfinished").write_bytes(b"x")
    with open_fakes(tmp_path / "data", models) as opened:
        assert opened.browse.differences() == []
        assert [file.stem for file in opened.library.files.folder.iterdir()] == [recording.recording_id]
        opened.library.store.journal.mark(recording.recording_id, "deleting")
    with open_fakes(tmp_path / "data", models) as opened:
        assert opened.browse.recordings() == [] and list(opened.library.files.folder.iterdir()) == []


def test_what_was_learnt_of_the_fusion_are_numbers_that_fit() -> None:
    rows = read_calibrations().rows
    assert {row.engine for row in rows if row.likelihood} == {"all", "hybrid", "adapter", "phonetic", "asr"}
    fusions = {row.engine: row.fusion for row in rows if row.fusion}
    assert fusions.keys() == {"all", "hybrid", "phonetic", "asr", "text-hybrid"}
    for fusion in fusions.values():
        assert all(len(row) == len(FEATURES) and np.isfinite(row).all() for row in fusion.coefficients.values())
        assert fusion.typical.keys() == fusion.coefficients.keys()
        assert all(deviation > 0 for _, deviation in fusion.typical.values())
