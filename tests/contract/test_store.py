"""One suite over both databases: SQLite, and PostgreSQL where its programs are installed."""

import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from speechsearch.domain.errors import InputError, NotFoundError, StoreError
from speechsearch.store import CollectionSummary, Store
from tests.contract.stores import MADE_BY, TALK, assert_same, ids_of, save, stored_passages, write_down


def test_an_empty_database_answers(store):
    assert store.collections.summaries() == []
    assert store.recordings.find() == []
    assert store.recordings.find("nothing") == []
    assert store.passages.get([]) == store.transcripts.get([], "mini") == store.recordings.of_passages([]) == {}
    assert store.transcripts.of("nothing", "mini") == store.passages.counts() == {}
    assert store.transcripts.wanted() == store.passages.ids_with("nothing", "adapter") == set()
    assert store.passages.encodings() == store.passages.encodings(["nothing"]) == []
    assert store.passages.of("nothing") == store.passages.stored("nothing") == []
    assert store.passages.ids() == set() and store.passages.first_ids(3) == []
    assert not store.passages.are_in(["talks"]) and not store.passages.are_in([])
    assert store.passages.count() == 0
    assert store.journal.entry("nothing") is None
    assert store.kept_values.get("nothing") is None
    assert store.recordings.delete("nothing") == store.collections.delete("nothing") == []
    with pytest.raises(NotFoundError, match="no recording 'nothing'"):
        store.recordings.get("nothing")
    with pytest.raises(NotFoundError, match="no recording 'nothing'"):
        store.recordings.media_name("nothing")
    with pytest.raises(NotFoundError, match="no recording 'nothing'"):
        store.recordings.with_media("nothing")


def test_the_newest_and_the_most_found_come_first(store):
    talks = [replace(TALK, recording_id=f"{number:064d}", title=str(number)) for number in range(4)]
    for talk in talks:
        save(store, talk, f"{talk.title}.opus", list(stored_passages(talk, 1)), "print 1")
    save(store, talks[1], "1.opus", list(stored_passages(talks[1], 1)), "print 2")  # anew is not later
    first, second, third, last = (talk.recording_id for talk in talks)
    assert store.recordings.newest(["talks"], 3) == [last, third, second]
    assert store.recordings.most_found(["talks"], 9) == {}
    store.recordings.count_found({second: 1, last: 3, "gone": 7})
    store.recordings.count_found({second: 1, first: 1})
    save(store, talks[3], "3.opus", list(stored_passages(talks[3], 1)), "print 2")  # what was counted stays
    assert list(store.recordings.most_found(["talks"], 2).items()) == [(last, 3), (second, 2)]
    assert store.recordings.newest(["other"], 3) == [] and store.recordings.most_found(["other"], 3) == {}


def test_what_is_saved_comes_back(store):
    passages = list(stored_passages(TALK, 3))
    assert save(store, TALK, "a.opus", passages[::-1], "print 1") == []
    said = write_down(store, TALK, passages[:2])
    assert store.recordings.get(TALK.recording_id) == TALK
    assert store.recordings.find() == store.recordings.find("talks") == [TALK]
    assert store.recordings.media_name(TALK.recording_id) == "a.opus"
    assert store.recordings.with_media(TALK.recording_id) == (TALK, "a.opus")
    ids = ids_of(passages)
    kept = store.passages.stored(TALK.recording_id)
    assert [sorted(one.vectors) for one in kept] == [["adapter", "meaning@mini", "phonetic"]] * 2 + [
        ["adapter", "phonetic"]
    ]
    assert_same([replace(one, vectors={name: one.vectors[name] for name in MADE_BY}) for one in kept], passages)
    assert ids_of(store.passages.stored(TALK.recording_id, ids[1:])) == ids[1:]
    assert store.passages.ids() == set(ids) and store.passages.first_ids(2) == sorted(ids)[:2]
    assert store.passages.count() == 3
    assert store.passages.are_in(["empty", "talks"]) and not store.passages.are_in(["empty"])
    assert store.passages.of(TALK.recording_id) == [stored.passage for stored in passages]
    assert store.passages.get([*ids[1:], "unknown"]) == {key: passages[1 + n].passage for n, key in enumerate(ids[1:])}
    assert store.transcripts.get(ids, "mini") == store.transcripts.of(TALK.recording_id, "mini") == said
    assert store.transcripts.texts(ids, "mini") == {one: transcript.text for one, transcript in said.items()}
    assert [said[one].text for one in ids[:2]] == ["words 0", "words 1"]
    heard = store.passages.tracks([*ids[1:], "unknown"])
    assert [heard[one].symbols.tolist() for one in ids[1:]] == [one.track.symbols.tolist() for one in passages[1:]]
    assert store.recordings.of_passages([ids[0], "unknown"]) == {ids[0]: TALK}
    entry = store.journal.entry(TALK.recording_id)
    assert (entry.state, entry.fingerprint, entry.file_name, entry.collection) == (
        "stored", "print 1", "talk.mp3", "talks",
    )  # fmt: skip
    assert entry.updated_at.startswith("20")


