"""Passages, the vectors that channels have of them and the phonemes heard in them.

``encodings`` says, for each recording and channel, what made the vectors and how many passages have one: all vectors of
a recording in a channel are always by one maker. The index holds only those whose maker is the present one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from speechsearch.domain.values import Passage, PhonemeTrack, Vector
from speechsearch.store.database import Database, delete_rows, rows_of, upsert
from speechsearch.store.journal import mark_stored
from speechsearch.store.records import Encoding, PassageCount, StoredPassage
from speechsearch.store.rows import passage_of, track_of, track_row, vector_of, vector_rows
from speechsearch.store.tables import EncodingRow, JournalRow, PassageRow, RecordingRow, TrackRow, VectorRow


class Passages:
    """The passages of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, passage_ids: Sequence[str]) -> dict[str, Passage]:
        """Return passage id -> passage; unknown ids are left out."""
        with self._database.reading() as connection:
            found = rows_of(connection, sa.select(PassageRow.__table__), PassageRow.passage_id, passage_ids)
            return {row.passage_id: passage_of(row) for row in found}

    def of(self, recording_id: str) -> list[Passage]:
        """Return the passages of a recording in order of time; none for an unknown recording."""
        with self._database.reading() as connection:
            return _passages_of(connection, PassageRow.recording_id == recording_id)

    def within(self, collection: str) -> list[Passage]:
        """Return the passages of a collection, by recording and time."""
        statement = sa.select(PassageRow.__table__).join(RecordingRow).where(RecordingRow.collection == collection)
        ordered = statement.order_by(PassageRow.recording_id, PassageRow.start_s, PassageRow.passage_id)
        with self._database.reading() as connection:
            return [passage_of(row) for row in connection.execute(ordered)]

    def ids(self) -> set[str]:
        """Return the ids of all passages."""
        with self._database.reading() as connection:
            return set(connection.scalars(sa.select(PassageRow.passage_id)))

    def first_ids(self, limit: int) -> list[str]:
        """Return the ids of at most so many passages, the first in order; ids are hashes, so these are any."""
        ordered = sa.select(PassageRow.passage_id).order_by(PassageRow.passage_id).limit(limit)
        with self._database.reading() as connection:
            return list(connection.scalars(ordered))

    def count(self) -> int:
        """Return how many passages there are."""
        with self._database.reading() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(PassageRow)) or 0

    def are_in(self, collections: Sequence[str]) -> bool:
        """Say whether there are any in some collections; unlike a count it takes no longer where there are many."""
        of_recording = PassageRow.recording_id == RecordingRow.recording_id
        some = sa.exists().where(of_recording, RecordingRow.collection.in_(collections))
        with self._database.reading() as connection:
            return bool(connection.scalar(sa.select(some)))

    def counts(self, recording_ids: Sequence[str] | None = None) -> dict[str, PassageCount]:
        """Return recording id -> how many passages it has, for those (of some) that have some."""
        length_s = sa.func.sum(PassageRow.end_s - PassageRow.start_s)
        columns = (RecordingRow.recording_id, RecordingRow.collection, RecordingRow.speaker, RecordingRow.language)
        statement = (
            sa.select(*columns, sa.func.count(), length_s)
            .join(PassageRow, PassageRow.recording_id == RecordingRow.recording_id)
            .group_by(*columns)
            .order_by(RecordingRow.recording_id)
        )
        with self._database.reading() as connection:
            found = rows_of(connection, statement, RecordingRow.recording_id, recording_ids)
            return {row[0]: PassageCount(*row[1:]) for row in found}

    def ids_with(self, recording_id: str, channel: str) -> set[str]:
        """Return the ids of a recording's passages that have a vector in a channel."""
        statement = sa.select(VectorRow.passage_id).join(PassageRow, PassageRow.passage_id == VectorRow.passage_id)
        with self._database.reading() as connection:
            of_channel = statement.where(PassageRow.recording_id == recording_id, VectorRow.name == channel)
            return set(connection.scalars(of_channel))

    def stored(self, recording_id: str, passage_ids: Sequence[str] | None = None) -> list[StoredPassage]:
        """Return the passages of a recording (of some) with all their vectors and phonemes, in order of time.

        Raises:
            StoreError: a row is damaged.
        """
        of_recording = PassageRow.recording_id == recording_id
        if passage_ids is not None:
            of_recording &= PassageRow.passage_id.in_(passage_ids)
        vectors: dict[str, dict[str, Vector]] = defaultdict(dict)
        with self._database.reading() as connection:
            passages = _passages_of(connection, of_recording)
            for row in connection.execute(sa.select(VectorRow.__table__).join(PassageRow).where(of_recording)):
                vectors[row.passage_id][row.name] = vector_of(row)
            heard = connection.execute(sa.select(TrackRow.__table__).join(PassageRow).where(of_recording))
            tracks = {row.passage_id: track_of(row) for row in heard}
        return [StoredPassage(one, vectors[one.passage_id], tracks.get(one.passage_id)) for one in passages]

    def vectors(self, name: str, passage_ids: Sequence[str]) -> dict[str, Vector]:
        """Return passage id -> its vector in one channel, for those that have it.

        Raises:
            StoreError: a row is damaged.
        """
        statement = sa.select(VectorRow.__table__).where(VectorRow.name == name)
        with self._database.reading() as connection:
            found = rows_of(connection, statement, VectorRow.passage_id, passage_ids)
            return {row.passage_id: vector_of(row) for row in found}

    def tracks(self, passage_ids: Sequence[str]) -> dict[str, PhonemeTrack]:
        """Return passage id -> the phonemes heard in it, for those that have them.

        Raises:
            StoreError: a row is damaged.
        """
        with self._database.reading() as connection:
            found = rows_of(connection, sa.select(TrackRow.__table__), TrackRow.passage_id, passage_ids)
            return {row.passage_id: track_of(row) for row in found}

    def encodings(self, recording_ids: Sequence[str] | None = None) -> list[Encoding]:
        """Return, for each recording (of some) and channel, what made its vectors and how many passages have one."""
        statement = sa.select(EncodingRow.__table__).order_by(EncodingRow.recording_id, EncodingRow.channel)
        with self._database.reading() as connection:
            rows = rows_of(connection, statement, EncodingRow.recording_id, recording_ids)
            return [Encoding(row.recording_id, row.channel, row.fingerprint, row.passages) for row in rows]

    def encode(self, recording_id: str, passages: Sequence[StoredPassage], made_by: Mapping[str, str]) -> None:
        """Write vectors and phonemes of some passages of a recording and mark it "stored", in one transaction.

        Vectors of the same channels by another maker are deleted with it, all that the recording has.

        Args:
            recording_id: which recording.
            passages: some of its passages.
            made_by: the channels of the vectors -> the fingerprint of what made them.

        Raises:
            InputError: something that cannot be kept; nothing is written.
        """
        with self._database.writing() as connection:
            mark_stored(connection, JournalRow.recording_id == recording_id)
            write_encoded(connection, recording_id, passages, made_by)


