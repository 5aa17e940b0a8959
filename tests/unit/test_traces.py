"""What is deleted is gone: a byte search of the whole data folder and of a backup finds nothing of it."""

from __future__ import annotations

import shutil
import threading
import time
import uuid
from pathlib import Path

import numpy as np
import pytest

from speechsearch.domain.values import Channel, Query
from speechsearch.index import EdgeIndex, Point
from speechsearch.index import edge_rewrite as rewrite
from speechsearch.library.backup import save
from speechsearch.service.open import Service
from speechsearch.service.settings import Settings
from speechsearch.store import Job, JobFile

QUESTION = "Where is the zinnwaldite of Bohuslava?"


def traces(folder: Path, words: list[bytes]) -> dict[str, list[bytes]]:
    """Return which files of a folder hold which of the words."""
    # Edge makes the next file of its log beside, under a name of the moment.
    files = [file for file in folder.rglob("*") if file.is_file() and not file.name.startswith("tmp-open-")]
    found = {}
    for file in files:
        content = file.read_bytes().replace(bytes(4096), bytes(64))  # of 32 MB of vectors nearly all are zeros
        found[str(file.relative_to(folder))] = [word for word in words if word in content]
    return {name: words for name, words in found.items() if words}


def wait_for_the_index(folder: Path) -> None:
    """Return when the index's files hold nothing of what was deleted."""
    until_s = time.monotonic() + 30
    while (folder / "index" / rewrite.TRACES).exists():
        assert time.monotonic() < until_s
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speechsearch.index.edge.FORGOTTEN_AFTER_S", 0.05)


def words_of(service: Service, recording_id: str) -> list[bytes]:
    recording, media = service.browse.media(recording_id)
    passages = [one.passage_id for one in service.browse.passages_of(recording_id)]
    ids = [part for one in passages for part in (one.encode(), uuid.UUID(one).bytes)]
    said = [recording.recording_id, recording.title, recording.speaker, recording.file_name, media.name, QUESTION]
    return [*ids, *(word.encode() for word in said)]


def leave_traces(service: Service, recording_id: str, collection: str) -> None:
    """Have everything that keeps things keep something of a recording."""
    recording = service.browse.recording(recording_id)
    jobs = service.store.jobs
    jobs.add(Job("job", "local", "files", collection, {"files": [["00000.opus", recording.file_name]]}))
    jobs.set_file("job", JobFile(recording.file_name, "indexed", 1, 9.0, recording.title, recording_id))
    jobs.set_state("job", "done", "1 file")
    for passage in service.browse.passages_of(recording_id):
        service.feedback.judge(QUESTION, passage.passage_id, 1)
    service.search.find(Query(QUESTION))
    service.browse.outline(recording_id, 10)


def test_a_deleted_recording_leaves_no_trace(service: Service, settings: Settings, tmp_path: Path) -> None:
    recording_id = service.search.find(Query("Why is octopus blood blue?")).hits[0].recording.recording_id
    leave_traces(service, recording_id, "samples")
    words = words_of(service, recording_id)
    assert traces(settings.data_dir, words), "there is something to be found"
    service.manage.delete_recording(recording_id)
    wait_for_the_index(settings.data_dir)
    assert traces(settings.data_dir, words) == {}
    save(settings.data_dir, tmp_path / "bucket")
    assert traces(tmp_path / "bucket", words) == {}
    assert service.browse.differences() == [] and len(service.browse.recordings()) == 6


def test_a_deleted_collection_leaves_no_trace(service: Service, settings: Settings) -> None:
    service.manage.change_collection("samples", {"description": "from Bohuslava"}, "Zanzibar notes")
    recordings = service.browse.recordings()
    leave_traces(service, recordings[0].recording_id, "Zanzibar notes")
    words = [b"Zanzibar notes", b"Bohuslava", *(w for one in recordings for w in words_of(service, one.recording_id))]
    service.manage.delete_collection("Zanzibar notes")
    wait_for_the_index(settings.data_dir)
    assert traces(settings.data_dir, words) == {}


