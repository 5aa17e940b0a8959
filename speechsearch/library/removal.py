"""The way out: recordings and collections are removed from disk, index and database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from speechsearch.domain.errors import NotFoundError
from speechsearch.library.library import Library


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deletion removed; ``leftovers``: what a check found of it afterwards, one sentence each."""

    recordings: int
    passages: int
    media_bytes: int
    leftovers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Gone:
    """What is no longer in the index and on the disk: passages by their ids, sound files by their names."""

    recording_ids: Sequence[str]
    passage_ids: Sequence[str]
    media_names: Sequence[str]
    media_bytes: int


def delete_recording(library: Library, recording_id: str) -> Deleted:
    """Remove a recording's audio, passages, vectors and transcripts.

    Raises:
        NotFoundError: there is no such recording.
    """
    library.store.recordings.get(recording_id)
    with library.writing:
        library.store.journal.mark(recording_id, "deleting")
        return _delete(library, recording_id)


def delete_collection(library: Library, name: str) -> Deleted:
    """Remove a collection with all its recordings.

    Raises:
        NotFoundError: there is no such collection.
    """
    store = library.store
    if name not in store.collections.names():
        raise NotFoundError(f"There is no collection '{name}'.", "See: speechsearch collections")
    with library.writing:
        recording_ids = [one.recording_id for one in store.recordings.find(name)]
        store.journal.mark_all(recording_ids, "deleting")
        gone = _remove(library, recording_ids)
        store.collections.delete(name)
        library.version += 1
        return _checked(library, gone)


def recover(library: Library) -> int:
    """Finish what a killed process left half done and return how many recordings that were.

    Raises:
        ConfigurationError: the database has no recordings, and the folder of sound files has.
    """
    store = library.store
    if next(iter(library.index.ids()), None) is None and store.passages.count():
        store.journal.mark_done_as_stored()  # the index was lost
    finished = library.finish_stored()
    deleting = store.journal.entries("deleting")
    for entry in deleting:
        _delete(library, entry.recording_id)
    known = {entry.recording_id for entry in store.journal.entries() if entry.state in ("stored", "done")}
    library.files.sweep(known)
    for file in library.derived.folder.iterdir():
        if file.stem not in known:
            file.unlink()
    return finished + len(deleting)


def _delete(library: Library, recording_id: str) -> Deleted:
    gone = _remove(library, [recording_id])
    library.store.recordings.delete(recording_id)
    library.version += 1
    return _checked(library, gone)


def _remove(library: Library, recording_ids: Sequence[str]) -> _Gone:
    """Remove recordings from the index and their files from the disk; the database still has them."""
    passages = [one.passage_id for each in recording_ids for one in library.store.passages.of(each)]
    library.index.delete(passages)
    names = [library.store.recordings.media_name(one) for one in recording_ids]
    media_bytes = sum(library.files.sizes(names))
    for recording_id, name in zip(recording_ids, names, strict=True):
        library.files.remove(name)
        library.derived.remove(recording_id)
    return _Gone(recording_ids, passages, names, media_bytes)


def _checked(library: Library, gone: _Gone) -> Deleted:
    """Return what was removed, having looked for it once more: for that alone, however large the library is."""
    left = {
        "passages are still in the index": len(list(library.index.ids(gone.passage_ids))),
        "passages are still in the database": len(library.store.passages.get(gone.passage_ids)),
        "sound files are still there": sum(size > 0 for size in library.files.sizes(gone.media_names)),
    }
    leftovers = tuple(f"{number} deleted {what}." for what, number in left.items() if number)
    return Deleted(len(gone.recording_ids), len(gone.passage_ids), gone.media_bytes, leftovers)
