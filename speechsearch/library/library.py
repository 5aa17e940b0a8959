"""The recordings on disk, in the database and in the index: take in, delete, rebuild, check.

Order of work for one recording: the audio file, then one database transaction (passages, vectors, transcripts, journal
"stored"), then the index, then the journal "done". A process killed at any point leaves what ``recover`` finishes.
"""

from __future__ import annotations

import hashlib
import queue
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Literal

import numpy as np

from speechsearch import audio
from speechsearch.audio.peaks import Peaks
from speechsearch.domain.errors import NotFoundError, SilentError
from speechsearch.domain.limits import Limits, Segmentation
from speechsearch.domain.progress import Progress, ProgressCallback
from speechsearch.domain.values import Audio, Passage, PhonemeTrack, Recording, Span, Vectors, passage_id
from speechsearch.domain.visitors import shown_name
from speechsearch.index.vector_index import Point, VectorIndex
from speechsearch.library.media import DerivedFiles
from speechsearch.models.base import PassageEncoder, Recognizer
from speechsearch.models.device import on_gpu
from speechsearch.models.transcripts import TranscriptEncoder
from speechsearch.store import Repository, StoredPassage

FORMAT = "3"
"""Part of the pipeline's fingerprint; raised when the same models would give other passages or vectors."""
BATCH_S = 240.0
POINTS_A_WRITE = 256


@dataclass(frozen=True, slots=True)
class IndexOutcome:
    """What became of a recording that was to be taken in."""

    state: Literal["indexed", "unchanged", "duplicate"]
    passages: int
    duration_s: float
    message: str = ""


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deletion removed."""

    recordings: int
    passages: int
    media_bytes: int


def point(recording: Recording, stored: StoredPassage) -> Point:
    """Return the index's point of a passage; vectors of nothing (an empty transcript) are left out."""
    vectors = {name: vector for name, vector in stored.vectors.items() if not is_nothing(vector)}
    payload: dict[str, str | float] = {
        "collection": recording.collection,
        "recording_id": recording.recording_id,
        "speaker": recording.speaker,
        "language": recording.language,
        "start_s": stored.passage.span.start_s,
    }
    return Point(stored.passage.passage_id, vectors, payload)


def is_nothing(vector: object) -> bool:
    """Say whether a vector holds no information: all zeros, or no terms."""
    return not np.any(vector) if isinstance(vector, np.ndarray) else not len(vector.indices)  # type: ignore[attr-defined]


