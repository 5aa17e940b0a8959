"""The third pass: who speaks in a recording is heard, its voices go to speakers, and its passages are cut at turns.

It comes last, when sound and transcripts are there. What it makes of a recording is written in one transaction, so that
a process killed at any time leaves the recording as it was, or heard.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

from speechsearch import audio
from speechsearch.diarization import SAME_PERSON, diarize
from speechsearch.domain.captions import GIVEN
from speechsearch.domain.errors import CapabilityError, InputError
from speechsearch.domain.speakers import Diarization, Turn, TurnTable, checked_speaker_name
from speechsearch.domain.values import Audio, Passage, Recording, Transcript
from speechsearch.domain.visitors import owner_of
from speechsearch.library.intake import encoded
from speechsearch.library.library import Library
from speechsearch.library.turn_cuts import brought, parts_at_turns
from speechsearch.library.voice_matching import matched, same_voices
from speechsearch.store import Store, StoredPassage, StoredVoice
from speechsearch.store.records import Cut, Heard, JoinedBy

OnSound = Callable[[float], None]
"""Told of every stretch of sound that is heard, in seconds; may raise to halt it."""


def hear_speakers(library: Library, recording_id: str, on_sound: OnSound) -> None:
    """Hear who speaks in a recording, and keep it.

    Raises:
        CapabilityError: the library has no speaker encoder.
        DecodeError: the sound cannot be read.
    """
    encoder, store = library.makers.speaker_encoder, library.store
    if encoder is None:
        raise CapabilityError("There is no speaker encoder.", "Set SPEECHSEARCH_ENGINES__SPEAKER_ENCODER.")
    recording, before = store.recordings.get(recording_id), store.voices.turns(recording_id)
    diarization = diarize(sound_of(library, recording, on_sound), encoder.encode)
    recut = cut_anew(library, recording, before, diarization.turns)
    with library.writing, alone(library):
        if store.journal.entry(recording_id) is None:
            return  # deleted meanwhile
        recording = store.recordings.get(recording_id)
        there = store.passages.of(recording_id)
        heard = whose_voices(library, recording, diarization, before, encoder.fingerprint)
        cut = Cut([StoredPassage(one, {}) for one in there])
        if recut is not None:
            written = brought_transcripts(store, recording_id, there, [one.passage for one in recut])
            cut = Cut(recut, library.makers.of_sound, written, library.fingerprint)
        library.index.delete(store.voices.save(recording_id, owner_of(recording.collection), heard, cut))
        library.finish([recording_id])
        library.transcripts_version += 1


def alone(library: Library) -> AbstractContextManager[None]:
    """Have a block run in one process at a time, where several share the database: speakers are found by all voices."""
    return library.store.leases.alone() if library.files.is_shared else nullcontext()


def sound_of(library: Library, recording: Recording, on_sound: OnSound) -> Iterator[tuple[Audio, ...]]:
    """Yield the sound of a recording, block by block, both channels where it is stereo."""
    for block in audio.stream_channels(library.media(recording.recording_id), library.limits, recording.file_name):
        yield block
        on_sound(block[0].duration_s)


def cut_anew(
    library: Library, recording: Recording, before: Sequence[Turn], turns: Sequence[Turn]
) -> list[StoredPassage] | None:
    """Return the passages of a recording, cut at pauses and turns; None where the cut stays as it is."""
    there = library.store.passages.of(recording.recording_id)
    table = TurnTable(turns)
    is_same = not before and all(len(parts_at_turns(one.span, table.within(one.span))) == 1 for one in there)
    if is_same or library.segmentation.method == "none":
        return None
    return list(encoded(library, recording, library.media(recording.recording_id), turns=turns))


def whose_voices(
    library: Library, recording: Recording, diarization: Diarization, before: Sequence[Turn], fingerprint: str
) -> Heard:
    """Return what was heard in a recording, each voice with its speaker.

    A voice that was heard before stays whose it was, and a forgotten one stays forgotten. Others go to whom they sound
    like, or to somebody new. The only voice of a recording whose metadata name somebody is his.

    Args:
        library: has the speakers.
        recording: which one.
        diarization: who speaks when.
        before: the turns of an earlier hearing.
        fingerprint: of the speaker encoder.
    """
    store, recording_id = library.store.voices, recording.recording_id
    known = {one.number: one for one in store.of(recording_id)}
    same = same_voices(before, diarization.turns)
    kept = {new: known[old] for new, old in same.items() if old in known}
    fresh = [one for one in diarization.voices if one.number not in same]
    taken = {one.speaker_id for one in kept.values()}
    owner = owner_of(recording.collection)
    named = store.named(owner)
    others = [
        one
        for one in store.of_owner(owner, fingerprint)
        if one.recording_id != recording_id and one.speaker_id not in taken
    ]
    found = matched(fresh, others, named, (), SAME_PERSON)
    joined: dict[int, tuple[str, JoinedBy]] = {new: (one.speaker_id, one.joined_by) for new, one in kept.items()}
    joined |= {one.number: (found.get(one.number) or new_id(), "sound") for one in fresh}
    names: dict[str, str] = {}
    if len(fresh) == len(diarization.voices) == 1 and (name := usable_name(recording.speaker)):
        speaker_id = speaker_called(name, named, found.get(fresh[0].number))
        joined[fresh[0].number], names[speaker_id] = (speaker_id, "name"), named.get(speaker_id, name)
    voices = [
        StoredVoice(recording_id, one.number, speaker_id, one.vector, one.speech_s, fingerprint, joined_by)
        for one in diarization.voices
        if one.number in joined
        for speaker_id, joined_by in [joined[one.number]]
    ]
    refusals = {
        (new, speaker_id)
        for _, number, speaker_id in store.refusals(recording_id)
        for new, one in kept.items()
        if one.number == number
    }
    return Heard(library.makers.heard_by, diarization.turns, voices, frozenset(refusals), names)


def new_id() -> str:
    """Return an id for a speaker who is new."""
    return str(uuid.uuid4())


def usable_name(name: str) -> str:
    """Return what metadata call the speaker as his name; empty where it cannot be one."""
    try:
        return checked_speaker_name(name)
    except InputError:
        return ""


def speaker_called(name: str, named: Mapping[str, str], like: str | None) -> str:
    """Return the id of the speaker of a name: who has it, or else whom the voice is like if he has none, or a new one.

    >>> named = {"a": "Ann", "b": "Bob"}
    >>> speaker_called("ann", named, "c"), speaker_called("Cyd", named, "c"), len(speaker_called("Cyd", named, "b"))
    ('a', 'c', 36)
    """
    having = [speaker_id for speaker_id, other in named.items() if other.casefold() == name.casefold()]
    if having:
        return having[0]
    return like if like is not None and like not in named else new_id()


def brought_transcripts(
    store: Store, recording_id: str, before: Sequence[Passage], after: Sequence[Passage]
) -> dict[tuple[str, str], dict[str, Transcript]]:
    """Return (recogniser, fingerprint) -> passage id -> transcript, of the passages that are new.

    Given transcripts are brought to them by the second pass, from what was given.
    """
    old = {one.passage_id: one for one in before}
    new = [one for one in after if one.passage_id not in old]
    said: dict[tuple[str, str], dict[Passage, Transcript]] = defaultdict(dict)
    for one in store.transcripts.all_of(recording_id):
        if one.transcript.recognizer != GIVEN:
            said[one.transcript.recognizer, one.fingerprint][old[one.passage_id]] = one.transcript
    return {maker: brought(texts, new) for maker, texts in said.items()}
