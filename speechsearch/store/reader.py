"""Reads recordings, passages, vectors and transcripts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from speechsearch.domain.errors import NotFoundError
from speechsearch.domain.values import Passage, PhonemeTrack, Recording, Vector
from speechsearch.store.database import BATCH_IDS, Database
from speechsearch.store.records import StoredPassage
from speechsearch.store.rows import passage_of, recording_of, track_of, transcript_of, vector_of
from speechsearch.store.tables import CollectionRow, PassageRow, RecordingRow, TrackRow, TranscriptRow, VectorRow


class Reader:
    """The questions about recordings and passages that a database answers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def recordings(self, collection: str | None = None) -> list[Recording]:
        """Return the recordings (of one collection), by title."""
        statement = sa.select(RecordingRow.__table__).order_by(RecordingRow.title, RecordingRow.recording_id)
        if collection is not None:
            statement = statement.where(RecordingRow.collection == collection)
        with self._database.reading() as connection:
            return [recording_of(row) for row in connection.execute(statement)]

    def recording(self, recording_id: str) -> Recording:
        """Return a recording.

        Raises:
            NotFoundError: there is none with this id.
        """
        return recording_of(self._recording_row(recording_id))

    def media_name(self, recording_id: str) -> str:
        """Return the name of a recording's sound file among the media.

        Raises:
            NotFoundError: there is no such recording.
        """
        return self._recording_row(recording_id).media_name

    def recordings_of(self, passage_ids: Sequence[str]) -> dict[str, Recording]:
        """Return passage id -> its recording; unknown ids are left out."""
        statement = sa.select(PassageRow.passage_id, RecordingRow.__table__).join(
            RecordingRow, RecordingRow.recording_id == PassageRow.recording_id
        )
        rows = self._rows_of(statement, PassageRow.passage_id, passage_ids)
        return {row.passage_id: recording_of(row) for row in rows}

    def passages(self, passage_ids: Sequence[str]) -> dict[str, Passage]:
        """Return passage id -> passage; unknown ids are left out."""
        rows = self._rows_of(sa.select(PassageRow.__table__), PassageRow.passage_id, passage_ids)
        return {row.passage_id: passage_of(row) for row in rows}

    def passages_of(self, recording_id: str) -> list[Passage]:
        """Return the passages of a recording in order of time; none for an unknown recording."""
        with self._database.reading() as connection:
            return _passages_of(connection, recording_id)

    def transcripts(self, passage_ids: Sequence[str]) -> dict[str, str]:
        """Return passage id -> transcript text, for those that have one."""
        statement = sa.select(TranscriptRow.passage_id, TranscriptRow.text)
        return {row.passage_id: row.text for row in self._rows_of(statement, TranscriptRow.passage_id, passage_ids)}

    def tracks(self, passage_ids: Sequence[str]) -> dict[str, PhonemeTrack]:
        """Return passage id -> the phonemes heard in it, for those that have them.

        Raises:
            StoreError: a row is damaged.
        """
        rows = self._rows_of(sa.select(TrackRow.__table__), TrackRow.passage_id, passage_ids)
        return {row.passage_id: track_of(row) for row in rows}

    def vectors(self, name: str, passage_ids: Sequence[str]) -> dict[str, Vector]:
        """Return passage id -> its vector of one name, for those that have it.

        Raises:
            StoreError: a row is damaged.
        """
        statement = sa.select(VectorRow.__table__).where(VectorRow.name == name)
        return {row.passage_id: vector_of(row) for row in self._rows_of(statement, VectorRow.passage_id, passage_ids)}

    def passages_in(self, collection: str) -> list[Passage]:
        """Return the passages of a collection, by recording and time."""
        statement = sa.select(PassageRow.__table__).join(RecordingRow).where(RecordingRow.collection == collection)
        ordered = statement.order_by(PassageRow.recording_id, PassageRow.start_s, PassageRow.passage_id)
        with self._database.reading() as connection:
            return [passage_of(row) for row in connection.execute(ordered)]

    def media_names(self, collection: str) -> dict[str, str]:
        """Return recording id -> name of its sound file among the media, of a collection's recordings."""
        statement = sa.select(RecordingRow.recording_id, RecordingRow.media_name)
        with self._database.reading() as connection:
            found = connection.execute(statement.where(RecordingRow.collection == collection))
            return {row.recording_id: row.media_name for row in found}

    def count_vectors(self, recording_ids: Sequence[str]) -> dict[str, dict[str, int]]:
        """Return recording id -> vector name -> how many passages have it; "" counts the passages themselves."""
        counted: dict[str, dict[str, int]] = {recording_id: {"": 0} for recording_id in recording_ids}
        number = sa.func.count()
        passages = sa.select(PassageRow.recording_id, sa.literal(""), number).group_by(PassageRow.recording_id)
        vectors = (
            sa.select(PassageRow.recording_id, VectorRow.name, number)
            .join(VectorRow)
            .group_by(PassageRow.recording_id, VectorRow.name)
        )
        for statement in (passages, vectors):
            for recording_id, name, found in self._rows_of(statement, PassageRow.recording_id, recording_ids):
                counted[recording_id][name] = found
        return counted

    def collection_names(self) -> list[str]:
        """Return the names of all collections, sorted."""
        with self._database.reading() as connection:
            return list(connection.scalars(sa.select(CollectionRow.name).order_by(CollectionRow.name)))

    def recording_ids_between(self, date_from: str, date_to: str) -> list[str]:
        """Return the ids of the recordings of a time, both ends included; an empty end is open, no date is outside."""
        statement = sa.select(RecordingRow.recording_id).where(RecordingRow.date != "")
        if date_from:
            statement = statement.where(RecordingRow.date >= date_from)
        if date_to:
            statement = statement.where(sa.func.substr(RecordingRow.date, 1, len(date_to)) <= date_to)
        with self._database.reading() as connection:
            return list(connection.scalars(statement.order_by(RecordingRow.recording_id)))

    def values_of(self, field: Literal["speaker", "language", "date"], collections: Sequence[str]) -> list[str]:
        """Return the different values, save the empty one, of a field of some collections' recordings, sorted."""
        column = getattr(RecordingRow, field)
        statement = sa.select(column).where(RecordingRow.collection.in_(collections), column != "").distinct()
        with self._database.reading() as connection:
            return list(connection.scalars(statement.order_by(column)))

    def passage_ids(self) -> set[str]:
        """Return the ids of all passages."""
        with self._database.reading() as connection:
            return set(connection.scalars(sa.select(PassageRow.passage_id)))

    def count_passages(self) -> int:
        """Return how many passages there are."""
        with self._database.reading() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(PassageRow)) or 0

    def stored(self, recording_id: str) -> list[StoredPassage]:
        """Return the passages of a recording with vectors and transcripts, in order of time.

        Raises:
            StoreError: a row is damaged.
        """
        of_recording = PassageRow.recording_id == recording_id
        vectors: dict[str, dict[str, Vector]] = defaultdict(dict)
        with self._database.reading() as connection:
            passages = _passages_of(connection, recording_id)
            for row in connection.execute(sa.select(VectorRow.__table__).join(PassageRow).where(of_recording)):
                vectors[row.passage_id][row.name] = vector_of(row)
            found = connection.execute(sa.select(TranscriptRow.__table__).join(PassageRow).where(of_recording))
            transcripts = {row.passage_id: transcript_of(row) for row in found}
            heard = connection.execute(sa.select(TrackRow.__table__).join(PassageRow).where(of_recording))
            tracks = {row.passage_id: track_of(row) for row in heard}
        return [
            StoredPassage(
                passage,
                vectors[passage.passage_id],
                transcripts.get(passage.passage_id),
                tracks.get(passage.passage_id),
            )
            for passage in passages
        ]

    def each_recording_with_vectors(self) -> Iterator[tuple[Recording, list[StoredPassage]]]:
        """Yield every recording with its stored passages; no transaction is open in between."""
        for recording in self.recordings():
            yield recording, self.stored(recording.recording_id)

    def _recording_row(self, recording_id: str) -> sa.Row:
        """Return the row of a recording.

        Raises:
            NotFoundError: there is none with this id.
        """
        statement = sa.select(RecordingRow.__table__).where(RecordingRow.recording_id == recording_id)
        with self._database.reading() as connection:
            row = connection.execute(statement).first()
        if row is None:
            raise NotFoundError(f"There is no recording {recording_id!r:.80}.")
        return row

    def _rows_of(self, statement: sa.Select, column: InstrumentedAttribute[str], ids: Sequence[str]) -> list[sa.Row]:
        """Return the rows with one of the ids in a column, asked for in batches."""
        found: list[sa.Row] = []
        with self._database.reading() as connection:
            for start in range(0, len(ids), BATCH_IDS):
                batch = column.in_(ids[start : start + BATCH_IDS])
                found += connection.execute(statement.where(batch))
        return found


def _passages_of(connection: sa.Connection, recording_id: str) -> list[Passage]:
    """Return the passages of a recording in order of time."""
    statement = sa.select(PassageRow.__table__).where(PassageRow.recording_id == recording_id)
    ordered = statement.order_by(PassageRow.start_s, PassageRow.end_s, PassageRow.passage_id)
    return [passage_of(row) for row in connection.execute(ordered)]
