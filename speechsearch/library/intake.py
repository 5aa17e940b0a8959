"""The way in: a file becomes passages that can be found by their sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Any, Literal

from speechsearch import audio
from speechsearch.audio.peaks import Peaks
from speechsearch.domain.errors import SilentError
from speechsearch.domain.room import check_room
from speechsearch.domain.speakers import Turn
from speechsearch.domain.values import Audio, Passage, Recording, passage_id
from speechsearch.domain.visitors import shown_name
from speechsearch.library.batches import ahead, batches
from speechsearch.library.library import Library
from speechsearch.library.turn_cuts import cut_at_turns
from speechsearch.store import StoredPassage

BATCH_S = 240.0
NOTHING_SAID: Mapping[str, str] = MappingProxyType({})
OnPassages = Callable[[int, float], None]
"""Told after every batch: how many passages there are, and up to which second of the file."""


@dataclass(frozen=True, slots=True)
class IndexOutcome:
    """What became of a recording that was to be taken in."""

    state: Literal["indexed", "updated", "unchanged", "duplicate", "skipped"]
    passages: int
    duration_s: float
    message: str = ""


DELETED = IndexOutcome("skipped", 0, 0.0, "It was deleted while it was being encoded anew.")


@dataclass(slots=True)
class Heard:
    """What decoding a recording has told: how long it is, and what of its file was left out."""

    duration_s: float = 0.0
    notes: list[str] = field(default_factory=list)


def take_in(
    library: Library,
    path: Path,
    recording: Recording,
    on_passages: OnPassages | None = None,
    wants_transcripts: bool = True,
    described: Mapping[str, str] = NOTHING_SAID,
) -> IndexOutcome:
    """Make a recording searchable by its sound: it is copied, cut, encoded, stored, indexed. Safe to call again.

    Its transcripts are made by the second pass, unless they are not wanted. ``described``: the fields of the recording
    that somebody said; what is said anew of one that is there already is taken over.

    Raises:
        DecodeError, TooLongError, TooLargeError, SilentError: the file cannot be used.
        StoreError: the disk is full.
    """
    with library.writing:
        if (there := _already_there(library, recording, described)) is not None:
            return there
        is_known = _is_known(library, recording)
        kept_as = _known_now(library, recording, described)[0] if is_known else recording
    check_room(library.derived.folder)
    media_name = media_name_of(kept_as, path.name)
    library.files.keep(path, media_name)
    try:
        # Of a long recording this takes minutes, in which others may delete, rename and describe.
        heard, media = Heard(), library.files.path(media_name)
        stored = list(encoded(library, recording, media, on_passages, heard))
        library.derived.playable(recording, media)  # whoever listens first need not wait
    except BaseException as error:
        if is_known and isinstance(error, Exception) and not _is_known(library, recording):
            return DELETED  # and its sound with it
        if not is_known:
            _forget(library, recording, media_name)
        raise
    with library.writing:
        if is_known and not _is_known(library, recording):
            _forget(library, recording, media_name)
            return DELETED
        if is_known:
            recording, described = _known_now(library, recording, described)
        recording = replace(recording, duration_s=heard.duration_s)
        save_cut(library, recording, media_name, stored, wants_transcripts, described)
    return IndexOutcome("indexed", len(stored), recording.duration_s, " ".join(heard.notes))


def _known_now(
    library: Library, recording: Recording, described: Mapping[str, str]
) -> tuple[Recording, Mapping[str, str]]:
    """Return a recording that is in the library as it is known there, with what is said anew, and all that is said."""
    said = library.store.recordings.described(recording.recording_id)
    known = library.store.recordings.get(recording.recording_id)
    return corrected(known, said, described), {**(said or {}), **described}


def _is_known(library: Library, recording: Recording) -> bool:
    """Say whether a recording is in the library, made with these models or others."""
    entry = library.store.journal.entry(recording.recording_id)
    return entry is not None and entry.state in ("stored", "done")


def _already_there(library: Library, recording: Recording, described: Mapping[str, str]) -> IndexOutcome | None:
    """Return what becomes of a recording that these models have encoded already; None where they have not."""
    store = library.store
    before = store.journal.entry(recording.recording_id)
    if before is None or not _is_known(library, recording) or before.fingerprint != library.fingerprint:
        return None
    known = store.recordings.get(recording.recording_id)
    if before.state == "stored":
        library.finish([known.recording_id])
    passages = len(store.passages.of(known.recording_id))
    if known.collection == recording.collection:
        return update(library, known, described, passages)
    message = f"Same sound as '{known.title}' in collection '{shown_name(known.collection)}'."
    return IndexOutcome("duplicate", passages, known.duration_s, message)


def _forget(library: Library, recording: Recording, media_name: str) -> None:
    """Remove the files of a recording that is not taken in."""
    if not library.files.is_shared:  # another process may just have taken it in
        library.files.remove(media_name)
    library.derived.remove(recording.recording_id)


def update(library: Library, known: Recording, described: Mapping[str, str], passages: int) -> IndexOutcome:
    """Take over what is said anew about a recording that is there."""
    said = library.store.recordings.described(known.recording_id)
    recording = corrected(known, said, described)
    if said != (now := {**(said or {}), **described}):
        library.describe_recording(recording, now)
    changes = [
        f"{name} is '{new}'" + (f", not '{old}'" if old else "")
        for name in described
        if (old := getattr(known, name)) != (new := getattr(recording, name))
    ]
    stays = [
        f"{name} stays '{old}', not '{new}', since somebody may have changed it here"
        for name, new in described.items()
        if said is None and (old := getattr(recording, name)) != new
    ]
    message = "; ".join(changes + stays) + "." if changes or stays else ""
    return IndexOutcome("updated" if changes else "unchanged", passages, known.duration_s, message)


def corrected(known: Recording, said: Mapping[str, str] | None, described: Mapping[str, str]) -> Recording:
    """Return a recording with what is said about it now and was not before; what was changed since by hand stays.

    ``said``: None where that is not known, because an older version took it in; then only what is empty is filled.

    >>> known = Recording("ab", "talks", "Honey, by hand", 9.0, speaker="Bne")
    >>> said = {"title": "Hony", "speaker": "Bne"}
    >>> found = corrected(known, said, {"title": "Hony", "speaker": "Ben"})
    >>> found.title, found.speaker
    ('Honey, by hand', 'Ben')
    >>> corrected(known, None, {"title": "Hony", "date": "2020"}) == replace(known, date="2020")
    True
    """
    changes: dict[str, Any] = {
        name: value
        for name, value in described.items()
        if (not getattr(known, name) if said is None else value != said.get(name))
    }
    return replace(known, **changes)


def save_cut(
    library: Library,
    recording: Recording,
    media_name: str,
    stored: list[StoredPassage],
    wants_transcripts: bool = True,
    described: Mapping[str, str] | None = None,
) -> None:
    """Write a recording that was just cut and encoded to the database and the index."""
    store = library.store
    made_by = library.makers.of_sound
    store.collections.add(recording.collection)
    vanished = store.recordings.save(
        recording, media_name, stored, library.fingerprint, made_by, wants_transcripts, described
    )
    library.index.delete(vanished)
    library.write(library.points(recording))
    store.journal.mark(recording.recording_id, "done")
    library.version += 1


def media_name_of(recording: Recording, file_name: str) -> str:
    """Return the name of a recording's sound file among the media: its id, with the ending of the file.

    >>> media_name_of(Recording("ab", "talks", "Bees", 9.0, "bees.MP3"), "0.mp3")
    'ab.mp3'
    """
    suffix = PurePath(recording.file_name or file_name).suffix.lower()
    return recording.recording_id + (suffix if suffix[1:].isalnum() and len(suffix) <= 6 else "")


def encoded(
    library: Library,
    recording: Recording,
    path: Path,
    on_passages: OnPassages | None = None,
    heard_of: Heard | None = None,
    turns: Sequence[Turn] | None = None,
) -> Iterator[StoredPassage]:
    """Yield the passages of a file with what the speech encoder makes of them; those that have it already without.

    They are cut at pauses, and then where the speaker changes. ``heard_of``: is told at the end how long the recording
    is, and what was left out. ``turns``: who speaks when; None: as it is known.
    """
    if turns is None:
        turns = library.store.voices.turns(recording.recording_id)
    done, peaks, heard_of = 0, Peaks(), heard_of or Heard()

    def keep(block: Audio) -> None:
        peaks.add(block)
        heard_of.duration_s += block.duration_s

    ready = passages_with_sound(library, recording.recording_id)
    name, on_note = recording.file_name, heard_of.notes.append
    cut = audio.passages(path, library.segmentation, library.limits, keep, name, on_note)
    if library.segmentation.method == "pauses":
        cut = cut_at_turns(cut, turns)
    for batch in batches(ahead(cut), BATCH_S, lambda one: one[1].duration_s):
        found = [(Passage(passage_id(recording.recording_id, span), recording.recording_id, span), sound)
                 for span, sound in batch]  # fmt: skip
        fresh = [(passage, sound) for passage, sound in found if passage.passage_id not in ready]
        yield from (StoredPassage(passage, {}) for passage, _ in found if passage.passage_id in ready)
        heard = library.encode([sound for _, sound in fresh]) if fresh else []
        for (passage, _), one in zip(fresh, heard, strict=True):
            yield StoredPassage(passage, one.vectors, one.track)
        done += len(batch)
        if on_passages:
            on_passages(done, batch[-1][0].end_s)
    if not done:
        raise SilentError(f"There is no speech in {recording.file_name or path.name}.", "Nothing was added.")
    library.derived.keep_peaks(recording.recording_id, peaks.all())


def passages_with_sound(library: Library, recording_id: str) -> set[str]:
    """Return the ids of a recording's passages that the present speech encoder has encoded in all its channels."""
    current = library.current_channels(recording_id)
    channels = library.makers.of_sound
    if not channels.keys() <= current:
        return set()
    found = [library.store.passages.ids_with(recording_id, channel) for channel in channels]
    return set.intersection(*found)
