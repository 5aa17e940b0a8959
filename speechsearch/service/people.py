"""Who speaks: the speakers of a library, and what their owner says about them.

Speakers of everybody's recordings and of each visitor's own are kept apart: nothing is compared over that border.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace

from speechsearch.diarization import SAME_PERSON
from speechsearch.domain.errors import DuplicateError, InputError, NotAllowedError, NotFoundError
from speechsearch.domain.speakers import RecordedSpeakers, RecordedVoice, checked_speaker_name, voice_key
from speechsearch.domain.values import Recording, Speaker
from speechsearch.domain.visitors import LOCAL, Visitor, owner_of, private
from speechsearch.library.library import Library
from speechsearch.library.voice_matching import by_speaker, matched, unlearnt
from speechsearch.service.browse import Browse
from speechsearch.store.records import Move, StoredVoice


class Speakers:
    """Shows who speaks, and keeps what is said about them.

    Args:
        library: whose speakers they are.
        browse: knows what a visitor sees.
        threshold: from which cosine on two voices count as one person's.
    """

    def __init__(self, library: Library, browse: Browse, threshold: float = SAME_PERSON) -> None:
        self._library, self._browse, self._threshold = library, browse, threshold
        self._voices = library.store.voices

    @property
    def are_heard(self) -> bool:
        """Whether recordings are listened to for who speaks; not where it is switched off, or its model is not here."""
        return self._library.makers.speaker_encoder is not None

    def all(self, visitor: Visitor = LOCAL) -> list[Speaker]:
        """Return who is heard in the recordings that the visitor sees: named ones by name, then others by number."""
        found = self._voices.speakers(self._seen(visitor))
        return sorted(found, key=lambda one: (not one.name, one.name.casefold(), one.number, one.speaker_id))

    def assignable(self, collection: str, visitor: Visitor = LOCAL) -> list[Speaker]:
        """Return whose the voices of a collection's recordings can be: who is heard in the same owner's recordings."""
        return self._of_owner(owner_of(collection), visitor)

    def mergeable(self, speaker_id: str, visitor: Visitor = LOCAL) -> list[Speaker]:
        """Return with whom a speaker can be merged: the others of the same owner's recordings. Raises NotFoundError."""
        found = self._of_owner(self._voices.owner_of(speaker_id), visitor)
        return [one for one in found if one.speaker_id != speaker_id]

    def get(self, speaker_id: str, visitor: Visitor = LOCAL) -> Speaker:
        """Return a speaker. Raises NotFoundError, also where he is in no recording that the visitor sees."""
        for one in self._voices.speakers(self._seen(visitor), [speaker_id]):
            return one
        raise NotFoundError(f"There is no speaker {speaker_id!r:.80}.", "He may have been merged with another one.")

    def called(self, name: str, visitor: Visitor = LOCAL) -> list[Speaker]:
        """Return the speakers of this id, name or label ("Speaker 3"), however its capitals are; perhaps nobody."""
        return self._voices.speakers(self._seen(visitor), [one.speaker_id for one in self._meant(name, visitor)])

    def of_recording(self, recording_id: str, visitor: Visitor = LOCAL) -> RecordedSpeakers:
        """Return who speaks when in a recording. Raises NotFoundError."""
        self._browse.recording(recording_id, visitor)
        if not self._voices.is_heard(recording_id):
            return RecordedSpeakers()
        heard = self._voices.of(recording_id)
        found = self._voices.speakers(self._seen(visitor), sorted({one.speaker_id for one in heard}))
        known = {one.speaker_id: one for one in found}
        voices = tuple(
            RecordedVoice(one.number, known[one.speaker_id], one.speech_s, one.joined_by != "sound")
            for one in heard
            if one.speaker_id in known  # one may be forgotten meanwhile
        )
        numbers = {one.number for one in voices}
        turns = tuple(one for one in self._voices.turns(recording_id) if one.voice in numbers)
        return RecordedSpeakers(True, voices, turns)

    def recordings_of(self, speaker_id: str, visitor: Visitor = LOCAL) -> list[tuple[Recording, RecordedVoice]]:
        """Return the recordings in which a speaker is heard, each with his voice there. Raises NotFoundError."""
        speaker = self.get(speaker_id, visitor)
        seen = {one.recording_id: one for one in self._browse.recordings(None, visitor)}
        found = [
            (seen[one.recording_id], RecordedVoice(one.number, speaker, one.speech_s, one.joined_by != "sound"))
            for one in self._voices.of_speakers([speaker_id])
            if one.recording_id in seen
        ]
        return sorted(found, key=lambda pair: (pair[0].title, pair[0].recording_id, pair[1].number))

    def may_change(self, speaker_id: str, visitor: Visitor = LOCAL) -> bool:
        """Say whether the visitor may name, merge, split or forget a speaker. Raises NotFoundError."""
        return may_change(self._voices.owner_of(speaker_id), visitor)

    def name(self, speaker_id: str, name: str, visitor: Visitor = LOCAL) -> Speaker:
        """Give a speaker a name; recordings with one voice whose metadata have this name become his.

        Raises:
            NotFoundError, NotAllowedError: there is none that the visitor may change.
            InputError: the name cannot be used.
            DuplicateError: another one has the name; they can be merged.
        """
        with self._library.writing:
            owner = self._owner(speaker_id, visitor)
            name = checked_speaker_name(name)
            for other, theirs in self._voices.named(owner).items():
                if theirs.casefold() == name.casefold() and other != speaker_id:
                    raise DuplicateError(
                        f"There is a speaker '{theirs}' already.",
                        f"If they are the same person, merge them: {speaker_id} into {other}.",
                    )
            self._voices.move(owner, self._so_named(owner, speaker_id, name), {speaker_id: name})
        return self.get(speaker_id, visitor)

    def unname(self, speaker_id: str, visitor: Visitor = LOCAL) -> Speaker:
        """Take a speaker's name away; voices that are his only because of it go where they sound to belong.

        Raises:
            NotFoundError, NotAllowedError: there is none that the visitor may change.
        """
        with self._library.writing:
            owner = self._owner(speaker_id, visitor)
            theirs = self._voices.of_speakers([speaker_id])
            joined = sorted((one for one in theirs if one.joined_by == "name"), key=lambda one: -one.speech_s)
            stay = [one for one in theirs if one.joined_by != "name"]
            moves = []
            if not stay and joined:
                stay = [joined.pop(0)]
                moves = [Move(*stay[0].key, speaker_id)]
            moves += self._by_sound(owner, joined, [replace(one, joined_by="sound") for one in stay])
            self._voices.move(owner, moves, {speaker_id: ""})
        return self.get(speaker_id, visitor)

    def merge(self, speaker_id: str, into_id: str, visitor: Visitor = LOCAL) -> Speaker:
        """Say that two speakers are one person, and return him; the first is no more. ``split`` undoes it.

        The second's name stays; where he has none, he gets the first's.

        Raises:
            NotFoundError, NotAllowedError: there is none that the visitor may change.
            InputError: they are the same already, or of different owners.
        """
        with self._library.writing:
            owner = self._owner(speaker_id, visitor)
            if speaker_id == into_id:
                raise InputError("A speaker cannot be merged with himself.", "Name another one.")
            self._check_owner(into_id, owner, visitor)
            named = self._voices.named(owner)
            names = {into_id: named[speaker_id]} if speaker_id in named and into_id not in named else {}
            moves = [
                Move(*one.key, into_id, "person" if one.joined_by == "name" else one.joined_by)
                for one in self._voices.of_speakers([speaker_id])
            ]
            self._voices.move(owner, moves, names)
        return self.get(into_id, visitor)

    def split(self, speaker_id: str, recording_ids: Sequence[str], visitor: Visitor = LOCAL) -> Speaker:
        """Say that a speaker's voices in some recordings are somebody else's; return him. ``merge`` undoes it.

        That they are not the former's is remembered.

        Raises:
            NotFoundError, NotAllowedError: there is none that the visitor may change.
            InputError: he has no voice there, or none elsewhere.
        """
        with self._library.writing:
            owner = self._owner(speaker_id, visitor)
            theirs = self._voices.of_speakers([speaker_id])
            parted = [one for one in theirs if one.recording_id in recording_ids]
            if not parted or len(parted) == len(theirs):
                where = "only there" if parted else "not heard there"
                raise InputError(f"The speaker is {where}, so there is nothing to split.", "Name other recordings.")
            new_id = str(uuid.uuid4())
            self._voices.move(owner, [Move(*one.key, new_id, "person", speaker_id) for one in parted], {})
        return self.get(new_id, visitor)

    def assign(self, recording_id: str, number: int, speaker_id: str = "", visitor: Visitor = LOCAL) -> Speaker:
        """Say whose a voice of a recording is, and return him; without an id it is somebody who is not known yet.

        That it is not the former's is remembered, and voices that had joined him because of it follow.

        Raises:
            NotFoundError, NotAllowedError: there is no such voice or speaker that the visitor may change.
            InputError: the speaker is of another owner's recordings.
        """
        with self._library.writing:
            owner = owner_of(self._browse.recording(recording_id, visitor).collection)
            check_may_change(owner, visitor)
            voices = {one.number: one for one in self._voices.of(recording_id)}
            if number not in voices:
                raise NotFoundError(f"The recording has no voice {number}.", "See: speechsearch speakers in RECORDING")
            if speaker_id:
                self._check_owner(speaker_id, owner, visitor)
            former, new_id = voices[number].speaker_id, speaker_id or str(uuid.uuid4())
            refuses = former if former != new_id else ""
            self._voices.move(owner, [Move(recording_id, number, new_id, "person", refuses)], {})
            if refuses:
                self._settle(owner, former, new_id)
        return self.get(new_id, visitor)

    def forget(self, speaker_id: str, visitor: Visitor = LOCAL) -> None:
        """Delete a speaker with all voice data; the recordings stay, and nobody is known where he speaks.

        Raises:
            NotFoundError, NotAllowedError: there is none that the visitor may change.
        """
        with self._library.writing:
            self._owner(speaker_id, visitor)
            self._voices.forget(speaker_id)

    def keys(self, names: Sequence[str], visitor: Visitor = LOCAL) -> tuple[str, ...]:
        """Return by which values the index finds what some speakers say, named as in ``called`` or as in metadata.

        Where a recording's metadata name somebody, and it was heard that none of its voices is his, all of it counts.
        """
        people = [one for name in names for one in self._meant(name, visitor)]
        names = list(dict.fromkeys((*names, *(one.name for one in people if one.name))))
        voices = self._voices.keys_of(sorted({one.speaker_id for one in people}))
        whole = self._voices.heard_where(names) - {recording_id for recording_id, _ in voices}
        keys = [*voices, *((recording_id, 0) for recording_id in sorted(whole))]
        return (*names, *(voice_key(*one) for one in keys))

    def _seen(self, visitor: Visitor) -> list[str]:
        return [one for one in self._library.store.collections.names() if visitor.sees(one)]

    def _of_owner(self, owner: str, visitor: Visitor) -> list[Speaker]:
        return self._voices.speakers([one for one in self._seen(visitor) if owner_of(one) == owner])

    def _meant(self, name: str, visitor: Visitor) -> list[Speaker]:
        """Return whom a visitor means, without counts."""
        wanted = " ".join(name.split()).casefold()
        seen = [one for one, owner in self._voices.people() if visitor.sees(private("", owner) if owner else "")]
        return [one for one in seen if one.speaker_id == wanted] or [
            one for one in seen if one.label.casefold() == wanted
        ]

    def _owner(self, speaker_id: str, visitor: Visitor) -> str:
        """Return whose recordings a speaker is heard in. Raises NotFoundError, NotAllowedError."""
        self.get(speaker_id, visitor)
        owner = self._voices.owner_of(speaker_id)
        check_may_change(owner, visitor)
        return owner

    def _check_owner(self, speaker_id: str, owner: str, visitor: Visitor) -> None:
        if self._owner(speaker_id, visitor) != owner:
            raise InputError(
                "These speakers are of different owners' recordings.", "Shared and private recordings are kept apart."
            )

    def _so_named(self, owner: str, speaker_id: str, name: str) -> list[Move]:
        """Return the moves of the only voices of recordings whose metadata have a name, to its speaker."""
        store, found = self._library.store, []
        refused = store.voices.refusals()
        for recording in store.recordings.find():
            if owner_of(recording.collection) != owner or recording.speaker.casefold() != name.casefold():
                continue
            voices = store.voices.of(recording.recording_id)
            is_free = len(voices) == 1 and voices[0].joined_by == "sound" and voices[0].speaker_id != speaker_id
            if is_free and (*voices[0].key, speaker_id) not in refused:
                found.append(Move(*voices[0].key, speaker_id, "name"))
        return found

    def _by_sound(self, owner: str, voices: Sequence[StoredVoice], stay: Sequence[StoredVoice]) -> list[Move]:
        """Return the moves of voices to whom they sound like, among them who stays; else to somebody new."""
        named, refused = self._voices.named(owner).keys(), self._voices.refusals()
        gone, placed = {one.key for one in (*voices, *stay)}, list(stay)
        for one in voices:
            known = [
                *(other for other in self._voices.of_owner(owner, one.fingerprint) if other.key not in gone),
                *placed,
            ]
            others = [other for other in known if other.recording_id != one.recording_id]
            not_his = {(number, speaker) for recording, number, speaker in refused if recording == one.recording_id}
            found = matched([one], others, named, not_his, self._threshold)
            placed.append(replace(one, speaker_id=found.get(one.number) or str(uuid.uuid4()), joined_by="sound"))
        return [Move(*one.key, one.speaker_id) for one in placed[len(stay) :]]

    def _settle(self, owner: str, former: str, target: str) -> None:
        """Have the former's voices follow that sound more like the target, to whom one of them was given."""
        theirs = by_speaker(self._voices.of_speakers([former, target]))
        named, refused = self._voices.named(owner).keys(), self._voices.refusals()
        mine = theirs.get(former, [])
        follow = unlearnt(mine, theirs.get(target, []), named, refused, self._threshold)
        if follow:
            self._voices.move(owner, [Move(*one.key, target) for one in follow], {})


def may_change(owner: str, visitor: Visitor) -> bool:
    """Say whether a visitor may change the speakers of an owner's recordings.

    >>> may_change("", LOCAL), may_change("", Visitor("ann", may_add=True)), may_change("ann", Visitor("bob"))
    (True, False, False)
    """
    return visitor.may_change(private("", owner) if owner else "")


def check_may_change(owner: str, visitor: Visitor) -> None:
    """Refuse a visitor who may not change the speakers of an owner's recordings. Raises NotAllowedError."""
    if not may_change(owner, visitor):
        raise NotAllowedError("Speakers of these recordings cannot be changed by visitors.", "Their owner must log in.")