class Library:
    """Everything that is searchable, and the way in and out."""

    def __init__(
        self,
        data_dir: Path,
        store: Repository,
        index: VectorIndex,
        encoder: PassageEncoder,
        recognizer: Recognizer,
        transcript_encoder: TranscriptEncoder,
        segmentation: Segmentation,
        limits: Limits,
    ) -> None:
        self.media_dir = data_dir / "media"
        self.media_dir.mkdir(parents=True, exist_ok=True)
        self.derived = DerivedFiles(data_dir / "derived", limits)
        self.store, self.index, self.encoder = store, index, encoder
        self.recognizer, self.transcript_encoder = recognizer, transcript_encoder
        self.segmentation, self.limits = segmentation, limits
        self.model_fingerprint = f"{FORMAT}:{encoder.fingerprint}:{recognizer.fingerprint}"
        cut = hashlib.sha256(segmentation.model_dump_json().encode()).hexdigest()[:8]
        self.fingerprint = f"{self.model_fingerprint}:{cut}"
        self.version = 0
        """Grows with every change, so that what was derived from the passages can be made anew."""
        self._writing = threading.Lock()

        def hear(sounds: Sequence[Audio]) -> tuple[list[Vectors], list[PhonemeTrack]]:
            return self.encoder.encode(sounds), self.encoder.tracks(sounds)

        self._hear = on_gpu(hear)

    def index_recording(
        self, path: Path, recording: Recording, on_passages: Callable[[int, float], None] | None = None
    ) -> IndexOutcome:
        """Make a recording searchable: its audio is copied, cut, encoded, stored, indexed. Safe to call again.

        Raises:
            DecodeError, TooLongError, TooLargeError, SilentError: the file cannot be used.
        """
        with self._writing:
            before = self.store.journal(recording.recording_id)
            if before is not None and before.state in ("stored", "done") and before.fingerprint == self.fingerprint:
                known = self.store.recording(recording.recording_id)
                if before.state == "stored":
                    self._finish_stored([known.recording_id])
                passages = len(self.store.passages_of(known.recording_id))
                if known.collection == recording.collection:
                    return IndexOutcome("unchanged", passages, known.duration_s)
                message = f"Same sound as '{known.title}' in collection '{shown_name(known.collection)}'."
                return IndexOutcome("duplicate", passages, known.duration_s, message)
            if before is not None and before.state in ("stored", "done"):
                recording = replace(recording, collection=before.collection)
            media_name = self._copy(path, recording)
            try:
                stored = list(self._encode(recording, self.media_dir / media_name, on_passages))
            except BaseException:
                if before is None or before.state == "failed":
                    (self.media_dir / media_name).unlink(missing_ok=True)
                raise
            self.store.add_collection(recording.collection)
            vanished = self.store.save(recording, media_name, stored, self.fingerprint)
            self.index.delete(vanished)
            self._write(recording, stored)
            self.store.mark(recording.recording_id, "done")
            self.version += 1
            return IndexOutcome("indexed", len(stored), recording.duration_s)

    def _copy(self, path: Path, recording: Recording) -> str:
        """Copy the file into the media folder under its hash and return its name there."""
        suffix = PurePath(recording.file_name or path.name).suffix.lower()
        name = recording.recording_id + (suffix if suffix[1:].isalnum() and len(suffix) <= 6 else "")
        if not (self.media_dir / name).exists():
            unfinished = self.media_dir / f"{name}.unfinished"
            shutil.copyfile(path, unfinished)
            unfinished.replace(self.media_dir / name)
        return name

    def _encode(
        self, recording: Recording, path: Path, on_passages: Callable[[int, float], None] | None
    ) -> Iterator[StoredPassage]:
        """Yield the passages of a file with all that is computed from them."""
        done, peaks = 0, Peaks()
        for batch in batches(ahead(audio.passages(path, self.segmentation, self.limits, peaks.add)), BATCH_S):
            sounds = [sound for _, sound in batch]
            vectors, tracks = self._hear(sounds)
            transcripts = self.recognizer.transcribe(sounds)
            written = self.transcript_encoder.encode([transcript.text for transcript in transcripts])
            for (span, _), heard, track, transcript, words in zip(
                batch, vectors, tracks, transcripts, written, strict=True
            ):
                passage = Passage(passage_id(recording.recording_id, span), recording.recording_id, span)
                yield StoredPassage(passage, {**heard, **words}, transcript, track)
            done += len(batch)
            if on_passages:
                on_passages(done, batch[-1][0].end_s)
        if not done:
            raise SilentError("There is no speech in it.", "Nothing was added.")
        self.derived.keep_peaks(recording.recording_id, peaks.all())

    def _write(self, recording: Recording, stored: Sequence[StoredPassage]) -> None:
        for start in range(0, len(stored), POINTS_A_WRITE):
            self.index.upsert([point(recording, one) for one in stored[start : start + POINTS_A_WRITE]])

    def _finish_stored(self, recording_ids: Sequence[str]) -> None:
        """Write what is stored of some recordings to the index, in few writes, because each waits for the disk."""
        waiting: list[Point] = []
        for recording_id in recording_ids:
            recording = self.store.recording(recording_id)
            waiting += [point(recording, one) for one in self.store.stored(recording_id)]
            if len(waiting) >= POINTS_A_WRITE:
                self.index.upsert(waiting)
                waiting = []
        self.index.upsert(waiting)
        self.store.mark_all(recording_ids, "done")
        self.version += 1

    def recover(self) -> int:
        """Finish what a killed process left half done and return how many recordings that were."""
        half_done = self.store.journal_entries("stored")
        if half_done:
            self._finish_stored([entry.recording_id for entry in half_done])
        deleting = self.store.journal_entries("deleting")
        for entry in deleting:
            self._delete(entry.recording_id)
        for unfinished in self.media_dir.glob("*.unfinished"):
            unfinished.unlink()
        known = {entry.recording_id for entry in self.store.journal_entries() if entry.state in ("stored", "done")}
        for file in (*self.media_dir.iterdir(), *self.derived.folder.iterdir()):
            if file.stem not in known:
                file.unlink()
        return len(half_done) + len(deleting)

    def delete_recording(self, recording_id: str) -> Deleted:
        """Remove a recording's audio, passages, vectors and transcripts.

        Raises:
            NotFoundError: there is no such recording.
        """
        self.store.recording(recording_id)
        with self._writing:
            self.store.mark(recording_id, "deleting")
            return self._delete(recording_id)

    def _delete(self, recording_id: str) -> Deleted:
        removed = self._remove([recording_id])
        self.store.delete_recording(recording_id)
        self.version += 1
        return removed

    def _remove(self, recording_ids: Sequence[str]) -> Deleted:
        """Remove recordings from the index and their files from the disk; the database still has them."""
        passages = [one.passage_id for each in recording_ids for one in self.store.passages_of(each)]
        self.index.delete(passages)
        media_bytes = 0
        for recording_id in recording_ids:
            media = self.media_dir / self.store.media_name(recording_id)
            media_bytes += media.stat().st_size if media.exists() else 0
            media.unlink(missing_ok=True)
            self.derived.remove(recording_id)
        return Deleted(len(recording_ids), len(passages), media_bytes)

    def delete_collection(self, name: str) -> Deleted:
        """Remove a collection with all its recordings.

        Raises:
            NotFoundError: there is no such collection.
        """
        if name not in self.store.collection_names():
            raise NotFoundError(f"There is no collection '{name}'.", "See: python -m speechsearch collections")
        with self._writing:
            recording_ids = [one.recording_id for one in self.store.recordings(name)]
            self.store.mark_all(recording_ids, "deleting")
            removed = self._remove(recording_ids)
            self.store.delete_collection(name)
            self.version += 1
        return removed

    def rename_collection(self, name: str, new_name: str) -> None:
        """Give a collection another name, in the database and the index; a killed process is finished by ``recover``.

        Raises:
            NotFoundError: there is none of the old name.
            DuplicateError: there is one of the new name.
            InputError: the new name cannot be kept.
        """
        with self._writing:
            self.store.rename_collection(name, new_name)
            self._finish_stored([entry.recording_id for entry in self.store.journal_entries("stored")])

    def describe_recording(self, recording: Recording) -> None:
        """Overwrite a recording's title, speaker, date, language, licence and source, here and in the index.

        Raises:
            NotFoundError: there is none with this id.
            InputError: text that cannot be kept.
        """
        with self._writing:
            self.store.describe_recording(recording)
            self._finish_stored([recording.recording_id])

    def rebuild(self, progress: ProgressCallback | None = None) -> int:
        """Make the index anew and return its number of passages.

        Recordings that the present pipeline encoded come from the database's vectors, others from their audio.
        """
        passages = 0
        entries = [entry for entry in self.store.journal_entries() if entry.state in ("stored", "done")]
        with self._writing:
            self.index.delete(sorted(set(self.index.ids()) - self.store.passage_ids()))
            for number, entry in enumerate(entries, 1):
                recording = self.store.recording(entry.recording_id)
                stored: Sequence[StoredPassage]
                if entry.fingerprint == self.fingerprint:
                    stored = self.store.stored(entry.recording_id)
                else:
                    media_name = self.store.media_name(entry.recording_id)
                    stored = list(self._encode(recording, self.media_dir / media_name, None))
                    self.index.delete(self.store.save(recording, media_name, stored, self.fingerprint))
                self._write(recording, stored)
                self.store.mark(entry.recording_id, "done")
                passages += len(stored)
                if progress:
                    progress(Progress("rebuild", recording.title, number, len(entries)))
            self.version += 1
        return passages

    def differences(self) -> list[str]:
        """Return what does not agree between database, index and audio files, one sentence each."""
        in_store, in_index = self.store.passage_ids(), set(self.index.ids())
        found = []
        if missing := in_store - in_index:
            found.append(f"{len(missing)} passages of the database are not in the index.")
        if extra := in_index - in_store:
            found.append(f"{len(extra)} passages of the index are not in the database.")
        for entry in self.store.journal_entries():
            if entry.state in ("stored", "deleting"):
                found.append(f"Recording {entry.recording_id[:12]} ({entry.file_name}) is half done: {entry.state}.")
            elif entry.state == "done":
                media = self.media_dir / self.store.media_name(entry.recording_id)
                if not media.exists():
                    found.append(f"The audio of recording {entry.recording_id[:12]} ({entry.file_name}) is gone.")
                if entry.fingerprint != self.fingerprint:
                    found.append(
                        f"Recording {entry.recording_id[:12]} ({entry.file_name}) was indexed by an older pipeline."
                    )
        return found


