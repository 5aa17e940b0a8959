"""What made the vectors of each channel, transcripts side by side, and what a new cut keeps; on both databases."""

from dataclasses import replace

import numpy as np
import pytest

from speechsearch.domain.errors import InputError
from speechsearch.domain.values import Transcript
from speechsearch.store import Judgement, StoredPassage
from tests.contract.stores import TALK, assert_same, ids_of, save, stored_passages, write_down


def encoded(store):
    return {one.channel: (one.fingerprint, one.passages) for one in store.passages.encodings()}


def test_vectors_of_a_channel_are_counted_and_all_by_one_maker(store):
    passages = list(stored_passages(TALK, 3))
    save(store, TALK, "a.opus", passages, "1")
    store.journal.mark(TALK.recording_id, "done")
    assert encoded(store) == {"adapter": ("encoder-1", 3), "phonetic": ("encoder-1", 3)}
    first, *others = [
        StoredPassage(one.passage, {"adapter": np.full(384, number, np.float32)}) for number, one in enumerate(passages)
    ]
    store.passages.encode(TALK.recording_id, [first], {"adapter": "encoder-2"})
    assert encoded(store) == {"adapter": ("encoder-2", 1), "phonetic": ("encoder-1", 3)}
    assert store.passages.ids_with(TALK.recording_id, "adapter") == {first.passage.passage_id}
    assert store.journal.entry(TALK.recording_id).state == "stored"
    store.passages.encode(TALK.recording_id, others, {"adapter": "encoder-2"})
    store.passages.encode(TALK.recording_id, others, {"adapter": "encoder-2"})
    assert encoded(store) == {"adapter": ("encoder-2", 3), "phonetic": ("encoder-1", 3)}
    assert [one.vectors["adapter"][0] for one in store.passages.stored(TALK.recording_id)] == [0.0, 1.0, 2.0]
    assert [len(one.track.symbols) for one in store.passages.stored(TALK.recording_id)] == [1, 2, 3]  # as it was


def test_an_encoding_that_is_refused_leaves_what_was_there(store):
    passages = list(stored_passages(TALK, 2))
    save(store, TALK, "a.opus", passages, "1")
    store.journal.mark(TALK.recording_id, "done")
    broken = replace(passages[1], vectors={"adapter": np.array([np.nan], np.float32)})
    with pytest.raises(InputError, match="finite"):
        store.passages.encode(TALK.recording_id, [passages[0], broken], {"adapter": "encoder-2"})
    assert_same(store.passages.stored(TALK.recording_id), passages)
    assert encoded(store) == {"adapter": ("encoder-1", 2), "phonetic": ("encoder-1", 2)}
    assert store.journal.entry(TALK.recording_id).state == "done"


def test_transcripts_of_two_recognisers_stand_side_by_side(store):
    passages = list(stored_passages(TALK, 3))
    ids = ids_of(passages)
    save(store, TALK, "a.opus", passages, "1")
    store.journal.mark(TALK.recording_id, "done")
    mini = write_down(store, TALK, passages)
    assert store.journal.entry(TALK.recording_id).state == "stored"
    other = write_down(store, TALK, passages[:2], "other", "other-1", text="said")
    assert store.transcripts.get(ids, "mini") == mini and store.transcripts.get(ids, "other") == other
    assert store.transcripts.get(ids, "none") == {}
    assert encoded(store) == {
        "adapter": ("encoder-1", 3), "phonetic": ("encoder-1", 3), "meaning@mini": ("mini-1+text-1", 3),
        "meaning@other": ("other-1+text-1", 2),
    }  # fmt: skip
    newer = write_down(store, TALK, passages[:1], fingerprint="mini-2", text="better")
    assert store.transcripts.of(TALK.recording_id, "mini", "mini-2") == newer
    assert store.transcripts.of(TALK.recording_id, "mini", "mini-1") == {one: mini[one] for one in ids[1:]}
    assert store.transcripts.of(TALK.recording_id, "mini") == mini | newer
    assert encoded(store)["meaning@mini"] == ("mini-2+text-1", 1)  # those of the older one went with its vectors
    assert encoded(store)["meaning@other"] == ("other-1+text-1", 2)
    assert store.transcripts.of(TALK.recording_id, "other", "other-1") == other


