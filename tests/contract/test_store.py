"""One suite over both databases: SQLite, and PostgreSQL when SPEECHSEARCH_TEST_DATABASE_URL names one."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from speechsearch.domain.errors import DuplicateError, InputError, NotFoundError, StoreError
from speechsearch.domain.values import Passage, Recording, Span, SparseVector, Transcript, Word, passage_id
from speechsearch.store import CollectionSummary, Judgement, Store, StoredPassage

SERVER_URL = os.environ.get("SPEECHSEARCH_TEST_DATABASE_URL", "")
TALK = Recording("a" * 64, "talks", "A talk", 60.0, "talk.mp3", "Ada", "2024-05-01", "en", "CC0", "https://example.org")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'db'}"
    if not SERVER_URL:
        pytest.skip("SPEECHSEARCH_TEST_DATABASE_URL is not set")
    with closing(Store(SERVER_URL)) as repository:
        for collection in repository.collections.summaries():
            repository.collections.delete(collection.name)
        for entry in repository.journal.entries():
            repository.recordings.delete(entry.recording_id)
    return SERVER_URL


@pytest.fixture
def repository(url):
    with closing(Store(url)) as opened:
        yield opened


def stored_passages(recording, count, length_s=10.0, seed=0):
    random = np.random.default_rng(seed)
    for number in range(count):
        span = Span(number * length_s, (number + 1) * length_s)
        passage = Passage(passage_id(recording.recording_id, span), recording.recording_id, span)
        terms = np.unique(random.integers(0, 59_319, 250)).astype(np.uint32)
        vectors = {
            "adapter": random.standard_normal(384).astype(np.float32),
            "phonetic": SparseVector(terms, random.random(len(terms)).astype(np.float32)),
        }
        yield StoredPassage(passage, vectors, Transcript(f"words {number}", "mini", (Word("words", 0.0, 0.5),)))


def assert_same(ours, theirs):
    assert [stored.passage for stored in ours] == [stored.passage for stored in theirs]
    assert [stored.transcript for stored in ours] == [stored.transcript for stored in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert one.vectors.keys() == other.vectors.keys()
        assert np.array_equal(one.vectors["adapter"], other.vectors["adapter"])
        assert np.array_equal(one.vectors["phonetic"].indices, other.vectors["phonetic"].indices)
        assert np.array_equal(one.vectors["phonetic"].values, other.vectors["phonetic"].values)


def test_an_empty_database_answers(repository):
    assert repository.collections.summaries() == []
    assert repository.recordings.find() == []
    assert repository.recordings.find("nothing") == []
    assert (
        repository.passages.get([]) == repository.transcripts.texts([]) == repository.recordings.of_passages([]) == {}
    )
    assert repository.passages.of("nothing") == repository.passages.stored("nothing") == []
    assert repository.passages.ids() == set()
    assert repository.passages.count() == 0
    assert repository.journal.entry("nothing") is None
    assert repository.kept_values.get("nothing") is None
    assert repository.recordings.delete("nothing") == repository.collections.delete("nothing") == []
    with pytest.raises(NotFoundError, match="no recording 'nothing'"):
        repository.recordings.get("nothing")
    with pytest.raises(NotFoundError, match="no recording 'nothing'"):
        repository.recordings.media_name("nothing")


def test_what_is_saved_comes_back(repository):
    passages = list(stored_passages(TALK, 3))
    passages[2] = replace(passages[2], transcript=None)
    assert repository.recordings.save(TALK, "a.opus", passages[::-1], "print 1") == []
    assert repository.recordings.get(TALK.recording_id) == TALK
    assert repository.recordings.find() == repository.recordings.find("talks") == [TALK]
    assert repository.recordings.media_name(TALK.recording_id) == "a.opus"
    assert_same(repository.passages.stored(TALK.recording_id), passages)
    ids = [stored.passage.passage_id for stored in passages]
    assert repository.passages.ids() == set(ids)
    assert repository.passages.count() == 3
    assert repository.passages.of(TALK.recording_id) == [stored.passage for stored in passages]
    assert repository.passages.get([*ids[1:], "unknown"]) == {
        key: passages[1 + n].passage for n, key in enumerate(ids[1:])
    }
    assert repository.transcripts.texts(ids) == {ids[0]: "words 0", ids[1]: "words 1"}
    assert repository.recordings.of_passages([ids[0], "unknown"]) == {ids[0]: TALK}
    entry = repository.journal.entry(TALK.recording_id)
    assert (entry.state, entry.fingerprint, entry.file_name, entry.collection) == (
        "stored", "print 1", "talk.mp3", "talks",
    )  # fmt: skip
    assert entry.updated_at.startswith("20")


def test_collections_are_counted(repository):
    repository.collections.add("empty", "nothing in it", "CC0", "here")
    for number in range(2):
        talk = replace(TALK, recording_id=f"r{number}", title=f"{9 - number}")
        repository.recordings.save(talk, f"{number}.opus", list(stored_passages(talk, 3)), "1")
    silent = replace(TALK, recording_id="silent", title="0")
    repository.recordings.save(silent, "s.opus", [], "1")
    assert repository.collections.summaries() == [
        CollectionSummary("empty", "nothing in it", "CC0", "here", 0, 0, 0.0),
        CollectionSummary("talks", "", "", "", 3, 6, 180.0),
    ]
    assert [recording.title for recording in repository.recordings.find("talks")] == ["0", "8", "9"]


def test_adding_a_collection_again_changes_only_what_is_given(repository):
    repository.collections.add("talks", "about", "CC0", "here")
    repository.collections.add("talks")
    repository.collections.add("talks", licence="CC-BY")
    repository.recordings.save(TALK, "a.opus", [], "1")
    assert repository.collections.summaries() == [CollectionSummary("talks", "about", "CC-BY", "here", 1, 0, 60.0)]


def test_saving_with_another_fingerprint_replaces_and_returns_what_vanished(repository):
    old = list(stored_passages(TALK, 4, length_s=10.0))
    repository.recordings.save(TALK, "a.opus", old, "1")
    repository.journal.mark(TALK.recording_id, "done")
    new = [*stored_passages(TALK, 2, length_s=5.0, seed=1), replace(old[3], transcript=None)]
    vanished = repository.recordings.save(replace(TALK, title="New"), "b.opus", new, "2")
    assert vanished == sorted(stored.passage.passage_id for stored in old[:3])
    assert_same(repository.passages.stored(TALK.recording_id), new)
    assert repository.recordings.get(TALK.recording_id).title == "New"
    assert repository.recordings.media_name(TALK.recording_id) == "b.opus"
    entry = repository.journal.entry(TALK.recording_id)
    assert (entry.state, entry.fingerprint) == ("stored", "2")
    assert repository.recordings.save(TALK, "b.opus", new, "2") == []


def test_saving_into_another_collection_moves(repository):
    repository.recordings.save(TALK, "a.opus", list(stored_passages(TALK, 1)), "1")
    repository.recordings.save(replace(TALK, collection="other"), "a.opus", list(stored_passages(TALK, 1)), "1")
    assert [(item.name, item.recordings) for item in repository.collections.summaries()] == [("other", 1), ("talks", 0)]


def test_a_refused_save_leaves_what_was_there(repository):
    passages = list(stored_passages(TALK, 2))
    repository.recordings.save(TALK, "a.opus", passages, "1")
    broken = replace(passages[1], vectors={"adapter": np.array([np.nan], np.float32)})
    with pytest.raises(InputError, match="finite"):
        repository.recordings.save(TALK, "a.opus", [passages[0], broken], "2")
    with pytest.raises(InputError, match="not all different"):
        repository.recordings.save(TALK, "a.opus", [passages[0], passages[0]], "2")
    other = replace(TALK, recording_id="b" * 64)
    with pytest.raises(InputError, match="of another recording"):
        repository.recordings.save(other, "b.opus", passages, "1")
    assert_same(repository.passages.stored(TALK.recording_id), passages)
    assert repository.journal.entry(TALK.recording_id).fingerprint == "1"
    assert repository.recordings.find() == [TALK]


def test_the_journal_keeps_what_it_is_not_told_anew(repository):
    repository.journal.mark("r1", "failed", "no sound in it", "a.mp3", "talks")
    entry = repository.journal.entry("r1")
    assert (entry.state, entry.message, entry.file_name, entry.collection, entry.fingerprint) == (
        "failed", "no sound in it", "a.mp3", "talks", "",
    )  # fmt: skip
    repository.recordings.save(TALK, "a.opus", [], "print")
    repository.journal.mark(TALK.recording_id, "done")
    done = repository.journal.entry(TALK.recording_id)
    assert (done.state, done.fingerprint, done.file_name, done.message) == ("done", "print", "talk.mp3", "")
    assert [item.recording_id for item in repository.journal.entries()] == ["r1", TALK.recording_id]
    assert [item.recording_id for item in repository.journal.entries("failed")] == ["r1"]
    assert repository.journal.entries("deleting") == []
    with pytest.raises(InputError, match="'lost' is no state"):
        repository.journal.mark("r1", "lost")


def test_settings_are_kept(repository):
    repository.kept_values.put("index fingerprint", "1")
    repository.kept_values.put("index fingerprint", "2")
    assert repository.kept_values.get("index fingerprint") == "2"


def test_deleting_takes_everything_with_it(repository):
    other = replace(TALK, recording_id="b" * 64, collection="other")
    repository.recordings.save(TALK, "a.opus", list(stored_passages(TALK, 3)), "1")
    repository.recordings.save(other, "b.opus", list(stored_passages(other, 2)), "1")
    repository.journal.mark("failed one", "failed", collection="other")
    ids = sorted(stored.passage.passage_id for stored in stored_passages(TALK, 3))
    assert repository.recordings.delete(TALK.recording_id) == ids
    assert repository.transcripts.texts(ids) == {}
    assert repository.passages.stored(TALK.recording_id) == []
    assert repository.journal.entry(TALK.recording_id) is None
    assert repository.passages.count() == 2
    assert len(repository.collections.delete("other")) == 2
    assert repository.journal.entries() == []
    assert [item.name for item in repository.collections.summaries()] == ["talks"]
    with repository._database.reading() as connection:
        for table in ("recordings", "passages", "vectors", "transcripts", "journal"):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() == 0


NAMES = ["Robert'); DROP TABLE recordings;--", '"quoted" %s %(x)s :name ?', "\u202eمرحبا\u202c", "😀" * 50, " space "]


@pytest.mark.parametrize("name", NAMES)
def test_hostile_names_are_kept_as_they_are(repository, name):
    talk = replace(TALK, collection=name, title=name * 20, speaker=name, file_name="x" * 5000)
    repository.collections.add(name, name)
    repository.recordings.save(talk, "a.opus", [], name)
    assert repository.recordings.find(name) == [talk]
    assert repository.journal.entry(TALK.recording_id).fingerprint == name
    assert [item.name for item in repository.collections.summaries()] == [name]
    repository.collections.delete(name)
    assert repository.collections.summaries() == []


@pytest.mark.parametrize("name", ["", "nul\0", "\ud800", "x" * 5000])
def test_names_that_cannot_be_kept_are_refused(repository, name):
    with pytest.raises(InputError, match="collection's name"):
        repository.collections.add(name)
    with pytest.raises(InputError, match="collection"):
        repository.recordings.save(replace(TALK, collection=name), "a.opus", [], "1")
    assert repository.collections.summaries() == []


@pytest.mark.parametrize("text", ["nul\0", "\ud800"])
def test_questions_about_what_cannot_be_kept_find_nothing_or_are_refused(repository, text):
    repository.recordings.save(TALK, "a.opus", list(stored_passages(TALK, 1)), "1")
    questions = [repository.recordings, repository.passages_of, repository.stored, repository.journal]
    questions += [repository.delete_recording, repository.delete_collection, repository.recording]
    questions += [lambda text: repository.passages.get([text]), lambda text: repository.transcripts.texts([text])]
    for ask in questions:
        try:
            assert not ask(text)
        except (InputError, NotFoundError) as error:
            assert error.code in ("input", "not_found")
    assert repository.recordings.find() == [TALK]


def test_more_ids_than_a_statement_takes(repository):
    repository.recordings.save(TALK, "a.opus", list(stored_passages(TALK, 3)), "1")
    ids = [*(f"unknown {number}" for number in range(40_000)), *repository.passages.ids()]
    assert (
        len(repository.passages.get(ids))
        == len(repository.transcripts.texts(ids))
        == len(repository.recordings.of_passages(ids))
        == 3
    )


def test_rebuilding_reads_every_recording_and_lets_others_write_meanwhile(repository):
    talks = [replace(TALK, recording_id=f"r{number}", title=f"{number}") for number in range(3)]
    for talk in talks:
        repository.recordings.save(talk, f"{talk.recording_id}.opus", list(stored_passages(talk, 2)), "1")
    seen = []
    for recording, passages in repository.each_recording_with_vectors():
        repository.journal.mark(recording.recording_id, "done")
        seen.append(recording)
        assert_same(passages, list(stored_passages(recording, 2)))
    assert seen == talks


def test_several_threads_write_and_read(repository):
    failures = []

    def work(thread):
        try:
            for number in range(6):
                talk = replace(TALK, recording_id=f"r{thread}-{number}", collection=f"c{number % 2}")
                repository.recordings.save(talk, "a.opus", list(stored_passages(talk, 5)), "1")
                repository.journal.mark(talk.recording_id, "done")
                assert len(repository.passages.stored(talk.recording_id)) == 5
                repository.collections.summaries()
                # The same recording from every thread at once.
                repository.recordings.save(TALK, "a.opus", list(stored_passages(TALK, 4)), f"{thread}")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert repository.passages.count() == 5 * 6 * 5 + 4
    assert len(repository.journal.entries("done")) == 30


def test_a_three_hour_recording_is_saved_well_under_a_second(repository):
    passages = list(stored_passages(TALK, 600))
    started = time.thread_time()
    repository.recordings.save(TALK, "a.opus", passages, "1")
    repository.recordings.save(TALK, "a.opus", passages, "2")
    assert (time.thread_time() - started) / 2 < 1.0
    assert len(repository.passages.stored(TALK.recording_id)) == 600


def test_a_save_that_is_killed_leaves_the_old_state_or_the_new(url):
    with closing(Store(url)) as repository:
        repository.recordings.save(TALK, "a.opus", list(stored_passages(TALK, 50, length_s=1.0)), "0")
    script = """
