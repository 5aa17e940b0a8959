"""The recordings on disk, in the database and in the index, kept in step.

Order of every change: the audio file, one database transaction that marks the recording "stored", the index, the
journal "done". A process killed at any point leaves what ``removal.recover`` finishes. The index holds only vectors
that the present models made; what others made stays in the database until it is made anew.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from speechsearch.domain.limits import Limits, Segmentation
from speechsearch.domain.speakers import voice_key
from speechsearch.domain.values import Audio, Recording, Vector
from speechsearch.index.vector_index import Payload, Point, VectorIndex
from speechsearch.library.makers import Makers
from speechsearch.library.media import TOKENS, DerivedFiles
from speechsearch.library.media_files import MediaFiles, MediaFolder
from speechsearch.models.base import EncodedPassage
from speechsearch.store import Store, StoredPassage

FORMAT = "3"
"""Part of the fingerprint of a cut; raised when the same settings would give other passages."""
POINTS_A_WRITE = 256
MAKERS, CHANGED = "makers", "changed"
"""Under these keys the store keeps which models made what is in the index, and that something was changed."""
LOOKS_EVERY_S = 2.0
"""So often a process asks whether others have changed something."""

Encode = Callable[[Sequence[Audio]], list[EncodedPassage]]


def is_nothing(vector: Vector) -> bool:
    """Say whether a vector holds no information: all zeros, or no terms."""
    return not np.any(vector) if isinstance(vector, np.ndarray) else not len(vector.indices)


def point(recording: Recording, stored: StoredPassage, channels: Collection[str], speakers: tuple[str, ...]) -> Point:
    """Return the index's point of a passage with its vectors in some channels; vectors of nothing are left out."""
    vectors = {name: one for name, one in stored.vectors.items() if name in channels and not is_nothing(one)}
    payload: Payload = {
        "collection": recording.collection,
        "recording_id": recording.recording_id,
        "speaker": speakers,
        "language": recording.language,
        "start_s": stored.passage.span.start_s,
    }
    return Point(stored.passage.passage_id, vectors, payload)