def test_new_vectors_of_known_transcripts_leave_the_transcripts(store):
    passages = list(stored_passages(TALK, 2))
    save(store, TALK, "a.opus", passages, "1")
    said = write_down(store, TALK, passages)
    vectors = [StoredPassage(one.passage, {"meaning@mini": np.zeros(8, np.float32)}) for one in passages]
    store.transcripts.save(TALK.recording_id, {}, "mini-1", vectors, {"meaning@mini": "mini-1+text-2"})
    assert store.transcripts.of(TALK.recording_id, "mini", "mini-1") == said
    assert encoded(store)["meaning@mini"] == ("mini-1+text-2", 2)
    assert len(store.passages.stored(TALK.recording_id)[0].vectors["meaning@mini"]) == 8


def test_transcripts_that_are_refused_leave_nothing(store):
    passages = list(stored_passages(TALK, 2))
    save(store, TALK, "a.opus", passages, "1")
    said = {one.passage.passage_id: Transcript("nul\0" * number, "mini") for number, one in enumerate(passages)}
    vectors = [StoredPassage(one.passage, {"meaning@mini": np.zeros(4, np.float32)}) for one in passages]
    with pytest.raises(InputError, match="transcript has characters"):
        store.transcripts.save(TALK.recording_id, said, "mini-1", vectors, {"meaning@mini": "mini-1"})
    assert store.transcripts.of(TALK.recording_id, "mini") == {} and "meaning@mini" not in encoded(store)


def test_a_new_cut_keeps_what_unchanged_passages_have_and_drops_the_rest(store):
    old = list(stored_passages(TALK, 4))
    save(store, TALK, "a.opus", old, "cut 1")
    said = write_down(store, TALK, old)
    for one in old:
        store.judgements.put(Judgement("ann", "who?", one.passage.passage_id, 1, "hybrid", 1))
    fresh = [replace(one, track=None) for one in stored_passages(TALK, 2, length_s=7.0, seed=1)]
    kept = [StoredPassage(one.passage, {}) for one in old[2:]]
    assert save(store, TALK, "a.opus", [*fresh, *kept], "cut 2") == sorted(ids_of(old[:2]))
    ids = ids_of(old[2:])
    found = {one.passage.passage_id: one for one in store.passages.stored(TALK.recording_id)}
    assert found.keys() == {*ids, *ids_of(fresh)}
    for one in old[2:]:
        now = found[one.passage.passage_id]
        assert now.vectors.keys() == {"adapter", "phonetic", "meaning@mini"}
        assert np.array_equal(now.vectors["adapter"], one.vectors["adapter"])
        assert np.array_equal(now.track.symbols, one.track.symbols)
    assert store.transcripts.of(TALK.recording_id, "mini") == {one: said[one] for one in ids}
    judged = {one.passage_id for one in store.judgements.find("ann")}
    assert judged == {*ids, *ids_of(fresh)}, "of the passages that have most of those that are gone"
    assert encoded(store) == {
        "adapter": ("encoder-1", 4), "phonetic": ("encoder-1", 4), "meaning@mini": ("mini-1+text-1", 2),
    }  # fmt: skip


def test_a_new_cut_with_nothing_of_the_old_one_has_no_transcripts(store):
    old = list(stored_passages(TALK, 3))
    save(store, TALK, "a.opus", old, "cut 1")
    write_down(store, TALK, old)
    save(store, TALK, "a.opus", list(stored_passages(TALK, 2, length_s=7.0)), "cut 2")
    assert encoded(store) == {"adapter": ("encoder-1", 2), "phonetic": ("encoder-1", 2)}
    save(store, TALK, "a.opus", [], "cut 3")
    assert encoded(store) == {} == store.passages.counts()


def test_a_recording_says_whether_it_is_to_be_written_down(store):
    other = replace(TALK, recording_id="b" * 64)
    save(store, TALK, "a.opus", [], "1")
    save(store, other, "b.opus", [], "1", wants_transcripts=False)
    assert store.transcripts.wanted() == {TALK.recording_id}
    save(store, other, "b.opus", [], "2", wants_transcripts=True)
    assert store.transcripts.wanted() == {TALK.recording_id, other.recording_id}