def test_collections_are_counted(store):
    store.collections.add("empty", "nothing in it", "CC0", "here")
    for number in range(2):
        talk = replace(TALK, recording_id=f"r{number}", title=f"{9 - number}")
        save(store, talk, f"{number}.opus", list(stored_passages(talk, 3)), "1")
    silent = replace(TALK, recording_id="silent", title="0")
    save(store, silent, "s.opus", [], "1")
    assert store.collections.summaries() == [
        CollectionSummary("empty", "nothing in it", "CC0", "here", 0, 0, 0.0),
        CollectionSummary("talks", "", "", "", 3, 6, 180.0),
    ]
    assert [recording.title for recording in store.recordings.find("talks")] == ["0", "8", "9"]


def test_adding_a_collection_again_changes_only_what_is_given(store):
    store.collections.add("talks", "about", "CC0", "here")
    store.collections.add("talks")
    store.collections.add("talks", licence="CC-BY")
    save(store, TALK, "a.opus", [], "1")
    assert store.collections.summaries() == [CollectionSummary("talks", "about", "CC-BY", "here", 1, 0, 60.0)]


def test_saving_with_another_fingerprint_replaces_and_returns_what_vanished(store):
    old = list(stored_passages(TALK, 4, length_s=10.0))
    save(store, TALK, "a.opus", old, "1")
    store.journal.mark(TALK.recording_id, "done")
    new = [*stored_passages(TALK, 2, length_s=5.0, seed=1), old[3]]
    vanished = save(store, replace(TALK, title="New"), "b.opus", new, "2")
    assert vanished == sorted(stored.passage.passage_id for stored in old[:3])
    assert_same(store.passages.stored(TALK.recording_id), new)
    assert store.recordings.get(TALK.recording_id).title == "New"
    assert store.recordings.media_name(TALK.recording_id) == "b.opus"
    entry = store.journal.entry(TALK.recording_id)
    assert (entry.state, entry.fingerprint) == ("stored", "2")
    assert save(store, TALK, "b.opus", new, "2") == []


def test_saving_into_another_collection_moves(store):
    save(store, TALK, "a.opus", list(stored_passages(TALK, 1)), "1")
    save(store, replace(TALK, collection="other"), "a.opus", list(stored_passages(TALK, 1)), "1")
    assert [(item.name, item.recordings) for item in store.collections.summaries()] == [("other", 1), ("talks", 0)]


def test_a_refused_save_leaves_what_was_there(store):
    passages = list(stored_passages(TALK, 2))
    save(store, TALK, "a.opus", passages, "1")
    broken = replace(passages[1], vectors={"adapter": np.array([np.nan], np.float32)})
    with pytest.raises(InputError, match="finite"):
        save(store, TALK, "a.opus", [passages[0], broken], "2")
    with pytest.raises(InputError, match="not all different"):
        save(store, TALK, "a.opus", [passages[0], passages[0]], "2")
    other = replace(TALK, recording_id="b" * 64)
    with pytest.raises(InputError, match="of another recording"):
        save(store, other, "b.opus", passages, "1")
    assert_same(store.passages.stored(TALK.recording_id), passages)
    assert store.journal.entry(TALK.recording_id).fingerprint == "1"
    assert store.recordings.find() == [TALK]


