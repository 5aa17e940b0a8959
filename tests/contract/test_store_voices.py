"""Who speaks: turns, voices, speakers, and what becomes of them with recordings, on both databases."""

from dataclasses import replace

import numpy as np
import pytest

from speechsearch.domain.errors import InputError, NotFoundError
from speechsearch.domain.speakers import Turn
from speechsearch.domain.values import Passage, Span, Speaker, Transcript, Word, passage_id
from speechsearch.store import Judgement, Move, StoredPassage, StoredVoice
from speechsearch.store.records import Cut, Heard
from speechsearch.store.voices import NUMBERED
from tests.contract.stores import MADE_BY, TALK, ids_of, save, stored_passages, write_down

OTHER = replace(TALK, recording_id="b" * 64, title="Another talk", collection="calls", speaker="")
MINE = replace(TALK, recording_id="c" * 64, collection="@ann/notes")
TURNS = (Turn(Span(0.0, 12.5), 1), Turn(Span(12.0, 20.0), 2, is_overlap=True))


def voice(recording, number, speaker_id, speech_s=12.5, **more):
    vector = np.zeros(4, np.float32)
    vector[number] = 1.0
    return StoredVoice(recording.recording_id, number, speaker_id, vector, speech_s, "ge2e-1", **more)


def hear(
    store, recording, *voices, turns=TURNS, owner="", passages=None, written=None, refusals=frozenset(), names=None
):
    kept = [StoredPassage(one, {}) for one in store.passages.of(recording.recording_id)]
    heard = Heard("ge2e-1+cluster-1", turns, voices, refusals, names or {})
    cut = Cut(passages, MADE_BY, written or {}, "2") if passages else Cut(kept)
    return store.voices.save(recording.recording_id, owner, heard, cut)


@pytest.fixture
def talks(store):
    for owner in ("", "ann"):
        store.kept_values.put(f"{NUMBERED}{owner}", "0")  # on PostgreSQL the tests before have given numbers
    for one in (TALK, OTHER, MINE):
        save(store, one, f"{one.recording_id}.mp3", list(stored_passages(one, 2)), "1")
        store.journal.mark(one.recording_id, "done")
    return store


def test_what_was_heard_is_kept_and_marks_the_recording(talks):
    assert not talks.voices.is_heard(TALK.recording_id) and talks.voices.heard() == {}
    assert hear(talks, TALK, voice(TALK, 1, "ann"), voice(TALK, 2, "bob", 8.0)) == []
    assert talks.voices.is_heard(TALK.recording_id)
    assert talks.voices.heard() == {TALK.recording_id: "ge2e-1+cluster-1"}
    assert talks.journal.entry(TALK.recording_id).state == "stored"
    assert tuple(talks.voices.turns(TALK.recording_id)) == TURNS
    first, second = talks.voices.of(TALK.recording_id)
    assert first.vector.tolist() == [0.0, 1.0, 0.0, 0.0] and (second.speaker_id, second.speech_s) == ("bob", 8.0)
    assert talks.voices.speakers(["talks"]) == [Speaker("ann", 1, "", 1, 12.5), Speaker("bob", 2, "", 1, 8.0)]
    assert talks.voices.speakers(["calls"]) == [] and talks.voices.speakers([]) == []
    one, two = ids_of(stored_passages(TALK, 2))
    assert talks.voices.numbers_in(TALK.recording_id) == {one: (1,), two: (1, 2)}
    assert talks.voices.in_passages([one, two, "x"]) == {
        one: (Speaker("ann", 1),),
        two: (Speaker("bob", 2), Speaker("ann", 1)),
    }
    hear(talks, TALK, voice(TALK, 1, "ann"), turns=TURNS[:1], names={"ann": "Ann"})
    assert talks.voices.speakers(["talks"]) == [Speaker("ann", 1, "Ann", 1, 12.5)]
    assert talks.voices.numbers_in(TALK.recording_id) == {one: (1,), two: (1,)}


def test_numbers_are_of_an_owner_and_never_given_twice(talks):
    hear(talks, TALK, voice(TALK, 1, "ann"), voice(TALK, 2, "bob"))
    hear(talks, MINE, voice(MINE, 1, "mine"), owner="ann")
    assert [one.number for one in talks.voices.speakers(["@ann/notes"])] == [1]
    assert (talks.voices.owner_of("mine"), talks.voices.owner_of("bob")) == ("ann", "")
    talks.voices.forget("bob")
    talks.voices.forget("bob")
    with pytest.raises(NotFoundError, match="no such speaker"):
        talks.voices.owner_of("bob")
    hear(talks, OTHER, voice(OTHER, 1, "cyd"))
    assert talks.voices.speakers(["talks", "calls"]) == [
        Speaker("ann", 1, "", 1, 12.5),
        Speaker("cyd", 3, "", 1, 12.5),
    ]
    assert [one.speaker_id for one in talks.voices.of_owner("", "ge2e-1")] == ["ann", "cyd"]
    assert talks.voices.of_owner("", "ge2e-2") == []
    assert len(talks.voices.turns(TALK.recording_id)) == 2, "whose they were is not known any more, but somebody speaks"


