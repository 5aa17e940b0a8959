"""Transcripts: what recognisers made of passages, each kept beside those of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from speechsearch.domain.values import Transcript
from speechsearch.store.database import Database, rows_of, upsert
from speechsearch.store.journal import mark_stored
from speechsearch.store.passages import write_encoded
from speechsearch.store.records import StoredPassage, TranscriptOf
from speechsearch.store.rows import transcript_of, transcript_row
from speechsearch.store.tables import JournalRow, PassageRow, RecordingRow, TranscriptRow


class Transcripts:
    """The transcripts of a database, by passage and recogniser."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, passage_ids: Sequence[str], recognizer: str) -> dict[str, Transcript]:
        """Return passage id -> a recogniser's transcript, for those that have one.

        Raises:
            StoreError: a row is damaged.
        """
        statement = sa.select(TranscriptRow.__table__).where(TranscriptRow.recognizer == recognizer)
        with self._database.reading() as connection:
            found = rows_of(connection, statement, TranscriptRow.passage_id, passage_ids)
            return {row.passage_id: transcript_of(row) for row in found}

    def texts(self, passage_ids: Sequence[str], recognizer: str) -> dict[str, str]:
        """Return passage id -> what a recogniser wrote, without the times of words, for those that have it."""
        columns = [TranscriptRow.__table__.c[name] for name in ("passage_id", "text")]
        statement = sa.select(*columns).where(TranscriptRow.recognizer == recognizer)
        with self._database.reading() as connection:
            found = rows_of(connection, statement, TranscriptRow.passage_id, passage_ids)
            return {row.passage_id: row.text for row in found}

    def of(self, recording_id: str, recognizer: str, fingerprint: str | None = None) -> dict[str, Transcript]:
        """Return passage id -> a recogniser's transcript of a recording's passages (by one fingerprint of it).

        Raises:
            StoreError: a row is damaged.
        """
        statement = (
            sa.select(TranscriptRow.__table__)
            .join(PassageRow, PassageRow.passage_id == TranscriptRow.passage_id)
            .where(PassageRow.recording_id == recording_id, TranscriptRow.recognizer == recognizer)
        )
        if fingerprint is not None:
            statement = statement.where(TranscriptRow.fingerprint == fingerprint)
        with self._database.reading() as connection:
            return {row.passage_id: transcript_of(row) for row in connection.execute(statement)}

    def all_of(self, recording_id: str) -> list[TranscriptOf]:
        """Return what all recognisers wrote of a recording's passages, in order of time.

        Raises:
            StoreError: a row is damaged.
        """
        of_recording = PassageRow.recording_id == recording_id
        statement = sa.select(TranscriptRow.__table__).join(PassageRow).where(of_recording)
        statement = statement.order_by(PassageRow.start_s, TranscriptRow.passage_id, TranscriptRow.recognizer)
        with self._database.reading() as connection:
            found = connection.execute(statement)
            return [TranscriptOf(row.passage_id, row.fingerprint, transcript_of(row)) for row in found]

    def wanted(self, recording_ids: Sequence[str] | None = None) -> set[str]:
        """Return the ids of the recordings (of some) that are to be written down."""
        statement = sa.select(RecordingRow.recording_id).where(RecordingRow.wants_transcripts)
        with self._database.reading() as connection:
            found = rows_of(connection, statement, RecordingRow.recording_id, recording_ids)
            return {row.recording_id for row in found}

    def save(
        self,
        recording_id: str,
        transcripts: Mapping[str, Transcript],
        fingerprint: str,
        passages: Sequence[StoredPassage],
        made_by: Mapping[str, str],
    ) -> None:
        """Write transcripts of some passages with their vectors and mark the recording "stored", in one transaction.

        Args:
            recording_id: whose passages they are.
            transcripts: passage id -> transcript, those that are new.
            fingerprint: of the recogniser.
            passages: the vectors of transcripts, new ones and known ones.
            made_by: the channels of the vectors -> the fingerprint of what made them.

        Raises:
            InputError: text that cannot be kept; nothing is written.
        """
        rows = [
            transcript_row(passage_id, transcript) | {"fingerprint": fingerprint}
            for passage_id, transcript in transcripts.items()
        ]
        with self._database.writing() as connection:
            mark_stored(connection, JournalRow.recording_id == recording_id)
            for row in rows:
                upsert(connection, TranscriptRow, row)
            write_encoded(connection, recording_id, passages, made_by)
