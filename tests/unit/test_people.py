"""What is said about speakers: names, merging, splitting, corrections that un-learn, forgetting, and who may say it.

Recordings and voices are written straight into the database; nothing is listened to.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from speechsearch.domain.errors import DuplicateError, InputError, NotAllowedError, NotFoundError
from speechsearch.domain.speakers import Turn, Voice
from speechsearch.domain.values import Passage, Recording, Span, passage_id
from speechsearch.domain.visitors import Visitor, private
from speechsearch.library.third_pass import whose_voices
from speechsearch.library.voice_matching import matched
from speechsearch.service.open import Service
from speechsearch.store import StoredPassage, StoredVoice
from speechsearch.store.records import Cut
from tests.tiny.fakes import FakeLoader, FakeSpeakerEncoder, open_fakes
from tests.tiny.voices import acted, sounding

OWNER, ANN, BOB = Visitor("owner", True, True), Visitor("ann", may_add=True), Visitor("bob", may_add=True)


class Hall:
    """A service whose recordings are heard as it is told."""

    def __init__(self, service: Service) -> None:
        self.service, self.people = service, service.speakers
        self.keys: dict[str, str] = {}

    def hear(
        self, title: str, *people: str, collection: str = "talks", speaker: str = "", speech_s: float = 30.0
    ) -> str:
        """Take in a recording in which these people speak one after the other, and hear it; return its id."""
        key = self.keys.setdefault(title, f"{len(self.keys) + 1:064x}")
        length_s = speech_s * len(people)
        span = Span(0.0, length_s)
        recording = Recording(key, collection, title, length_s, f"{title}.wav", speaker)
        passage = StoredPassage(Passage(passage_id(key, span), key, span), {})
        self.service.store.recordings.save(recording, f"{key}.wav", [passage], "1", {})
        self.service.store.journal.mark(key, "done")
        self.hear_again(title, *people, speech_s=speech_s)
        return key

    def hear_again(self, title: str, *people: str, speech_s: float = 30.0) -> None:
        """Hear who speaks in a recording."""
        library, key = self.service.library, self.keys[title]
        recording = library.store.recordings.get(key)
        script = [*((number * speech_s, person) for number, person in enumerate(people)), (len(people) * speech_s, "")]
        heard = whose_voices(library, recording, acted(script), library.store.voices.turns(key), "fake-speakers-1")
        kept = [StoredPassage(one, {}) for one in library.store.passages.of(key)]
        owner = recording.collection[1:].partition("/")[0] if recording.collection.startswith("@") else ""
        library.store.voices.save(key, owner, heard, Cut(kept))

    def whose(self, title: str) -> list[str]:
        """Return the labels of the speakers of a recording, by the numbers of the voices."""
        return [one.speaker.label for one in self.people.of_recording(self.keys[title]).voices]

    def id_of(self, label: str) -> str:
        """Return the id of a speaker."""
        (found,) = self.people.called(label)
        return found.speaker_id


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    with open_fakes(tmp_path / "data", FakeLoader(speakers=FakeSpeakerEncoder())) as service:
        yield Hall(service)


def test_a_speaker_is_known_in_all_recordings(hall: Hall) -> None:
    hall.hear("one", "ann", "bob")
    hall.hear("two", "bob", "cyd", "ann")
    assert hall.whose("one") == ["Speaker 1", "Speaker 2"] and hall.whose("two") == [
        "Speaker 2",
        "Speaker 3",
        "Speaker 1",
    ]
    found = hall.people.all()
    assert [(one.label, one.recordings, one.speech_s) for one in found] == [
        ("Speaker 1", 2, 60.0), ("Speaker 2", 2, 60.0), ("Speaker 3", 1, 30.0),
    ]  # fmt: skip
    pairs = hall.people.recordings_of(found[0].speaker_id)
    assert [(recording.title, voice.number, voice.is_confirmed) for recording, voice in pairs] == [
        ("one", 1, False),
        ("two", 3, False),
    ]
    with pytest.raises(NotFoundError, match="no speaker"):
        hall.people.get("x")


def test_a_name_is_given_changed_and_taken_away(hall: Hall) -> None:
    hall.hear("one", "ann")
    hall.hear("two", "bob")
    first, second = hall.id_of("Speaker 1"), hall.id_of("speaker 2")
    assert hall.people.name(first, "  Ann   Lee ").label == "Ann Lee"
    with pytest.raises(DuplicateError, match=r"a speaker 'Ann Lee' already.*merge them"):
        hall.people.name(second, "ann lee")
    for name in ("", " ", "a\nb\0", "Speaker 3", "x" * 81):
        with pytest.raises(InputError, match="cannot be named"):
            hall.people.name(second, name)
    assert hall.people.name(first, "ANN LEE").label == "ANN LEE"
    assert hall.people.called("ann LEE")[0].speaker_id == first and hall.people.called("nobody") == []
    hall.hear("three", "ann")
    assert hall.whose("three") == ["ANN LEE"]
    assert hall.people.unname(first).label == "Speaker 1" and hall.whose("three") == ["Speaker 1"]


def test_metadata_name_the_only_voice_of_a_recording(hall: Hall) -> None:
    hall.hear("one", "ann", speaker="Ann")
    assert hall.whose("one") == ["Ann"]
    hall.hear("three", "ann", "bob", speaker="Bob")
    hall.hear("two", "xan", speaker="ann")
    hall.hear("four", "dan")
    assert hall.whose("two") == ["Ann"], "however it sounds"
    assert hall.whose("three") == ["Ann", "Speaker 2"], "of two voices it is not said whose the name is"
    hall.hear("five", "dan", speaker="Dan")
    assert hall.whose("four") == ["Dan"] == hall.whose("five"), "who is known by voice gets the name"
    hall.hear("six", "bob", speaker="Speaker 9")
    assert hall.whose("six") == ["Speaker 2"], "that is no name"


def test_without_the_name_its_voices_go_where_they_sound_to_belong(hall: Hall) -> None:
    hall.hear("one", "ann")
    hall.people.name(hall.id_of("Speaker 1"), "Ann")
    hall.hear("two", "ann", speaker="Ann")
    hall.hear("three", "xan", speaker="Ann")
    hall.hear("four", "xan", speaker="Ann")
    assert hall.people.get(hall.id_of("Ann")).recordings == 4
    hall.people.unname(hall.id_of("Ann"))
    assert hall.whose("one") == ["Speaker 1"] == hall.whose("two")
    assert hall.whose("three") == hall.whose("four") != ["Speaker 1"], "they had joined only because of the name"
    hall.people.name(hall.id_of("Speaker 1"), "Ann")
    assert hall.people.get(hall.id_of("Ann")).recordings == 4, "the name again undoes it"


def test_merging_and_splitting_undo_each_other(hall: Hall) -> None:
    for title, person in (("one", "ann"), ("two", "ann"), ("three", "bob"), ("four", "bob")):
        hall.hear(title, person)
    ann, bob = hall.id_of("Speaker 1"), hall.id_of("Speaker 2")
    hall.people.name(bob, "Bob")
    merged = hall.people.merge(bob, ann)
    assert (merged.label, merged.recordings, merged.speaker_id) == ("Bob", 4, ann) and len(hall.people.all()) == 1
    with pytest.raises(NotFoundError, match="no speaker"):
        hall.people.get(bob)
    with pytest.raises(InputError, match="cannot be merged with himself"):
        hall.people.merge(ann, ann)
    parted = hall.people.split(ann, [hall.keys["three"], hall.keys["four"]])
    assert (parted.label, parted.recordings) == ("Speaker 3", 2), "a number is never given twice"
    assert hall.whose("one") == ["Bob"] == hall.whose("two")
    hall.hear("five", "bob")
    assert hall.whose("five") == ["Speaker 3"]
    assert hall.people.merge(parted.speaker_id, ann).recordings == 5 and hall.service.store.voices.refusals() == set()
    for ids in ([], ["0" * 64], list(hall.keys.values())):
        with pytest.raises(InputError, match="nothing to split"):
            hall.people.split(ann, ids)


def test_a_correction_is_remembered_and_unlearns(hall: Hall) -> None:
    hall.hear("one", "ann")
    hall.hear("two", "ann")  # heard as Ann's, though it is Bob's
    key, ann = hall.keys["two"], hall.id_of("Speaker 1")
    assert hall.whose("two") == ["Speaker 1"] and not hall.people.of_recording(key).voices[0].is_confirmed
    bob = hall.people.assign(key, 1)
    assert bob.label == "Speaker 2" and hall.people.of_recording(key).voices[0].is_confirmed
    assert hall.service.store.voices.refusals() == {(key, 1, ann)}
    hall.hear_again("two", "ann")
    assert hall.whose("two") == [bob.label], "what somebody said stays when it is heard again"
    assert hall.people.assign(key, 1, ann).speaker_id == ann
    assert (key, 1, ann) not in hall.service.store.voices.refusals()
    with pytest.raises(NotFoundError, match="no voice 7"):
        hall.people.assign(key, 7)
    with pytest.raises(NotFoundError, match="no speaker"):
        hall.people.assign(key, 1, "x")


def test_voices_that_joined_because_of_a_wrong_one_follow_it(hall: Hall) -> None:
    hall.hear("one", "ann")
    ann = hall.id_of("Speaker 1")
    hall.hear("two", "bob")
    hall.people.merge(hall.id_of("Speaker 2"), ann)  # a mistake
    hall.hear("three", "ann+bob+bob")
    hall.hear("four", "ann+bob+bob+bob")
    assert hall.whose("three") == hall.whose("four") == ["Speaker 1"]
    bob = hall.people.assign(hall.keys["two"], 1)
    assert hall.whose("three") == hall.whose("four") == [bob.label] and hall.whose("one") == ["Speaker 1"]
    hall.hear("five", "ann")
    assert hall.whose("five") == ["Speaker 1"], "nothing of the wrong voice is left in the profile"


def test_who_is_forgotten_stays_forgotten(hall: Hall) -> None:
    hall.hear("one", "ann", "bob")
    hall.hear("two", "ann")
    ann = hall.id_of("Speaker 1")
    hall.people.name(ann, "Ann")
    hall.people.forget(ann)
    assert hall.whose("one") == ["Speaker 2"] and hall.whose("two") == []
    heard = hall.people.of_recording(hall.keys["one"])
    assert heard.is_heard and [one.voice for one in heard.turns] == [2]
    hall.hear_again("one", "ann", "bob")
    hall.hear_again("two", "ann")
    assert hall.whose("one") == ["Speaker 2"] and hall.whose("two") == []
    hall.hear("three", "ann")
    assert hall.whose("three") == ["Speaker 3"], "a recording that comes later is heard as any other"


def test_two_voices_of_a_recording_are_two_people(hall: Hall) -> None:
    hall.hear("one", "ann")
    hall.hear("two", "ann", "an")
    assert hall.whose("two") == ["Speaker 1", "Speaker 2"]
    hall.people.assign(hall.keys["two"], 2, hall.id_of("Speaker 1"))
    assert hall.whose("two") == ["Speaker 1", "Speaker 1"], "unless somebody says so"
    assert hall.people.get(hall.id_of("Speaker 1")).recordings == 2


def test_short_voices_join_but_found_nobody(hall: Hall) -> None:
    hall.hear("one", "ann", speech_s=3.0)
    hall.hear("two", "ann", speech_s=3.0)
    assert hall.whose("one") != hall.whose("two")
    hall.hear("three", "bob")
    hall.hear("four", "bob", speech_s=3.0)
    assert hall.whose("three") == hall.whose("four")


def test_refused_speakers_are_never_matched() -> None:
    voice = Voice(1, sounding("ann"), 30.0)
    known = [StoredVoice("a" * 64, 1, "ann", sounding("ann"), 30.0, "e")]
    assert matched([voice], known, (), (), 0.7) == {1: "ann"}
    assert matched([voice], known, (), {(1, "ann")}, 0.7) == {}
    assert matched([voice], [], (), (), 0.7) == {} == matched([], known, (), (), 0.7)
    both = [voice, Voice(2, sounding("ann", "bob"), 30.0)]
    assert matched(both, known, (), (), 0.7) == {1: "ann"}


def test_private_speakers_are_nobody_elses(hall: Hall) -> None:
    hall.hear("shared", "ann")
    hall.hear("mine", "ann", collection=private("notes", "ann"))
    hall.hear("his", "ann", collection=private("notes", "bob"))
    assert len({one.speaker_id for one in hall.people.all()}) == 3, "they are never compared"
    (shared,), mine = hall.people.all(OWNER), hall.people.all(ANN)
    own = next(one for one in mine if one != shared)
    assert len(mine) == 2 and len(hall.people.all(BOB)) == 2
    hall.people.name(own.speaker_id, "Secret", ANN)
    assert [one.label for one in hall.people.all(BOB)] == ["Speaker 1", "Speaker 1"]
    assert "Secret" not in str(hall.service.browse.facets(BOB)) and "Secret" in str(hall.service.browse.facets(ANN))
    assert hall.people.called("Secret", BOB) == [] and hall.people.keys(["Secret"], BOB) == ("Secret",)
    assert len(hall.people.keys(["Secret"], ANN)) == 2
    for change in (
        lambda: hall.people.get(own.speaker_id, BOB),
        lambda: hall.people.recordings_of(own.speaker_id, BOB),
        lambda: hall.people.name(own.speaker_id, "x", BOB),
        lambda: hall.people.unname(own.speaker_id, OWNER),
        lambda: hall.people.merge(own.speaker_id, shared.speaker_id, BOB),
        lambda: hall.people.split(own.speaker_id, [hall.keys["mine"]], BOB),
        lambda: hall.people.forget(own.speaker_id, BOB),
        lambda: hall.people.assign(hall.keys["mine"], 1, visitor=BOB),
        lambda: hall.people.of_recording(hall.keys["mine"], BOB),
    ):
        with pytest.raises(NotFoundError, match=r"There is no (speaker|recording)"):
            change()
    for change in (
        lambda: hall.people.name(shared.speaker_id, "x", ANN),
        lambda: hall.people.forget(shared.speaker_id, ANN),
        lambda: hall.people.merge(own.speaker_id, shared.speaker_id, ANN),
        lambda: hall.people.assign(hall.keys["shared"], 1, own.speaker_id, ANN),
    ):
        with pytest.raises(NotAllowedError, match="cannot be changed by visitors"):
            change()
    with pytest.raises(InputError, match="different owners"):
        hall.people.merge(own.speaker_id, shared.speaker_id)
    with pytest.raises(InputError, match="different owners"):
        hall.people.assign(hall.keys["shared"], 1, own.speaker_id)
    assert hall.people.mergeable(own.speaker_id, ANN) == [] == hall.people.mergeable(shared.speaker_id, ANN)
    assert [one.speaker_id for one in hall.people.assignable("talks", ANN)] == [shared.speaker_id]
    assert [one.speaker_id for one in hall.people.assignable(private("more", "ann"))] == [own.speaker_id]
    assert hall.people.may_change(own.speaker_id, ANN) and not hall.people.may_change(shared.speaker_id, ANN)


def test_turns_of_forgotten_voices_are_not_told(hall: Hall) -> None:
    key = hall.hear("one", "ann", "bob")
    hall.people.forget(hall.id_of("Speaker 2"))
    assert hall.people.of_recording(key).turns == (Turn(Span(0.0, 30.0), 1),)
    assert hall.service.export.rttm(key) == "SPEAKER one 1 0.000 30.000 <NA> <NA> Speaker_1 <NA> <NA>\n"