def test_the_journal_keeps_what_it_is_not_told_anew(store):
    store.journal.mark("r1", "failed", "no sound in it", "a.mp3", "talks")
    entry = store.journal.entry("r1")
    assert (entry.state, entry.message, entry.file_name, entry.collection, entry.fingerprint) == (
        "failed", "no sound in it", "a.mp3", "talks", "",
    )  # fmt: skip
    save(store, TALK, "a.opus", [], "print")
    store.journal.mark(TALK.recording_id, "done")
    done = store.journal.entry(TALK.recording_id)
    assert (done.state, done.fingerprint, done.file_name, done.message) == ("done", "print", "talk.mp3", "")
    assert [item.recording_id for item in store.journal.entries()] == ["r1", TALK.recording_id]
    assert [item.recording_id for item in store.journal.entries("failed")] == ["r1"]
    assert store.journal.entries("deleting") == []
    with pytest.raises(InputError, match="'lost' is no state"):
        store.journal.mark("r1", "lost")


def test_settings_are_kept(store):
    store.kept_values.put("index fingerprint", "1")
    store.kept_values.put("index fingerprint", "2")
    assert store.kept_values.get("index fingerprint") == "2"


def test_deleting_takes_everything_with_it(store):
    other = replace(TALK, recording_id="b" * 64, collection="other")
    save(store, TALK, "a.opus", list(stored_passages(TALK, 3)), "1")
    save(store, other, "b.opus", list(stored_passages(other, 2)), "1")
    store.journal.mark("failed one", "failed", collection="other")
    write_down(store, TALK, list(stored_passages(TALK, 3)))
    ids = sorted(ids_of(stored_passages(TALK, 3)))
    assert len(store.transcripts.get(ids, "mini")) == 3
    assert store.recordings.delete(TALK.recording_id) == ids
    assert store.transcripts.get(ids, "mini") == store.passages.tracks(ids) == {}
    assert store.passages.stored(TALK.recording_id) == []
    assert store.journal.entry(TALK.recording_id) is None
    assert store.passages.count() == 2
    assert len(store.collections.delete("other")) == 2
    assert store.journal.entries() == []
    assert [item.name for item in store.collections.summaries()] == ["talks"]
    with store._database.reading() as connection:
        for table in ("recordings", "passages", "vectors", "encodings", "transcripts", "tracks", "journal"):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() == 0


NAMES = ["Robert'); DROP TABLE recordings;--", '"quoted" %s %(x)s :name ?', "\u202eمرحبا\u202c", "😀" * 50, " space "]


@pytest.mark.parametrize("name", NAMES)
def test_hostile_names_are_kept_as_they_are(store, name):
    talk = replace(TALK, collection=name, title=name * 20, speaker=name, file_name="x" * 5000)
    store.collections.add(name, name)
    save(store, talk, "a.opus", [], name)
    assert store.recordings.find(name) == [talk]
    assert store.journal.entry(TALK.recording_id).fingerprint == name
    assert [item.name for item in store.collections.summaries()] == [name]
    store.collections.delete(name)
    assert store.collections.summaries() == []


@pytest.mark.parametrize("name", ["", "nul\0", "\ud800", "x" * 5000])
def test_names_that_cannot_be_kept_are_refused(store, name):
    with pytest.raises(InputError, match="collection's name"):
        store.collections.add(name)
    with pytest.raises(InputError, match="collection"):
        save(store, replace(TALK, collection=name), "a.opus", [], "1")
    assert store.collections.summaries() == []


@pytest.mark.parametrize("text", ["nul\0", "\ud800"])
def test_questions_about_what_cannot_be_kept_find_nothing_or_are_refused(store, text):
    save(store, TALK, "a.opus", list(stored_passages(TALK, 1)), "1")
    questions = [store.recordings.find, store.passages.of, store.passages.stored, store.journal.entry]
    questions += [store.recordings.delete, store.collections.delete, store.recordings.get, store.jobs.get]
    questions += [lambda text: store.passages.get([text]), lambda text: store.transcripts.get([text], "mini")]
    questions += [lambda text: store.transcripts.of("a" * 64, text), lambda text: store.passages.encodings([text])]
    for ask in questions:
        try:
            assert not ask(text)
        except (InputError, NotFoundError) as error:
            assert error.code in ("input", "not_found")
    assert store.recordings.find() == [TALK]