def test_a_forgotten_speaker_leaves_no_trace(service: Service, settings: Settings, tmp_path: Path) -> None:
    voices = {one.recording_id: one for one in service.store.voices.of_speakers(
        [one.speaker_id for one in service.speakers.all()])}  # fmt: skip
    first, second = sorted(voices.values(), key=lambda one: one.key)[:2]
    speaker = service.speakers.assign(first.recording_id, first.number)
    service.speakers.name(speaker.speaker_id, "Bohuslava Z.")
    service.speakers.assign(second.recording_id, second.number, speaker.speaker_id)
    service.speakers.assign(second.recording_id, second.number)  # so it is remembered that this is not her
    words = [b"Bohuslava Z.", speaker.speaker_id.encode(), first.vector.tobytes()[:64]]
    assert {word for found in traces(settings.data_dir, words).values() for word in found} == set(words)
    service.speakers.forget(speaker.speaker_id)
    wait_for_the_index(settings.data_dir)
    assert traces(settings.data_dir, words) == {}
    save(settings.data_dir, tmp_path / "bucket")
    assert traces(tmp_path / "bucket", words) == {}
    assert service.browse.differences() == [] and service.manage.missing() == []
    words = [second.vector.tobytes()[:64], second.recording_id.encode()]
    assert traces(settings.data_dir, words)
    service.manage.delete_recording(second.recording_id)
    wait_for_the_index(settings.data_dir)
    assert traces(settings.data_dir, words) == {}


def test_a_large_index_forgets_when_it_is_closed(
    service: Service, settings: Settings, loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speechsearch.index.edge.REWRITTEN_AT_ONCE", 2)
    recording_id = service.browse.recordings()[0].recording_id
    words = words_of(service, recording_id)
    service.manage.delete_recording(recording_id)
    assert traces(settings.data_dir / "index", words) != {}
    service.close()
    assert traces(settings.data_dir, words) == {}
    with Service.open(settings, loader=loader) as again:
        assert again.browse.differences() == []


def test_a_kill_while_the_shard_is_replaced_loses_nothing(service: Service, settings: Settings, loader) -> None:
    channels = service.library.makers.channels
    service.close()
    folder = settings.data_dir / "index"
    before = traces(folder, [b"samples"])
    (folder / rewrite.SHARD).rename(folder / rewrite.OLD)
    (folder / rewrite.OLD).rename(folder / rewrite.DRAFT)  # a finished draft stands for the new shard
    (folder / rewrite.OLD).mkdir()  # and the old one is still there
    (folder / rewrite.TRACES).touch()
    index = EdgeIndex(channels, folder)
    try:
        assert len(list(index.ids())) > 6 and before
        assert not (folder / rewrite.OLD).exists() and not (folder / rewrite.TRACES).exists()
    finally:
        index.close()
    with Service.open(settings, loader=loader) as again:
        assert again.browse.differences() == []


SPECS = (Channel("dense", "dense", 8), Channel("sparse", "sparse", has_idf=True))


def made_up(number: int, seed: int = 0) -> Point:
    vector = np.random.default_rng((number, seed)).standard_normal(8).astype(np.float32)
    return Point(str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))), {"dense": vector}, {"recording_id": f"of {number}"})


def test_what_changes_while_the_shard_is_copied_is_in_the_copy(tmp_path: Path, monkeypatch) -> None:
    """Written, overwritten and deleted points, before and behind where the copy is; then the next copy has no trace."""
    has_begun, may_go_on = threading.Event(), threading.Event()
    copy = rewrite.copy_points

    def copied_slowly(source, target, specs) -> int:
        count = copy(source, target, specs)
        has_begun.set()
        assert may_go_on.wait(30)
        return count

    points = [made_up(number) for number in range(1200)]
    index = EdgeIndex(SPECS, tmp_path / "index")
    index.upsert(points[:1100])
    monkeypatch.setattr("speechsearch.index.edge.copy_points", copied_slowly)
    index.delete([points[0].passage_id])
    assert has_begun.wait(30)
    index.delete([points[1].passage_id, points[900].passage_id])
    index.upsert([made_up(2, seed=1), *points[1100:]])
    assert len(list(index.ids())) == 1197 and index.search("dense", points[5].vectors["dense"], 1)
    monkeypatch.setattr("speechsearch.index.edge.copy_points", copy)
    may_go_on.set()
    wait_for_the_index(tmp_path)
    kept = {one.passage_id for place, one in enumerate(points) if place not in (0, 1, 900)}
    assert set(index.ids()) == kept
    for wanted in (made_up(2, seed=1), points[1150], points[7]):
        best = index.search("dense", wanted.vectors["dense"], 1)[0]
        assert best.passage_id == wanted.passage_id and best.score == pytest.approx(1.0, abs=1e-5)
    gone = [uuid.UUID(points[place].passage_id).bytes for place in (0, 1, 900)]
    assert traces(tmp_path, gone) == {} and traces(tmp_path, [uuid.UUID(points[7].passage_id).bytes])
    index.close()
    again = EdgeIndex(SPECS, tmp_path / "index")
    assert set(again.ids()) == kept
    again.close()


