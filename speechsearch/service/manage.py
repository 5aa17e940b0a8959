"""What changes the library: adding, describing, deleting, rebuilding, each only by those who may."""

from __future__ import annotations

import unicodedata
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from speechsearch.domain.captions import Given, WrittenPassage
from speechsearch.domain.dates import read_date
from speechsearch.domain.errors import (
    DuplicateError,
    InputError,
    NotAllowedError,
    TooLongError,
)
from speechsearch.domain.progress import ProgressCallback
from speechsearch.domain.values import Recording
from speechsearch.domain.visitors import LOCAL, Visitor, owner_of, private, shown_name
from speechsearch.library.given_transcripts import keep_given, keep_written
from speechsearch.library.intake import NOTHING_SAID, IndexOutcome, OnPassages, take_in
from speechsearch.library.library import Library
from speechsearch.library.rebuild import rebuild
from speechsearch.library.removal import Deleted, delete_collection, delete_recording
from speechsearch.library.second_pass import Missing, SecondPass, Unmade
from speechsearch.models.generative_cards import folder_of, keep_states, remove_model, rename_model
from speechsearch.service.browse import Browse
from speechsearch.store.jobs import time_ago

LONGEST_NAME = 80
UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
JOINERS = "\u200c\u200d"
"""Not seen either, but Persian, Hindi and others are not written without."""