def write_encoded(
    connection: sa.Connection, recording_id: str, passages: Sequence[StoredPassage], made_by: Mapping[str, str]
) -> None:
    """Write vectors and phonemes of a recording's passages, and count anew what it has in those channels."""
    known = sa.select(EncodingRow.channel, EncodingRow.fingerprint).where(EncodingRow.recording_id == recording_id)
    before = {row.channel: row.fingerprint for row in connection.execute(known)}
    of_recording = sa.select(PassageRow.passage_id).where(PassageRow.recording_id == recording_id)
    stale = [channel for channel, fingerprint in made_by.items() if before.get(channel, fingerprint) != fingerprint]
    for channel in stale:
        ours = (VectorRow.name == channel) & VectorRow.passage_id.in_(of_recording)
        connection.execute(sa.delete(VectorRow).where(ours))
    ids = [stored.passage.passage_id for stored in passages if stored.vectors]
    delete_rows(connection, VectorRow.passage_id, ids, VectorRow.name.in_(made_by))
    if vectors := [row for stored in passages for row in vector_rows(stored)]:
        connection.execute(sa.insert(VectorRow), vectors)
    if tracks := [track_row(one.passage.passage_id, one.track) for one in passages if one.track is not None]:
        delete_rows(connection, TrackRow.passage_id, [row["passage_id"] for row in tracks])
        connection.execute(sa.insert(TrackRow), tracks)
    counted = sa.select(VectorRow.name, sa.func.count()).where(VectorRow.passage_id.in_(of_recording))
    counts = {row[0]: row[1] for row in connection.execute(counted.group_by(VectorRow.name))}
    gone = (EncodingRow.recording_id == recording_id) & EncodingRow.channel.not_in(list(counts))
    connection.execute(sa.delete(EncodingRow).where(gone))
    for channel, number in counts.items():
        fingerprint = made_by.get(channel, before.get(channel, ""))
        row = {"recording_id": recording_id, "channel": channel, "fingerprint": fingerprint, "passages": number}
        upsert(connection, EncodingRow, row)


def _passages_of(connection: sa.Connection, which: sa.ColumnElement[bool]) -> list[Passage]:
    """Return some passages in order of time."""
    statement = sa.select(PassageRow.__table__).where(which)
    ordered = statement.order_by(PassageRow.start_s, PassageRow.end_s, PassageRow.passage_id)
    return [passage_of(row) for row in connection.execute(ordered)]
