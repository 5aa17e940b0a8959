"""What visitors judged, on both databases."""

from dataclasses import replace

import pytest

from speechsearch.domain.errors import InputError, StoreError
from speechsearch.store import Judgement
from tests.contract.stores import TALK, save, stored_passages


def test_judgements_are_kept_changed_and_taken_back(store):
    passages = list(stored_passages(TALK, 2))
    save(store, TALK, "a.opus", passages, "1")
    one, two = (stored.passage.passage_id for stored in passages)
    assert store.judgements.find() == [] and store.judgements.count("ann") == 0
    store.judgements.put(Judgement("ann", "who?", one, 1, "hybrid", 1))
    store.judgements.put(Judgement("ann", "who?", two, 0, "hybrid", 2))
    store.judgements.put(Judgement("bob", "who?", one, 0, "asr", 3))
    store.judgements.put(Judgement("ann", "=x\u202e😀", one, 0, "asr", 0))
    found = store.judgements.find("ann", "who?")
    assert [(kept.passage_id, kept.relevance, kept.engine, kept.rank) for kept in found] == [
        (one, 1, "hybrid", 1), (two, 0, "hybrid", 2),
    ]  # fmt: skip
    assert found[0].created_at.startswith("20")
    store.judgements.put(Judgement("ann", "who?", one, 0, "asr", 4))
    assert [kept.rank for kept in store.judgements.find("ann", "who?")] == [2, 4]
    assert (store.judgements.count("ann"), len(store.judgements.find())) == (3, 4)
    store.judgements.clear("ann", "who?", one)
    store.judgements.clear("ann", "who?", "nothing")
    assert [kept.passage_id for kept in store.judgements.find("ann", "who?")] == [two]
    assert len(store.judgements.find("bob")) == 1


def test_judgements_outlive_a_new_fingerprint_and_go_with_their_passage(store):
    passages = list(stored_passages(TALK, 3))
    save(store, TALK, "a.opus", passages, "1")
    for stored in passages:
        store.judgements.put(Judgement("ann", "who?", stored.passage.passage_id, 1, "hybrid", 1))
    before = store.judgements.find()
    save(store, TALK, "a.opus", list(stored_passages(TALK, 2, seed=1)), "2")
    assert store.judgements.find() == [one for one in before if one.passage_id != passages[2].passage.passage_id]
    store.recordings.delete(TALK.recording_id)
    assert store.judgements.find() == []


@pytest.mark.parametrize(
    "change",
    [{"question": " "}, {"question": "nul\0"}, {"question": "😀" * 600}, {"relevance": 2}, {"visitor_id": "\ud800"}],
)
def test_judgements_that_cannot_be_kept_are_refused(store, change):
    passages = list(stored_passages(TALK, 1))
    save(store, TALK, "a.opus", passages, "1")
    judgement = Judgement("ann", "who?", passages[0].passage.passage_id, 1, "hybrid", 1)
    with pytest.raises(InputError, match=r"question|relevant|visitor id|cannot"):
        store.judgements.put(replace(judgement, **change))
    with pytest.raises(StoreError, match="database cannot be used"):
        store.judgements.put(replace(judgement, passage_id="nothing"))
    assert store.judgements.find() == []
