"""One suite over every store: what is renamed, described, dated, marked and counted later."""

from dataclasses import replace

import numpy as np
import pytest

from speechsearch.domain.errors import DuplicateError, InputError, NotFoundError
from speechsearch.store import CollectionSummary, Encoding, Job
from speechsearch.store.records import PassageCount
from tests.contract.stores import TALK, save, stored_passages


def test_a_renamed_collection_takes_everything_along(store):
    store.collections.add("talks", "about", "CC0", "here")
    save(store, TALK, "a.opus", list(stored_passages(TALK, 2)), "1")
    store.journal.mark(TALK.recording_id, "done")
    store.journal.mark("broken", "failed", "no sound", "b.mp3", "talks")
    store.collections.rename("talks", "lectures / 2024")
    assert store.collections.summaries() == [CollectionSummary("lectures / 2024", "about", "CC0", "here", 1, 2, 60.0)]
    assert store.recordings.get(TALK.recording_id).collection == "lectures / 2024"
    entries = {entry.recording_id: (entry.collection, entry.state) for entry in store.journal.entries()}
    assert entries == {TALK.recording_id: ("lectures / 2024", "stored"), "broken": ("lectures / 2024", "failed")}
    assert len(store.passages.stored(TALK.recording_id)) == 2


def test_a_collection_is_not_renamed_over_another(store):
    for name in ("one", "two"):
        store.collections.add(name)
    with pytest.raises(DuplicateError, match="a collection 'two' already"):
        store.collections.rename("one", "two")
    with pytest.raises(NotFoundError, match="no collection 'three'"):
        store.collections.rename("three", "four")
    with pytest.raises(InputError, match="name is empty"):
        store.collections.rename("one", " ")
    assert store.collections.names() == ["one", "two"]


def test_a_description_can_be_taken_back(store):
    store.collections.add("talks", "about", "CC0", "here")
    store.collections.describe("talks", "", "CC-BY", "")
    assert store.collections.summaries() == [CollectionSummary("talks", "", "CC-BY", "", 0, 0, 0.0)]
    with pytest.raises(NotFoundError, match="no collection 'none'"):
        store.collections.describe("none", "", "", "")


def test_a_described_recording_keeps_its_passages_and_is_to_be_indexed_again(store):
    save(store, TALK, "a.opus", list(stored_passages(TALK, 2)), "1")
    store.journal.mark(TALK.recording_id, "done")
    described = replace(TALK, title="New", speaker="Eve", date="", language="cs", licence="", source="x")
    store.recordings.describe(replace(described, collection="other", duration_s=1.0, file_name="x"))
    assert store.recordings.get(TALK.recording_id) == described
    assert store.recordings.media_name(TALK.recording_id) == "a.opus"
    assert store.journal.entry(TALK.recording_id).state == "stored"
    assert len(store.passages.stored(TALK.recording_id)) == 2
    with pytest.raises(NotFoundError, match="no recording 'none'"):
        store.recordings.describe(replace(TALK, recording_id="none"))


def test_what_was_said_about_a_recording_is_kept_until_something_else_is(store):
    save(store, TALK, "a.opus", list(stored_passages(TALK, 1)), "1")
    assert store.recordings.described(TALK.recording_id) is None
    said = {"title": "Žofie", "speaker": "Ada"}
    store.recordings.describe(replace(TALK, title="Žofie"), said)
    store.recordings.describe(replace(TALK, title="By hand"))
    save(store, TALK, "a.opus", list(stored_passages(TALK, 2)), "2")
    assert store.recordings.described(TALK.recording_id) == said
    save(store, TALK, "a.opus", list(stored_passages(TALK, 2)), "2", described={"title": "Other", "nonsense": "x"})
    assert store.recordings.described(TALK.recording_id) == {"title": "Other"}
    with pytest.raises(InputError, match="title has characters that cannot be kept"):
        store.recordings.describe(TALK, {"title": "\0"})
    with pytest.raises(NotFoundError, match="no recording 'none'"):
        store.recordings.described("none")