class Manage:
    """Adds, describes, deletes; collections are named by their name in the store where it says so."""

    def __init__(self, library: Library, browse: Browse, kept_models: Path) -> None:
        """``kept_models``: where models lie that were trained on collections."""
        self._library, self._browse, self.limits = library, browse, library.limits
        self._kept_models = kept_models
        self._empty_since: dict[str, str] = {}

    def target(self, collection: str, visitor: Visitor = LOCAL) -> str:
        """Return the name in the store of the collection that a visitor's recordings go to.

        Raises:
            NotAllowedError: the visitor may not add any.
            InputError: the name cannot be used.
        """
        if not visitor.may_add:
            raise NotAllowedError(
                "Recordings cannot be added here.", "Log in, or run speechsearch on your own computer."
            )
        name = checked_collection_name(collection)
        if visitor.is_owner:
            return name
        return private(name, visitor.visitor_id)

    def take_in(
        self,
        path: Path,
        recording: Recording,
        on_passages: OnPassages | None = None,
        wants_transcripts: bool = True,
        described: Mapping[str, str] = NOTHING_SAID,
    ) -> IndexOutcome:
        """Make a recording searchable; see ``intake.take_in``. Raises TooLongError for more than a quota."""
        self.check_quota(recording.collection, recording)
        return take_in(self._library, path, recording, on_passages, wants_transcripts, described)

    def keep_given(self, recording_id: str, given: Given) -> bool:
        """Keep what came with a recording; see ``given_transcripts.keep_given``. Raises InputError."""
        return keep_given(self._library, recording_id, given)

    def keep_written(self, recording_id: str, recognizer: str, written: Sequence[WrittenPassage]) -> int:
        """Keep what a recogniser wrote elsewhere; see ``given_transcripts.keep_written``. Raises InputError."""
        return keep_written(self._library, recording_id, recognizer, written)

    def describe_collection(self, collection: str, about: Mapping[str, str]) -> None:
        """Say of a collection (by its name in the store) what its export says, where nothing is said yet."""
        found = [one for one in self._library.store.collections.summaries() if one.name == collection]
        if found and not any((found[0].description, found[0].licence, found[0].source)):
            self._library.store.collections.describe(collection, **about)

    def check_quota(self, collection: str, added: Recording | None = None) -> None:
        """Refuse more speech than one visitor's own collections may hold; everybody's may hold any amount.

        Raises:
            TooLongError: they are full, or would be with one more recording.
        """
        owner, most_s = owner_of(collection), self.limits.visitor_duration_s
        if not owner:
            return
        held_s = sum(
            one.duration_s
            for one in self._library.store.recordings.find()
            if owner_of(one.collection) == owner and (added is None or one.recording_id != added.recording_id)
        )
        if held_s + (added.duration_s if added else 0.0) > most_s:
            raise TooLongError(
                f"Your own collections may hold {most_s / 60:.0f} minutes; {held_s / 60:.0f} are used.",
                "Delete some recordings first, or run speechsearch on your own computer.",
            )

    def mark_failed(self, recording_id: str, file_name: str, collection: str, message: str) -> None:
        """Write a failure to the journal, unless the recording is already searchable."""
        before = self._library.store.journal.entry(recording_id)
        if before is None or before.state == "failed":
            self._library.store.journal.mark(recording_id, "failed", message, file_name, collection)

    def create_collection(
        self, name: str, description: str = "", licence: str = "", source: str = "", visitor: Visitor = LOCAL
    ) -> str:
        """Make an empty collection and return its name in the store.

        Raises:
            NotAllowedError: the visitor may not add any.
            DuplicateError: the visitor has, or sees, one of that name.
            InputError: text that cannot be kept.
        """
        key = self.target(name, visitor)
        self._check_free(key, visitor)
        self._library.store.collections.add(key, description, licence, source)
        return key

    def change_collection(
        self, name: str, changes: Mapping[str, Any], new_name: str = "", visitor: Visitor = LOCAL
    ) -> str:
        """Overwrite description, licence and source as far as given, and the name; return the name in the store.

        Raises:
            NotFoundError, NotAllowedError: there is none of that name that the visitor may change.
            DuplicateError: there is one of the new name.
            InputError: text that cannot be kept.
        """
        key = self._browse.resolve(name, visitor)
        self.check_change(key, visitor)
        new_key = key
        if new_name and new_name != shown_name(key):
            owner, new_key = owner_of(key), checked_collection_name(new_name)
            new_key = private(new_key, owner) if owner else new_key
        if new_key != key:
            self._check_free(new_key, visitor)
            self._library.rename_collection(key, new_key)
            rename_model(self._kept_models, key, new_key)
        (before,) = [one for one in self._library.store.collections.summaries() if one.name == new_key]
        changed = replace(before, **changes)
        self._library.store.collections.describe(new_key, changed.description, changed.licence, changed.source)
        return new_key

    def _check_free(self, key: str, visitor: Visitor) -> None:
        """Refuse a name that is taken, or that would hide one of everybody's. Raises DuplicateError."""
        names = [one for one in self._library.store.collections.names() if owner_of(one) in ("", visitor.visitor_id)]
        if key in names or shown_name(key) in map(shown_name, names):
            raise DuplicateError(f"There is a collection '{shown_name(key)}' already.", "Choose another name.")

    def change_recording(self, recording_id: str, changes: Mapping[str, Any], visitor: Visitor = LOCAL) -> Recording:
        """Overwrite title, speaker, date, language, licence and source as far as given; return the recording.

        Raises:
            NotFoundError, NotAllowedError: there is none that the visitor may change.
            InputError: text that cannot be kept, or a date that cannot be read for sure.
        """
        recording = self._browse.recording(recording_id, visitor)
        self.check_change(recording.collection, visitor)
        changed = replace(recording, **changes)
        if changed.date != recording.date:
            reading = read_date(changed.date)
            if reading.problem:
                raise InputError(f"The date {reading.problem}")
            changed = replace(changed, date=reading.iso)
        if not changed.title.strip():
            raise InputError("The title is empty.", "A recording needs one, so that it can be told from others.")
        if changed != recording:
            self._library.describe_recording(changed)
        return changed

    def delete_recording(self, recording_id: str, visitor: Visitor = LOCAL) -> Deleted:
        """Remove a recording's audio, vectors and transcripts. Raises NotFoundError, NotAllowedError."""
        key = self._browse.recording(recording_id, visitor).collection
        self.check_change(key, visitor)
        if folder := folder_of(self._kept_models, key):
            gone = {one.passage_id for one in self._library.store.passages.of(recording_id)}
            with self._library.writing:
                keep_states(folder, lambda passage_id: passage_id not in gone)
        return delete_recording(self._library, recording_id)

    def delete_collection(self, name: str, visitor: Visitor = LOCAL) -> Deleted:
        """Remove a collection with all its recordings. Raises NotFoundError, NotAllowedError."""
        key = self._browse.resolve(name, visitor)
        self.check_change(key, visitor)
        return self._delete(key)

    def _delete(self, key: str) -> Deleted:
        """Remove a collection by its name in the store, first what was trained on it. Raises NotFoundError."""
        remove_model(self._kept_models, key)
        return delete_collection(self._library, key)

    def check_change(self, collection: str, visitor: Visitor) -> None:
        """Refuse a visitor who may not change a collection (by its name in the store). Raises NotAllowedError."""
        if not visitor.may_change(collection):
            raise NotAllowedError(
                f"The collection '{shown_name(collection)}' cannot be changed by visitors.", "Its owner must log in."
            )

    def rebuild(self, progress: ProgressCallback | None = None) -> int:
        """Make the index anew from the database, and return its number of passages; see ``rebuild.rebuild``."""
        return rebuild(self._library, progress)

    def catch_up(
        self, progress: ProgressCallback | None = None, recording_ids: Sequence[str] | None = None
    ) -> Generator[Unmade, None, int]:
        """Make what recordings (some) still lack: transcripts, what changed models made; see ``SecondPass.run``."""
        return SecondPass(self._library).run(progress, recording_ids)

    def missing(self) -> list[Missing]:
        """Return what recordings still lack."""
        return SecondPass(self._library).missing()

    def sweep(self, before: str) -> None:
        """Delete visitors' own collections that nothing was added to since a time (see ``store.jobs.time_ago``).

        One that holds nothing counts from when it was first seen.
        """
        for name in filter(owner_of, self._library.store.collections.names()):
            changed_at = self._library.store.journal.last_change(name) or self._empty_since.setdefault(name, time_ago())
            if changed_at < before:
                self._delete(name)


def checked_collection_name(name: str) -> str:
    """Return a name for a collection without spaces around it.

    Raises:
        InputError: it cannot be used.

    >>> checked_collection_name("  my   notes ")
    'my notes'
    """
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or name.startswith("@"):
        raise InputError(
            f"A collection cannot be named {name!r:.200}.", f"1 to {LONGEST_NAME} characters, not beginning with @."
        )
    if any(unicodedata.category(sign) in UNSEEN and sign not in JOINERS for sign in name):
        raise InputError(
            f"A collection cannot be named {name!r:.200}.", "It has signs that are not seen: control characters."
        )
    return name
