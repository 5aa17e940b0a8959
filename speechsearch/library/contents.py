"""What is in a collection, how far it is indexed, and how much room everything takes."""

from __future__ import annotations

import stat
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from speechsearch.domain.values import Recording
from speechsearch.library.library import Library
from speechsearch.store import CollectionSummary, JournalEntry

LONGEST_PAGE = 25
BLOCK_BYTES = 512
"""The unit of ``st_blocks``, by POSIX."""


@dataclass(frozen=True, slots=True)
class RecordingState:
    """A recording and how far it is indexed.

    ``vectors``: channel -> how many of the passages have a vector by the present models; ``state`` is that of the
    journal; ``is_current`` says that it was cut as the settings say now.
    """

    recording: Recording
    passages: int
    vectors: Mapping[str, int]
    state: str
    is_current: bool
    media_bytes: int


@dataclass(frozen=True, slots=True)
class Contents:
    """A collection, one page of its recordings, and what could not be added to it.

    ``found`` is the number of recordings that fit the looked-for words, on all pages.
    """

    summary: CollectionSummary
    media_bytes: int
    recordings: tuple[RecordingState, ...]
    found: int
    failures: tuple[JournalEntry, ...]


@dataclass(frozen=True, slots=True)
class Storage:
    """Bytes on this machine's disk; ``index_bytes`` and ``database_bytes`` are 0 when a server keeps them."""

    audio_bytes: int
    database_bytes: int
    index_bytes: int
    total_bytes: int


def bytes_below(path: Path) -> int:
    """Return the room that a file, or all files below a folder, take on the disk; 0 when there is none.

    A file that disappears meanwhile counts nothing, and a hole in a file (the index's log has one) neither.
    """
    files = [path] if path.is_file() else [file for file in path.rglob("*") if not file.is_symlink()]
    return sum(_bytes_of(file) for file in files)


def _bytes_of(file: Path) -> int:
    try:
        status = file.stat()
    except FileNotFoundError:
        return 0
    if not stat.S_ISREG(status.st_mode):
        return 0
    return min(status.st_size, status.st_blocks * BLOCK_BYTES) if hasattr(status, "st_blocks") else status.st_size


def storage_of(data_dir: Path) -> Storage:
    """Return how much room a data folder takes."""
    database = sum(bytes_below(data_dir / f"speechsearch.db{suffix}") for suffix in ("", "-wal", "-shm"))
    return Storage(bytes_below(data_dir / "media"), database, bytes_below(data_dir / "index"), bytes_below(data_dir))


def fits(recording: Recording, words: str) -> bool:
    """Say whether every word is part of a recording's title, speaker, date, language or file name.

    >>> talk = Recording("1", "talks", "On bees", 9.0, speaker="Ada")
    >>> fits(talk, "ada BEE"), fits(talk, "wasps")
    (True, False)
    """
    said = " ".join((recording.title, recording.speaker, recording.date, recording.language, recording.file_name))
    return all(word in said.casefold() for word in words.casefold().split())


def contents_of(library: Library, collection: str, words: str = "", page: int = 1) -> Contents:
    """Return what is in a collection, by its name in the store.

    Args:
        library: where it is.
        collection: a collection that there is.
        words: only recordings with these in their title, speaker, date, language or file name.
        page: which twenty-five of the recordings, from 1.
    """
    (summary,) = [one for one in library.store.collections.summaries() if one.name == collection]
    media_bytes = media_sizes(library, collection)
    found = [one for one in library.store.recordings.find(collection) if fits(one, words)]
    shown = found[(page - 1) * LONGEST_PAGE : page * LONGEST_PAGE]
    entries = [entry for entry in library.store.journal.entries() if entry.collection == collection]
    failures = tuple(entry for entry in reversed(entries) if entry.state == "failed")
    states = _states(library, shown, {entry.recording_id: entry for entry in entries}, media_bytes)
    return Contents(summary, sum(media_bytes.values()), states, len(found), failures)


def media_sizes(library: Library, collection: str) -> dict[str, int]:
    """Return recording id -> bytes of its audio file."""
    names = library.store.recordings.media_names(collection)
    return dict(zip(names, library.files.sizes(list(names.values())), strict=True))


def _states(
    library: Library, recordings: Sequence[Recording], entries: Mapping[str, JournalEntry], media: Mapping[str, int]
) -> tuple[RecordingState, ...]:
    made_by, vectors = library.makers.made_by, defaultdict[str, dict[str, int]](dict)
    for encoding in library.store.passages.encodings([one.recording_id for one in recordings]):
        if encoding.fingerprint == made_by.get(encoding.channel):
            vectors[encoding.recording_id][encoding.channel] = encoding.passages
    states = []
    for one in recordings:
        entry, passages = entries.get(one.recording_id), len(library.store.passages.of(one.recording_id))
        states.append(
            RecordingState(
                one,
                passages,
                vectors[one.recording_id],
                entry.state if entry else "stored",
                entry is not None and entry.fingerprint == library.fingerprint,
                media.get(one.recording_id, 0),
            )
        )
    return tuple(states)
