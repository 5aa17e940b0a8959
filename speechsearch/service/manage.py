"""What changes the library: adding, describing, deleting, rebuilding, each only by those who may."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from speechsearch.domain.errors import (
    DuplicateError,
    InputError,
    NotAllowedError,
    TooLongError,
)
from speechsearch.domain.progress import ProgressCallback
from speechsearch.domain.values import Recording
from speechsearch.domain.visitors import LOCAL, Visitor, owner_of, private, shown_name
from speechsearch.library.library import Deleted, IndexOutcome
from speechsearch.service.browse import Reading

LONGEST_NAME = 80


class Keeping(Reading):
    """The use cases that change something; collections are named by their name in the store where it says so."""

    @property
    def fingerprint(self) -> str:
        """A text that changes when the same file would be indexed differently."""
        return self.library.fingerprint

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

    def index_recording(
        self, path: Path, recording: Recording, on_passages: Callable[[int, float], None] | None = None
    ) -> IndexOutcome:
        """Make a recording searchable; see ``Library.index_recording``. Raises TooLongError for more than a quota."""
        self.check_quota(recording.collection, recording)
        return self.library.index_recording(path, recording, on_passages)

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
            for one in self.library.store.recordings()
            if owner_of(one.collection) == owner and (added is None or one.recording_id != added.recording_id)
        )
        if held_s + (added.duration_s if added else 0.0) > most_s:
            raise TooLongError(
                f"Your own collections may hold {most_s / 60:.0f} minutes; {held_s / 60:.0f} are used.",
                "Delete some recordings first, or run speechsearch on your own computer.",
            )

    def mark_failed(self, recording_id: str, file_name: str, collection: str, message: str) -> None:
        """Write a failure to the journal, unless the recording is already searchable."""
        before = self.library.store.journal(recording_id)
        if before is None or before.state == "failed":
            self.library.store.mark(recording_id, "failed", message, file_name, collection)

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
        self.library.store.add_collection(key, description, licence, source)
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
        key = self.resolve(name, visitor)
        self.check_change(key, visitor)
        new_key = key
        if new_name and new_name != shown_name(key):
            owner, new_key = owner_of(key), checked_collection_name(new_name)
            new_key = private(new_key, owner) if owner else new_key
        if new_key != key:
            self._check_free(new_key, visitor)
            self.library.rename_collection(key, new_key)
        (before,) = [one for one in self.library.store.collections() if one.name == new_key]
        changed = replace(before, **changes)
        self.library.store.describe_collection(new_key, changed.description, changed.licence, changed.source)
        return new_key

    def _check_free(self, key: str, visitor: Visitor) -> None:
        """Refuse a name that is taken, or that would hide one of everybody's. Raises DuplicateError."""
        names = [one for one in self.library.store.collection_names() if owner_of(one) in ("", visitor.visitor_id)]
        if key in names or shown_name(key) in map(shown_name, names):
            raise DuplicateError(f"There is a collection '{shown_name(key)}' already.", "Choose another name.")

    def change_recording(self, recording_id: str, changes: Mapping[str, Any], visitor: Visitor = LOCAL) -> Recording:
        """Overwrite title, speaker, date, language, licence and source as far as given; return the recording.

        Raises:
            NotFoundError, NotAllowedError: there is none that the visitor may change.
            InputError: text that cannot be kept.
        """
        recording = self.recording(recording_id, visitor)
        self.check_change(recording.collection, visitor)
        changed = replace(recording, **changes)
        if not changed.title.strip():
            raise InputError("The title is empty.", "A recording needs one, so that it can be told from others.")
        if changed != recording:
            self.library.describe_recording(changed)
        return changed

    def delete_recording(self, recording_id: str, visitor: Visitor = LOCAL) -> Deleted:
        """Remove a recording's audio, vectors and transcripts. Raises NotFoundError, NotAllowedError."""
        self.check_change(self.recording(recording_id, visitor).collection, visitor)
        return self.library.delete_recording(recording_id)

    def delete_collection(self, name: str, visitor: Visitor = LOCAL) -> Deleted:
        """Remove a collection with all its recordings. Raises NotFoundError, NotAllowedError."""
        key = self.resolve(name, visitor)
        self.check_change(key, visitor)
        return self.library.delete_collection(key)

    def check_change(self, collection: str, visitor: Visitor) -> None:
        """Refuse a visitor who may not change a collection (by its name in the store). Raises NotAllowedError."""
        if not visitor.may_change(collection):
            raise NotAllowedError(
                f"The collection '{shown_name(collection)}' cannot be changed by visitors.", "Its owner must log in."
            )

    def rebuild(self, progress: ProgressCallback | None = None) -> int:
        """Make the index anew, remember its models, and return its number of passages."""
        self.library.store.set_setting("models", "an interrupted rebuild")
        passages = self.library.rebuild(progress)
        self.library.store.set_setting("models", self.library.model_fingerprint)
        return passages


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
    return name