def test_recordings_of_a_time_are_found_by_what_their_dates_say(store):
    dates = ("2019", "2019-03", "5 May 2019", "2019-05-05T23:30:00+02:00", "03/04/2021", "")
    for number, date in enumerate(dates, 1):
        recording = replace(TALK, recording_id=str(number) * 64, date=date)
        save(store, recording, "a.opus", list(stored_passages(recording, 1)), "1")

    def found(*times):
        return "".join(one[0] for one in store.recordings.ids_between(*times))

    assert found("2019", "2019") == "1234"
    assert found("2019-05", "2019-05-05") == "34"
    assert found("", "2019-04") == "2"
    assert found("2021", "") == "5"
    assert found("2021-03", "2021-04") == found("2022", "") == ""


def test_vectors_and_media_of_a_collection(store):
    other = replace(TALK, recording_id="b" * 64, collection="other")
    first, second = list(stored_passages(TALK, 3)), list(stored_passages(other, 1, seed=1))
    save(store, TALK, "a.opus", first, "1")
    save(store, other, "b.mp3", second, "1")
    assert store.passages.within("talks") == [stored.passage for stored in first]
    assert store.passages.within("none") == []
    assert store.recordings.media_names("other") == {other.recording_id: "b.mp3"}
    found = store.passages.vectors("adapter", [second[0].passage.passage_id, "unknown"])
    assert found.keys() == {second[0].passage.passage_id}
    assert np.array_equal(found[second[0].passage.passage_id], second[0].vectors["adapter"])
    assert store.passages.encodings([TALK.recording_id, "unknown"]) == [
        Encoding(TALK.recording_id, name, "encoder-1", 3) for name in ("adapter", "phonetic")
    ]
    assert store.passages.counts() == {
        TALK.recording_id: PassageCount("talks", "Ada", "en", 3, 30.0),
        other.recording_id: PassageCount("other", "Ada", "en", 1, 10.0),
    }


def test_many_recordings_are_marked_at_once(store):
    ids = [f"r{number}" for number in range(1203)]
    for recording_id in ids[:3]:
        store.journal.mark(recording_id, "stored", "a message", "a.mp3", "talks")
    store.journal.mark_all([*ids[3:], *ids[:2]], "done")
    states = {entry.recording_id: (entry.state, entry.message) for entry in store.journal.entries()}
    assert states == {"r0": ("done", ""), "r1": ("done", ""), "r2": ("stored", "a message")}
    with pytest.raises(InputError, match="'lost' is no state"):
        store.journal.mark_all(ids, "lost")


def test_what_a_job_is_to_do_is_read_only_when_it_is_done(store, monkeypatch):
    added = store.jobs.add(Job("1", "ann", "files", "talks", {"files": [["00000.wav", "a.wav"]] * 1000}))
    with monkeypatch.context() as patched:
        parsed = []
        patched.setattr("speechsearch.store.jobs.json.loads", lambda text: parsed.append(len(text)) or {})
        assert store.jobs.get("1") == store.jobs.find()[0] == replace(added, task={})
    assert max(parsed) == 2, "only the empty task is parsed"


def test_processes_that_ended_in_a_job_are_counted(store):
    added = store.jobs.add(Job("1", "ann", "files", "talks", {"files": [["00000.wav", "a.wav"]]}))
    assert (added.crashes, store.jobs.with_task("1"), store.jobs.with_task("2")) == (0, added, None)
    assert [store.jobs.count_crash("1"), store.jobs.count_crash("1"), store.jobs.count_crash("unknown")] == [1, 2, 0]
    assert [job.crashes for job in store.jobs.find("ann")] == [2]
    store.jobs.set_state("1", "failed", "It ended twice.")
    assert replace(store.jobs.get("1"), updated_at="") == replace(
        added, crashes=2, state="failed", message="It ended twice.", task={}, updated_at=""
    )