class Library:
    """Everything that is searchable.

    Args:
        data_dir: holds what is made from the audio files, and those themselves.
        store: the source of truth.
        index: for the channels of ``makers``.
        makers: the models.
        segmentation: how recordings are cut.
        limits: what a recording may be.
        heavy: wraps what encodes sound, where it is to run elsewhere.
        files: where the sound files lie; in the data folder if none are given.
    """

    def __init__(
        self,
        data_dir: Path,
        store: Store,
        index: VectorIndex,
        makers: Makers,
        segmentation: Segmentation,
        limits: Limits,
        heavy: Callable[[Encode], Encode] = lambda work: work,
        files: MediaFiles | None = None,
    ) -> None:
        self.files = files or MediaFolder(data_dir / "media")
        self.derived = DerivedFiles(data_dir / "derived", data_dir / TOKENS, limits)
        self.store, self.index, self.makers = store, index, makers
        self.segmentation, self.limits = segmentation, limits
        self.encode = heavy(makers.speech_encoder.encode_passages)
        self.fingerprint = f"{FORMAT}:{hashlib.sha256(segmentation.model_dump_json().encode()).hexdigest()[:8]}"
        """Changes when the same file would be cut otherwise."""
        self.writing = threading.RLock()
        """Held while something is changed."""
        self._version, self._told, self._looked_s = 0, "", -LOOKS_EVERY_S
        self.transcripts_version = 0
        """Grows with every transcript that is written."""
        self.sounds_version = 0
        """Grows with every recording of which is kept what it sounds like."""

    @property
    def version(self) -> int:
        """Grows with every change of recordings, passages or channels of sound, those that others tell of too."""
        if self.files.is_shared and time.monotonic() - self._looked_s > LOOKS_EVERY_S:
            self._looked_s = time.monotonic()
            told = self.store.kept_values.get(CHANGED) or ""
            if told != self._told:  # without a change nothing is written: a writer may count up meanwhile
                self._told = told
                self._version += 1
        return self._version

    @version.setter
    def version(self, version: int) -> None:
        self._version = version

    def tell_others(self) -> None:
        """Tell the processes that share database and index that something was changed."""
        self.store.kept_values.put(CHANGED, uuid.uuid4().hex)

    def media(self, recording_id: str) -> Path:
        """Return where a recording's audio lies. Raises NotFoundError: there is no such recording, or it is gone."""
        return self.files.path(self.store.recordings.media_name(recording_id))

    def current_channels(self, recording_id: str) -> set[str]:
        """Return the channels in which the present models made what a recording has."""
        made_by = self.makers.made_by
        found = self.store.passages.encodings([recording_id])
        return {one.channel for one in found if one.fingerprint == made_by.get(one.channel)}

    def points(self, recording: Recording, passage_ids: Sequence[str] | None = None) -> list[Point]:
        """Return the index's points of a recording's passages (of some)."""
        channels = self.current_channels(recording.recording_id)
        stored = self.store.passages.stored(recording.recording_id, passage_ids)
        speakers = self._speaker_keys(recording)
        return [point(recording, one, channels, speakers(one.passage.passage_id)) for one in stored]

    def _speaker_keys(self, recording: Recording) -> Callable[[str], tuple[str, ...]]:
        """Return what tells by which values a passage is found as somebody's: its voices, or else what metadata say.

        Whose the voices are is not in the index, so naming, merging and splitting speakers leave it as it is.
        """
        voices, whole = self.store.voices, recording.recording_id
        if not voices.is_heard(whole):
            named = (recording.speaker,) if recording.speaker else ()
            return lambda _: named
        numbers = voices.numbers_in(whole)
        return lambda passage_id: tuple(voice_key(whole, one) for one in (0, *numbers.get(passage_id, ())))

    def write(self, points: Sequence[Point]) -> None:
        """Write points to the index."""
        for start in range(0, len(points), POINTS_A_WRITE):
            self.index.upsert(points[start : start + POINTS_A_WRITE])

    def finish(self, recording_ids: Sequence[str]) -> None:
        """Write what is stored of some recordings to the index, in few writes, because each waits for the disk."""
        waiting: list[Point] = []
        for recording_id in recording_ids:
            waiting += self.points(self.store.recordings.get(recording_id))
            if len(waiting) >= POINTS_A_WRITE:
                self.write(waiting)
                waiting = []
        self.write(waiting)
        self.store.journal.mark_all(recording_ids, "done")
        self.version += 1

    def finish_stored(self) -> int:
        """Write all recordings marked "stored" to the index and return how many that were."""
        half_done = [entry.recording_id for entry in self.store.journal.entries("stored")]
        if half_done:
            self.finish(half_done)
        return len(half_done)

    def renew(self) -> None:
        """Have the index hold what the present models made, if other ones made it; a killed process does it again."""
        made_by = json.dumps(self.makers.made_by, sort_keys=True)
        if self.store.kept_values.get(MAKERS) != made_by:
            self.store.journal.mark_done_as_stored()
            self.finish_stored()
            self.store.kept_values.put(MAKERS, made_by)

    def rename_collection(self, name: str, new_name: str) -> None:
        """Give a collection another name, in the database and the index; a killed process is finished by ``recover``.

        Raises:
            NotFoundError: there is none of the old name.
            DuplicateError: there is one of the new name.
            InputError: the new name cannot be kept.
        """
        with self.writing:
            self.store.collections.rename(name, new_name)
            self.finish_stored()

    def describe_recording(self, recording: Recording, described: Mapping[str, str] | None = None) -> None:
        """Overwrite a recording's title, speaker, date, language, licence and source, here and in the index.

        Args:
            recording: with the new ones.
            described: what was said about it by who took it in; None keeps what is known of that.

        Raises:
            NotFoundError: there is none with this id.
            InputError: text that cannot be kept.
        """
        with self.writing:
            self.store.recordings.describe(recording, described)
            self.finish([recording.recording_id])