def test_voices_move_with_names_and_refusals(talks):
    hear(talks, TALK, voice(TALK, 1, "ann"), voice(TALK, 2, "bob"))
    hear(talks, OTHER, voice(OTHER, 1, "bob"))
    talks.voices.move("", [Move(OTHER.recording_id, 1, "ann", "person", "bob")], {"ann": "Ann", "nobody": "X"})
    assert talks.voices.speakers(["talks", "calls"])[0] == Speaker("ann", 1, "Ann", 2, 25.0)
    assert talks.voices.refusals() == {(OTHER.recording_id, 1, "bob")} == talks.voices.refusals(OTHER.recording_id)
    assert talks.voices.named("") == {"ann": "Ann"} and talks.voices.refusals(TALK.recording_id) == set()
    assert [one.joined_by for one in talks.voices.of_speakers(["ann"])] == ["sound", "person"]
    talks.voices.move("", [Move(OTHER.recording_id, 1, "bob")], {"ann": ""})
    assert talks.voices.refusals() == set() and talks.voices.named("") == {}
    talks.voices.move("", [Move(TALK.recording_id, 1, "new"), Move(TALK.recording_id, 9, "bob")], {})
    assert [(one.speaker_id, one.number) for one in talks.voices.speakers(["talks"])] == [("bob", 2), ("new", 3)]
    with pytest.raises(InputError, match="cannot be kept"):
        talks.voices.move("", [], {"bob": "a\0b"})


def test_speakers_go_with_their_last_recording(talks):
    hear(talks, TALK, voice(TALK, 1, "ann"))
    hear(talks, OTHER, voice(OTHER, 1, "ann"))
    talks.voices.move("", [], {"ann": "Ann"})
    talks.recordings.delete(TALK.recording_id)
    assert talks.voices.speakers(["talks", "calls"]) == [Speaker("ann", 1, "Ann", 1, 12.5)]
    talks.collections.delete("calls")
    with pytest.raises(NotFoundError, match="no such speaker"):
        talks.voices.owner_of("ann")
    assert talks.voices.heard() == {} and hear(talks, TALK, voice(TALK, 1, "ann")) == []
    assert talks.voices.heard() == {}, "nothing is written of a recording that is gone"


def test_a_new_cut_takes_along_what_is_known(talks):
    one, two = (stored.passage for stored in stored_passages(TALK, 2))
    said = write_down(talks, TALK, list(stored_passages(TALK, 2)))
    judged = Judgement("ann", "bees", two.passage_id, 1, "speech", 1)
    talks.judgements.put(judged)
    parts = [
        Passage(passage_id(TALK.recording_id, span), TALK.recording_id, span)
        for span in (Span(10.0, 16.5), Span(16.5, 20.0))
    ]
    heard = [StoredPassage(part, next(stored_passages(TALK, 1)).vectors) for part in parts]
    words = {parts[0].passage_id: Transcript("words", "mini", (Word("words", 0.0, 0.5),))}
    gone = hear(
        talks,
        TALK,
        voice(TALK, 1, "ann"),
        voice(TALK, 2, "bob"),
        passages=[StoredPassage(one, {}), *heard],
        written={("mini", "mini-1"): words},
    )
    assert gone == [two.passage_id]
    assert talks.passages.of(TALK.recording_id) == [one, *parts]
    assert talks.transcripts.of(TALK.recording_id, "mini", "mini-1") == {
        one.passage_id: said[one.passage_id],
        **words,
    }
    assert [judgement.passage_id for judgement in talks.judgements.find()] == [parts[0].passage_id]
    assert talks.voices.numbers_in(TALK.recording_id)[parts[1].passage_id] == (2,)
    assert talks.journal.entry(TALK.recording_id).fingerprint == "2"
    made = {each.channel: each.passages for each in talks.passages.encodings([TALK.recording_id])}
    assert made["adapter"] == 3 and made["meaning@mini"] == 1


def test_refusals_of_an_earlier_hearing_are_kept(talks):
    hear(talks, OTHER, voice(OTHER, 1, "bob"))
    hear(talks, TALK, voice(TALK, 1, "ann"), refusals=frozenset({(1, "bob")}))
    assert talks.voices.refusals(TALK.recording_id) == {(TALK.recording_id, 1, "bob")}
    talks.voices.forget("bob")
    assert talks.voices.refusals() == set()


def test_metadata_find_heard_recordings(talks):
    hear(talks, TALK, voice(TALK, 1, "ann"))
    assert talks.voices.heard_where(["Ada", "Bob"]) == {TALK.recording_id}