def batches(passages: Iterator[tuple[Span, Audio]], longest_s: float) -> Iterator[list[tuple[Span, Audio]]]:
    """Yield the passages in groups of about ``longest_s`` seconds."""
    group: list[tuple[Span, Audio]] = []
    for passage in passages:
        group.append(passage)
        if sum(sound.duration_s for _, sound in group) >= longest_s:
            yield group
            group = []
    if group:
        yield group


def ahead(passages: Iterator[tuple[Span, Audio]], depth: int = 32) -> Iterator[tuple[Span, Audio]]:
    """Yield the same passages, decoded and cut in a second thread while the first encodes those before."""
    waiting: queue.Queue[tuple[Span, Audio] | BaseException | None] = queue.Queue(depth)
    is_over = threading.Event()

    def put(value: tuple[Span, Audio] | BaseException | None) -> None:
        while not is_over.is_set():
            try:
                waiting.put(value, timeout=0.2)
                return
            except queue.Full:
                continue

    def work() -> None:
        try:
            for passage in passages:
                put(passage)
                if is_over.is_set():
                    return
            put(None)
        except BaseException as error:  # handed to the other thread, which raises it
            put(error)

    thread = threading.Thread(target=work, name="decode", daemon=True)
    thread.start()
    try:
        while (value := waiting.get()) is not None:
            if isinstance(value, BaseException):
                raise value
            yield value
    finally:
        is_over.set()
        thread.join()