def test_more_ids_than_a_statement_takes(store):
    save(store, TALK, "a.opus", list(stored_passages(TALK, 3)), "1")
    write_down(store, TALK, list(stored_passages(TALK, 3)))
    ids = [*(f"unknown {number}" for number in range(40_000)), *store.passages.ids()]
    asked = [store.passages.get, store.recordings.of_passages, store.passages.tracks]
    asked += [lambda ids: store.transcripts.get(ids, "mini"), lambda ids: store.passages.vectors("adapter", ids)]
    assert [len(ask(ids)) for ask in asked] == [3] * 5


def test_several_threads_write_and_read(store):
    failures = []

    def work(thread):
        try:
            for number in range(6):
                talk = replace(TALK, recording_id=f"r{thread}-{number}", collection=f"c{number % 2}")
                save(store, talk, "a.opus", list(stored_passages(talk, 5)), "1")
                store.journal.mark(talk.recording_id, "done")
                assert len(store.passages.stored(talk.recording_id)) == 5
                store.collections.summaries()
                # The same recording from every thread at once.
                save(store, TALK, "a.opus", list(stored_passages(TALK, 4)), f"{thread}")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.passages.count() == 5 * 6 * 5 + 4
    assert len(store.journal.entries("done")) == 30


def test_a_three_hour_recording_is_saved_well_under_a_second(store):
    passages = list(stored_passages(TALK, 600))
    started = time.thread_time()
    save(store, TALK, "a.opus", passages, "1")
    save(store, TALK, "a.opus", passages, "2")
    assert (time.thread_time() - started) / 2 < 1.0
    assert len(store.passages.stored(TALK.recording_id)) == 600


def test_a_save_that_is_killed_leaves_the_old_state_or_the_new(url):
    with closing(Store(url)) as store:
        save(store, TALK, "a.opus", list(stored_passages(TALK, 50, length_s=1.0)), "0")
    script = """
import sys
from speechsearch.store import Store
from tests.contract.stores import TALK, save, stored_passages
store = Store(sys.argv[1])
versions = [list(stored_passages(TALK, 100, length_s=1.0 + n)) for n in range(2)]
print("ready", flush=True)
for number in range(1, 100000):
    save(store, TALK, f"{number}.opus", versions[number % 2], str(number))
    print(number, flush=True)
"""
    for delay_s in (0.0, 0.013):
        process = subprocess.Popen([sys.executable, "-c", script, url], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"ready\n"
        process.stdout.readline()
        time.sleep(delay_s)
        process.send_signal(signal.SIGKILL)
        acknowledged = int((process.communicate()[0].split() or [b"1"])[-1])
        with closing(Store(url)) as store:
            fingerprint = int(store.journal.entry(TALK.recording_id).fingerprint)
            assert fingerprint in (acknowledged, acknowledged + 1)
            assert store.recordings.media_name(TALK.recording_id) == f"{fingerprint}.opus"
            assert_same(
                store.passages.stored(TALK.recording_id),
                list(stored_passages(TALK, 100, length_s=1.0 + fingerprint % 2)),
            )


def test_a_closed_or_lost_database_is_reported(tmp_path):
    with closing(Store(f"sqlite:///{tmp_path / 'db'}")) as store:
        save(store, TALK, "a.opus", list(stored_passages(TALK, 1)), "1")
        with store._database.writing() as connection:
            connection.exec_driver_sql("UPDATE vectors SET weights = x'00'")
        with pytest.raises(StoreError, match="is damaged"):
            store.passages.stored(TALK.recording_id)
        with store._database.writing() as connection:
            connection.exec_driver_sql("DROP TABLE journal")
        with pytest.raises(StoreError, match="no such table: journal"):
            store.journal.mark("r", "done")
