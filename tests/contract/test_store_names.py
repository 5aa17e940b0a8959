"""The list of names and what people heard of them, on both databases."""

from dataclasses import replace

import pytest

from speechsearch.domain.errors import InputError, NotFoundError, StoreError
from speechsearch.domain.listed_name import ListedName
from tests.contract.stores import TALK, save, stored_passages

ADA = ListedName("Ada Łukaszewicz", ("ay da woo kah sheh vitch",), (3, 39, 1), "encoder-1")


def test_names_are_kept_changed_and_deleted(store):
    bob = ListedName("bob =1+1 \u202e😀")
    for name in (bob, ADA):
        store.names.put(name)
    assert store.names.find() == [ADA, bob]
    changed = ListedName(ADA.written, ("ayda", "wookasha"))
    store.names.put(changed)
    assert store.names.find() == [changed, bob]
    store.names.delete(bob.written)
    assert store.names.find() == [changed]
    with pytest.raises(NotFoundError, match="no name 'bob"):
        store.names.delete(bob.written)
    with pytest.raises(InputError, match="cannot be kept"):
        store.names.put(ListedName("a\0b"))


@pytest.mark.parametrize("written", ["{", '"voy che"', "[1]", "[" * 100_000, "null"])
def test_a_damaged_name_says_so_and_hides_no_other(store, written):
    bob = ListedName("Bob", ("bobb",))
    store.names.put(ADA, bob)
    with store._database.writing() as connection:
        connection.exec_driver_sql(f"UPDATE names SET sounds_like = '{written}' WHERE written = '{ADA.written}'")
    assert store.names.find() == [replace(ADA, sounds_like=(), is_damaged=True), bob]
    store.names.put(ADA)
    assert store.names.find() == [ADA, bob]


def test_verdicts_are_kept_taken_back_and_go_with_name_and_passage(store):
    passages = list(stored_passages(TALK, 2))
    save(store, TALK, "a.opus", passages, "1")
    one, two = (stored.passage.passage_id for stored in passages)
    for name in (ADA, ListedName("Bob")):
        store.names.put(name)
    store.names.judge(ADA.written, one, True)
    store.names.judge(ADA.written, two, True)
    store.names.judge(ADA.written, two, False)
    store.names.judge("Bob", two, True)
    assert store.names.verdicts(ADA.written) == {one: True, two: False}
    store.names.put(ADA)  # over itself
    assert store.names.verdicts(ADA.written) == {one: True, two: False}
    store.names.judge(ADA.written, one, None)
    store.names.judge(ADA.written, one, None)
    assert store.names.verdicts(ADA.written) == {two: False}
    store.names.delete(ADA.written)
    assert store.names.verdicts(ADA.written) == {} and store.names.verdicts("Bob") == {two: True}
    with pytest.raises(StoreError, match="cannot be used"):
        store.names.judge("nobody", one, True)
    store.recordings.delete(TALK.recording_id)
    assert store.names.verdicts("Bob") == {}