import sys
sys.path.insert(0, "tests/contract")
from test_store import TALK, Store, stored_passages
repository = Store(sys.argv[1])
versions = [list(stored_passages(TALK, 100, length_s=1.0 + n)) for n in range(2)]
print("ready", flush=True)
for number in range(1, 100000):
    repository.recordings.save(TALK, f"{number}.opus", versions[number % 2], str(number))
    print(number, flush=True)
"""
    for delay_s in (0.0, 0.013):
        process = subprocess.Popen([sys.executable, "-c", script, url], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"ready\n"
        process.stdout.readline()
        time.sleep(delay_s)
        process.send_signal(signal.SIGKILL)
        acknowledged = int((process.communicate()[0].split() or [b"1"])[-1])
        with closing(Store(url)) as repository:
            fingerprint = int(repository.journal.entry(TALK.recording_id).fingerprint)
            assert fingerprint in (acknowledged, acknowledged + 1)
            assert repository.recordings.media_name(TALK.recording_id) == f"{fingerprint}.opus"
            assert_same(
                repository.passages.stored(TALK.recording_id),
                list(stored_passages(TALK, 100, length_s=1.0 + fingerprint % 2)),
            )


def test_a_closed_or_lost_database_is_reported(tmp_path):
    with closing(Store(f"sqlite:///{tmp_path / 'db'}")) as repository:
        repository.recordings.save(TALK, "a.opus", list(stored_passages(TALK, 1)), "1")
        with repository._database.writing() as connection:
            connection.exec_driver_sql("UPDATE vectors SET weights = x'00'")
        with pytest.raises(StoreError, match="is damaged"):
            repository.passages.stored(TALK.recording_id)
        with repository._database.writing() as connection:
            connection.exec_driver_sql("DROP TABLE journal")
        with pytest.raises(StoreError, match="no such table: journal"):
            repository.journal.mark("r", "done")


def test_a_renamed_collection_takes_everything_along(repository):
    repository.collections.add("talks", "about", "CC0", "here")
    repository.recordings.save(TALK, "a.opus", list(stored_passages(TALK, 2)), "1")
    repository.journal.mark(TALK.recording_id, "done")
    repository.journal.mark("broken", "failed", "no sound", "b.mp3", "talks")
    repository.collections.rename("talks", "lectures / 2024")
    assert repository.collections.summaries() == [
        CollectionSummary("lectures / 2024", "about", "CC0", "here", 1, 2, 60.0)
    ]
    assert repository.recordings.get(TALK.recording_id).collection == "lectures / 2024"
    entries = {entry.recording_id: (entry.collection, entry.state) for entry in repository.journal.entries()}
    assert entries == {TALK.recording_id: ("lectures / 2024", "stored"), "broken": ("lectures / 2024", "failed")}
    assert len(repository.passages.stored(TALK.recording_id)) == 2


def test_a_collection_is_not_renamed_over_another(repository):
    for name in ("one", "two"):
        repository.collections.add(name)
    with pytest.raises(DuplicateError, match="a collection 'two' already"):
        repository.collections.rename("one", "two")
    with pytest.raises(NotFoundError, match="no collection 'three'"):
        repository.collections.rename("three", "four")
    with pytest.raises(InputError, match="name is empty"):
        repository.collections.rename("one", " ")
    assert repository.collections.names() == ["one", "two"]


def test_a_description_can_be_taken_back(repository):
    repository.collections.add("talks", "about", "CC0", "here")
    repository.collections.describe("talks", "", "CC-BY", "")
    assert repository.collections.summaries() == [CollectionSummary("talks", "", "CC-BY", "", 0, 0, 0.0)]
    with pytest.raises(NotFoundError, match="no collection 'none'"):
        repository.collections.describe("none", "", "", "")


def test_a_described_recording_keeps_its_passages_and_is_to_be_indexed_again(repository):
    repository.recordings.save(TALK, "a.opus", list(stored_passages(TALK, 2)), "1")
    repository.journal.mark(TALK.recording_id, "done")
    described = replace(TALK, title="New", speaker="Eve", date="", language="cs", licence="", source="x")
    repository.recordings.describe(replace(described, collection="other", duration_s=1.0, file_name="x"))
    assert repository.recordings.get(TALK.recording_id) == described
    assert repository.recordings.media_name(TALK.recording_id) == "a.opus"
    assert repository.journal.entry(TALK.recording_id).state == "stored"
    assert len(repository.passages.stored(TALK.recording_id)) == 2
    with pytest.raises(NotFoundError, match="no recording 'none'"):
        repository.recordings.describe(replace(TALK, recording_id="none"))


def test_vectors_and_media_of_a_collection(repository):
    other = replace(TALK, recording_id="b" * 64, collection="other")
    first, second = list(stored_passages(TALK, 3)), list(stored_passages(other, 1, seed=1))
    repository.recordings.save(TALK, "a.opus", first, "1")
    repository.recordings.save(other, "b.mp3", second, "1")
    assert repository.passages.within("talks") == [stored.passage for stored in first]
    assert repository.passages.within("none") == []
    assert repository.recordings.media_names("other") == {other.recording_id: "b.mp3"}
    found = repository.passages.vectors("adapter", [second[0].passage.passage_id, "unknown"])
    assert found.keys() == {second[0].passage.passage_id}
    assert np.array_equal(found[second[0].passage.passage_id], second[0].vectors["adapter"])
    assert repository.count_vectors([TALK.recording_id, "unknown"]) == {
        TALK.recording_id: {"": 3, "adapter": 3, "phonetic": 3},
        "unknown": {"": 0},
    }


def test_many_recordings_are_marked_at_once(repository):
    ids = [f"r{number}" for number in range(1203)]
    for recording_id in ids[:3]:
        repository.journal.mark(recording_id, "stored", "a message", "a.mp3", "talks")
    repository.journal.mark_all([*ids[3:], *ids[:2]], "done")
    states = {entry.recording_id: (entry.state, entry.message) for entry in repository.journal.entries()}
    assert states == {"r0": ("done", ""), "r1": ("done", ""), "r2": ("stored", "a message")}
    with pytest.raises(InputError, match="'lost' is no state"):
        repository.journal.mark_all(ids, "lost")


def test_judgements_are_kept_changed_and_taken_back(repository):
    passages = list(stored_passages(TALK, 2))
    repository.recordings.save(TALK, "a.opus", passages, "1")
    one, two = (stored.passage.passage_id for stored in passages)
    assert repository.judgements.find() == [] and repository.judgements.count("ann") == 0
    repository.judgements.put(Judgement("ann", "who?", one, 1, "hybrid", 1))
    repository.judgements.put(Judgement("ann", "who?", two, 0, "hybrid", 2))
    repository.judgements.put(Judgement("bob", "who?", one, 0, "asr", 3))
    repository.judgements.put(Judgement("ann", "=x\u202e😀", one, 0, "asr", 0))
    found = repository.judgements.find("ann", "who?")
    assert [(kept.passage_id, kept.relevance, kept.engine, kept.rank) for kept in found] == [
        (one, 1, "hybrid", 1), (two, 0, "hybrid", 2),
    ]  # fmt: skip
    assert found[0].created_at.startswith("20")
    repository.judgements.put(Judgement("ann", "who?", one, 0, "asr", 4))
    assert [kept.rank for kept in repository.judgements.find("ann", "who?")] == [2, 4]
    assert (repository.judgements.count("ann"), len(repository.judgements.find())) == (3, 4)
    repository.judgements.clear("ann", "who?", one)
    repository.judgements.clear("ann", "who?", "nothing")
    assert [kept.passage_id for kept in repository.judgements.find("ann", "who?")] == [two]
    assert len(repository.judgements.find("bob")) == 1


def test_judgements_outlive_a_new_fingerprint_and_go_with_their_passage(repository):
    passages = list(stored_passages(TALK, 3))
    repository.recordings.save(TALK, "a.opus", passages, "1")
    for stored in passages:
        repository.judgements.put(Judgement("ann", "who?", stored.passage.passage_id, 1, "hybrid", 1))
    before = repository.judgements.find()
    repository.recordings.save(TALK, "a.opus", list(stored_passages(TALK, 2, seed=1)), "2")
    assert repository.judgements.find() == [one for one in before if one.passage_id != passages[2].passage.passage_id]
    repository.recordings.delete(TALK.recording_id)
    assert repository.judgements.find() == []


@pytest.mark.parametrize(
    "change",
    [{"question": " "}, {"question": "nul\0"}, {"question": "😀" * 600}, {"relevance": 2}, {"visitor_id": "\ud800"}],
)
def test_judgements_that_cannot_be_kept_are_refused(repository, change):
    passages = list(stored_passages(TALK, 1))
    repository.recordings.save(TALK, "a.opus", passages, "1")
    judgement = Judgement("ann", "who?", passages[0].passage.passage_id, 1, "hybrid", 1)
    with pytest.raises(InputError, match=r"question|relevant|visitor id|cannot"):
        repository.judgements.put(replace(judgement, **change))
    with pytest.raises(StoreError, match="database cannot be used"):
        repository.judgements.put(replace(judgement, passage_id="nothing"))
    assert repository.judgements.find() == []
