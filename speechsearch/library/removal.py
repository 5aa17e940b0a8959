"""The way out: recordings and collections are removed from disk, index and database."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from speechsearch.domain.errors import ConfigurationError, NotFoundError
from speechsearch.library.library import Library

log = logging.getLogger(__name__)

MOST_UNFINISHED = 1
"""A process that is killed leaves one file at most that the database does not know."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deletion removed."""

    recordings: int
    passages: int
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
        removed = _remove(library, recording_ids)
        store.collections.delete(name)
        library.version += 1
    return removed


def recover(library: Library) -> int:
    """Finish what a killed process left half done and return how many recordings that were.

    Raises:
        ConfigurationError: the database is empty and the folder is not.
    """
    store = library.store
    check_database(library)
    finished = library.finish_stored()
    deleting = store.journal.entries("deleting")
    for entry in deleting:
        _delete(library, entry.recording_id)
    for unfinished in library.media_dir.glob("*.unfinished"):
        unfinished.unlink()
    known = {entry.recording_id for entry in store.journal.entries() if entry.state in ("stored", "done")}
    unknown = [file for file in library.media_dir.iterdir() if file.stem not in known]
    if len(unknown) > MOST_UNFINISHED:
        log.warning("%d files in %s are not in the database; they were left there.", len(unknown), library.media_dir)
        known |= {file.stem for file in unknown}
    for file in (*library.media_dir.iterdir(), *library.derived.folder.iterdir()):
        if file.stem not in known:
            file.unlink()
    return finished + len(deleting)


def check_database(library: Library) -> None:
    """Return unless the database of a folder with recordings is empty, as another one would be, or a lost one.

    Raises:
        ConfigurationError: it is.
    """
    files = [file for file in library.media_dir.iterdir() if file.suffix != ".unfinished"]
    if len(files) > MOST_UNFINISHED and not library.store.journal.entries():
        raise ConfigurationError(
            f"The database is empty, but there are {len(files):,} recordings in {library.media_dir}.",
            "Name their database (SPEECHSEARCH_STORE__URL) or restore it from a backup; if it is lost, move them to"
            " another place and take them in again.",
        )


def _delete(library: Library, recording_id: str) -> Deleted:
    removed = _remove(library, [recording_id])
    library.store.recordings.delete(recording_id)
    library.version += 1
    return removed


def _remove(library: Library, recording_ids: Sequence[str]) -> Deleted:
    """Remove recordings from the index and their files from the disk; the database still has them."""
    passages = [one.passage_id for each in recording_ids for one in library.store.passages.of(each)]
    library.index.delete(passages)
    media_bytes = 0
    for recording_id in recording_ids:
        media = library.media(recording_id)
        media_bytes += media.stat().st_size if media.exists() else 0
        media.unlink(missing_ok=True)
        library.derived.remove(recording_id)
    return Deleted(len(recording_ids), len(passages), media_bytes)
