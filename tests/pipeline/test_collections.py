"""Renaming, describing and deleting with the real library and fake models, and what a killed process leaves."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FuturesTimeoutError
from dataclasses import replace

import pytest

from speechsearch.domain.errors import DuplicateError, InputError, NotAllowedError, NotFoundError
from speechsearch.domain.values import Filters, Query
from speechsearch.domain.visitors import Visitor
from speechsearch.library.contents import contents_of, storage_of
from speechsearch.service.open import Service

QUESTION = "Why is octopus blood blue?"


@pytest.fixture
def settings(fake_settings):
    """Settings of a data folder of the test's own, because these tests change it."""
    return fake_settings


@pytest.fixture
def loader(models):
    return models


@pytest.fixture
def service(settings, loader):
    with Service.open(settings, loader=loader) as opened:
        yield opened


def found_in(service: Service, collection: str) -> int:
    return len(service.search.find(Query(QUESTION, top_k=20, filters=Filters(collections=(collection,)))).hits)


def test_a_rename_reaches_the_index(service: Service) -> None:
    before = found_in(service, "samples")
    assert service.manage.change_collection("samples", {}, "talks / 2024") == "talks / 2024"
    assert found_in(service, "talks / 2024") == before > 0
    with pytest.raises(NotFoundError, match="no collection 'samples'"):
        service.search.find(Query(QUESTION, filters=Filters(collections=("samples",))))
    assert {one.collection for one in service.browse.recordings()} == {"talks / 2024"}
    assert {entry.collection for entry in service.store.journal.entries()} == {"talks / 2024"}
    assert {entry.state for entry in service.store.journal.entries()} == {"done"}


def test_a_rename_that_is_killed_before_the_index_is_finished_at_the_next_start(settings, loader) -> None:
    with Service.open(settings, loader=loader) as service:
        before = found_in(service, "samples")
        service.store.collections.rename("samples", "talks")  # and then the process is gone
        assert len(service.browse.differences()) == 7
    with Service.open(settings, loader=loader) as service:
        assert service.browse.differences() == []
        assert found_in(service, "talks") == before


def test_a_new_speaker_reaches_the_index_also_when_the_process_is_killed(settings, loader) -> None:
    with Service.open(settings, loader=loader) as service:
        recording = service.search.find(Query(QUESTION)).hits[0].recording
        service.store.recordings.describe(replace(recording, speaker="Ada"))
    with Service.open(settings, loader=loader) as service:
        hits = service.search.find(Query(QUESTION, filters=Filters(speakers=("Ada",)))).hits
        assert {hit.recording.recording_id for hit in hits} == {recording.recording_id}
        assert service.browse.differences() == []


def test_a_collection_that_is_deleted_leaves_nothing(service: Service, settings) -> None:
    contents = contents_of(service.library, "samples")
    gone = service.manage.delete_collection("samples")
    assert (gone.recordings, gone.media_bytes) == (7, contents.media_bytes)
    assert gone.passages == contents.summary.passages
    assert service.browse.differences() == [] == service.browse.collections()
    assert list(service.library.index.ids()) == [] and service.store.passages.ids() == set()
    assert list(service.library.files.folder.iterdir()) == [] == service.store.journal.entries()
    assert storage_of(settings.data_dir).audio_bytes == 0


def test_a_deletion_that_is_killed_half_way_is_finished_at_the_next_start(settings, loader) -> None:
    with Service.open(settings, loader=loader) as service:
        ids = [one.recording_id for one in service.browse.recordings()]
        service.store.journal.mark_all(ids, "deleting")
        (service.library.files.folder / service.store.recordings.media_name(ids[0])).unlink()
    with Service.open(settings, loader=loader) as service:
        assert service.browse.recordings() == [] == service.browse.differences()
        assert list(service.library.files.folder.iterdir()) == []


def test_who_checks_what_is_left_waits_for_a_deletion_by_somebody_else(service: Service, monkeypatch) -> None:
    has_begun, may_go_on = threading.Event(), threading.Event()
    remove = service.library.files.remove

    def removed_slowly(name: str) -> None:
        has_begun.set()
        assert may_go_on.wait(30)
        remove(name)

    monkeypatch.setattr(service.library.files, "remove", removed_slowly)
    with ThreadPoolExecutor(2) as pool:
        deleting = pool.submit(service.manage.delete_collection, "samples")
        assert has_begun.wait(30)
        checking = pool.submit(service.browse.differences)
        with pytest.raises(FuturesTimeoutError):  # half of it is gone now
            checking.result(timeout=0.3)
        may_go_on.set()
        assert deleting.result(timeout=30).recordings == 7
        assert checking.result(timeout=30) == []


def test_contents_tell_what_each_recording_is_indexed_for(service: Service) -> None:
    contents = service.browse.contents("samples")
    assert contents.found == len(contents.recordings) == 7
    assert sum(state.media_bytes for state in contents.recordings) == contents.media_bytes
    for state in contents.recordings:
        assert state.vectors == dict.fromkeys(
            (channel.name for channel in service.library.makers.channels), state.passages
        )
        assert (state.state, state.is_current) == ("done", True)
    assert sum(state.passages for state in contents.recordings) == contents.summary.passages
    assert service.browse.storage().total_bytes >= contents.media_bytes + service.browse.storage().database_bytes


def test_names_are_checked_and_belong_to_their_visitor(service: Service) -> None:
    bob = Visitor("bob", may_add=True)
    assert service.manage.create_collection(" my  notes ", visitor=bob) == "@bob/my notes"
    with pytest.raises(DuplicateError, match="'my notes' already"):
        service.manage.create_collection("my notes", visitor=bob)
    with pytest.raises(DuplicateError, match="'samples' already"):
        service.manage.create_collection("samples", visitor=bob)
    with pytest.raises(DuplicateError, match="'samples' already"):
        service.manage.change_collection("my notes", {"licence": "mine"}, "samples", visitor=bob)
    assert [one.licence for one in service.browse.collections(bob)] == ["", ""]
    with pytest.raises(NotAllowedError, match="cannot be changed by visitors"):
        service.manage.change_collection("samples", {"licence": "mine"}, visitor=bob)
    with pytest.raises(InputError, match="cannot be named"):
        service.manage.change_collection("my notes", {}, "@ann/x", visitor=bob)
    assert service.manage.change_collection("my notes", {}, "diary", visitor=bob) == "@bob/diary"
    with pytest.raises(NotAllowedError, match="cannot be changed by visitors"):
        service.manage.change_recording(service.browse.recordings()[0].recording_id, {"title": "x"}, visitor=bob)