def test_what_was_written_is_in_the_log_when_segments_never_reached_the_disk(tmp_path: Path) -> None:
    """As after a power cut: the segments are those of an hour ago, and the log is the present one."""
    points = [made_up(number) for number in range(80)]
    index = EdgeIndex(SPECS, tmp_path / "index")
    index.upsert(points[:50])
    index.close()
    shutil.copytree(tmp_path / "index", tmp_path / "cut")
    index = EdgeIndex(SPECS, tmp_path / "index")
    index.upsert([made_up(2, seed=1), *points[50:]])
    index.delete([one.passage_id for one in points[:2]])
    shutil.rmtree(tmp_path / "cut" / rewrite.SHARD / rewrite.LOG)
    log = (rewrite.SHARD, rewrite.LOG)
    shutil.copytree((tmp_path / "index").joinpath(*log), (tmp_path / "cut").joinpath(*log))
    (tmp_path / "cut" / rewrite.TRACES).touch()
    index.close()
    for _ in range(2):
        again = EdgeIndex(SPECS, tmp_path / "cut")
        assert set(again.ids()) == {one.passage_id for one in points[2:]}
        wanted = made_up(2, seed=1).vectors["dense"]
        assert again.search("dense", wanted, 1)[0].score == pytest.approx(1.0, abs=1e-5)
        again.close()


def test_after_many_points_the_segments_are_written(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("speechsearch.index.edge.FLUSHED_AFTER", 30)
    index, flushed = EdgeIndex(SPECS, tmp_path / "index"), list[int]()
    flush, shard = index._shard.flush, index._shard

    class Watched:
        def __getattr__(self, name: str):
            return (lambda: (flushed.append(1), flush())[1]) if name == "flush" else getattr(shard, name)

    index._shard = Watched()
    for start in range(0, 80, 20):
        index.upsert([made_up(number) for number in range(start, start + 20)])
    assert len(flushed) == 2
    index._shard = shard
    index.close()


def test_closing_does_not_wait_for_the_time_and_forgets(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("speechsearch.index.edge.FORGOTTEN_AFTER_S", 3600.0)
    index = EdgeIndex(SPECS, tmp_path / "index")
    index.upsert([made_up(number) for number in range(5)])
    index.delete([made_up(3).passage_id])
    word = uuid.UUID(made_up(3).passage_id).bytes
    assert traces(tmp_path, [word])
    index.close()
    assert traces(tmp_path, [word]) == {} and not (tmp_path / "index" / rewrite.TRACES).exists()


@pytest.mark.parametrize("count", [40, 700])
def test_segments_and_log_of_a_large_shard_are_made_anew(
    tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of few points and of quantised ones; killed after the log was taken away, nothing is lost."""
    ids = sorted(str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))) for number in range(count))
    vectors = np.random.default_rng(1).standard_normal((count, 8)).astype(np.float32)
    points = [Point(one, {"dense": vectors[place]}, {"recording_id": f"of {one}"}) for place, one in enumerate(ids)]
    index = EdgeIndex((Channel("dense", "dense", 8),), tmp_path, exact_points=300)
    index.upsert(points)
    index.optimize()
    words = [part for one in ids[:3] for part in (one.encode(), uuid.UUID(one).bytes)]
    assert traces(tmp_path, words)
    monkeypatch.setattr("speechsearch.index.edge.REWRITTEN_AT_ONCE", 2)
    index.delete(ids[:3])
    assert sorted(index.ids()) == ids[3:]
    index.close()
    assert traces(tmp_path, words) == {}
    (tmp_path / rewrite.SHARD / rewrite.LOG).rename(tmp_path / rewrite.OLD)
    again = EdgeIndex((Channel("dense", "dense", 8),), tmp_path, exact_points=300)
    assert sorted(again.ids()) == ids[3:] and not (tmp_path / rewrite.OLD).exists()
    assert again.search("dense", vectors[5], 1)[0].passage_id == ids[5]
    again.upsert(points[:1])
    again.close()
    last = EdgeIndex((Channel("dense", "dense", 8),), tmp_path, exact_points=300)
    assert sorted(last.ids()) == [ids[0], *ids[3:]]
    last.close()
