"""The only door to the database, and the only place that changes recordings."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from speechsearch.domain.errors import DuplicateError, InputError, NotFoundError
from speechsearch.domain.values import Recording
from speechsearch.store.database import Database, upsert
from speechsearch.store.job_rows import Jobs
from speechsearch.store.journal import Journal, journal_row
from speechsearch.store.judgements import Feedback, judgement_rows
from speechsearch.store.reader import Reader
from speechsearch.store.records import CollectionSummary, StoredPassage
from speechsearch.store.rows import (
    checked_name,
    collection_row,
    passage_row,
    recording_row,
    track_row,
    transcript_row,
    vector_rows,
)
from speechsearch.store.tables import (
    CollectionRow,
    FeedbackRow,
    JournalRow,
    PassageRow,
    RecordingRow,
    TrackRow,
    TranscriptRow,
    VectorRow,
)


class Repository(Reader, Journal, Jobs, Feedback):
    """Recordings, passages, their vectors and transcripts, the journal and the jobs; usable from several threads.

    ``url``: ``sqlite:///path`` or ``postgresql://user:password@host/name``. Every method raises StoreError when the
    database fails.

    Raises:
        ConfigurationError: the URL is of another kind or none at all.
        MissingDependencyError: PostgreSQL's driver is not installed.
        StoreError: the database cannot be opened or was written by a newer version.
    """

    def __init__(self, url: str) -> None:
        super().__init__(Database(url))

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def collections(self) -> list[CollectionSummary]:
        """Return the collections and how much is in each, by name."""
        held = (
            sa.select(
                RecordingRow.collection,
                sa.func.count().label("recordings"),
                sa.func.sum(RecordingRow.duration_s).label("duration_s"),
            )
            .group_by(RecordingRow.collection)
            .subquery()
        )
        cut = (
            sa.select(RecordingRow.collection, sa.func.count().label("passages"))
            .join(PassageRow, PassageRow.recording_id == RecordingRow.recording_id)
            .group_by(RecordingRow.collection)
            .subquery()
        )
        statement = (
            sa.select(
                CollectionRow.__table__,
                sa.func.coalesce(held.c.recordings, 0),
                sa.func.coalesce(cut.c.passages, 0),
                sa.func.coalesce(held.c.duration_s, 0.0),
            )
            .outerjoin(held, held.c.collection == CollectionRow.name)
            .outerjoin(cut, cut.c.collection == CollectionRow.name)
            .order_by(CollectionRow.name)
        )
        with self._database.reading() as connection:
            return [CollectionSummary(*row) for row in connection.execute(statement)]

    def add_collection(self, name: str, description: str = "", licence: str = "", source: str = "") -> None:
        """Make a collection; of one that exists, overwrite what is given here and leave the rest.

        Raises:
            InputError: text that cannot be kept.
        """
        row = collection_row(name, description, licence, source)
        with self._database.writing() as connection:
            upsert(connection, CollectionRow, row, kept=tuple(key for key, value in row.items() if not value))

    def describe_collection(self, name: str, description: str, licence: str, source: str) -> None:
        """Overwrite what is said about a collection.

        Raises:
            InputError: text that cannot be kept.
            NotFoundError: there is none of that name.
        """
        row = collection_row(name, description, licence, source)
        with self._database.writing() as connection:
            change = sa.update(CollectionRow).where(CollectionRow.name == name).values(row)
            if not connection.execute(change).rowcount:
                raise NotFoundError(f"There is no collection {name!r:.200}.")

    def rename_collection(self, name: str, new_name: str) -> None:
        """Give a collection another name and mark its recordings "stored": the index is to learn the name.

        Raises:
            InputError: the new name cannot be kept.
            NotFoundError: there is none of the old name.
            DuplicateError: there is one of the new name.
        """
        table = CollectionRow.__table__
        checked_name(new_name, "collection's name")
        with self._database.writing() as connection:
            row = connection.execute(sa.select(table).where(table.c.name == name)).mappings().first()
            if row is None:
                raise NotFoundError(f"There is no collection {name!r:.200}.")
            if connection.scalar(sa.select(table.c.name).where(table.c.name == new_name)) is not None:
                raise DuplicateError(f"There is a collection {new_name!r:.200} already.", "Choose another name.")
            connection.execute(sa.insert(CollectionRow).values({**row, "name": new_name}))
            of_recordings, of_journal = RecordingRow.collection == name, JournalRow.collection == name
            connection.execute(sa.update(RecordingRow).where(of_recordings).values(collection=new_name))
            _mark_stored(connection, of_journal)
            connection.execute(sa.update(JournalRow).where(of_journal).values(collection=new_name))
            connection.execute(sa.delete(CollectionRow).where(CollectionRow.name == name))

    def describe_recording(self, recording: Recording) -> None:
        """Overwrite title, speaker, date, language, licence and source of a recording and mark it "stored".

        Raises:
            InputError: text that cannot be kept.
            NotFoundError: there is none with this id.
        """
        row = recording_row(recording, self.media_name(recording.recording_id))
        described = {name: row[name] for name in ("title", "speaker", "date", "language", "licence", "source")}
        with self._database.writing() as connection:
            of_recording = RecordingRow.recording_id == recording.recording_id
            connection.execute(sa.update(RecordingRow).where(of_recording).values(described))
            _mark_stored(connection, JournalRow.recording_id == recording.recording_id)

    def save(
        self, recording: Recording, media_name: str, passages: Sequence[StoredPassage], fingerprint: str
    ) -> list[str]:
        """Write a recording with all that was computed from it and mark it "stored", in one transaction.

        What an older fingerprint left of it is replaced. Its collection is made when there is none.

        Returns:
            The ids of its passages that no longer exist, to be deleted from the index.

        Raises:
            InputError: something that cannot be kept; nothing is written.
        """
        recording_id = recording.recording_id
        row = recording_row(recording, media_name)
        passage_rows = [passage_row(stored.passage, recording_id) for stored in passages]
        new_ids = {stored["passage_id"] for stored in passage_rows}
        if len(new_ids) < len(passage_rows):
            raise InputError(f"The passages of recording {recording_id} are not all different.")
        vectors = [row for stored in passages for row in vector_rows(stored)]
        transcripts = [
            transcript_row(stored.passage.passage_id, stored.transcript) for stored in passages if stored.transcript
        ]
        tracks = [track_row(stored.passage.passage_id, stored.track) for stored in passages if stored.track]
        entry = journal_row(recording_id, "stored", recording.file_name, recording.collection, fingerprint=fingerprint)
        of_recording = PassageRow.recording_id == recording_id
        collection = {"name": recording.collection, "description": "", "licence": "", "source": ""}
        with self._database.writing() as connection:
            # First, because it makes others who save the same recording wait on PostgreSQL too.
            upsert(connection, JournalRow, entry)
            upsert(connection, CollectionRow, collection, kept=tuple(collection))
            old_ids = set(connection.scalars(sa.select(PassageRow.passage_id).where(of_recording)))
            judgements = judgement_rows(connection, old_ids & new_ids)
            connection.execute(sa.delete(PassageRow).where(of_recording))
            upsert(connection, RecordingRow, row)
            for table, rows in (
                (PassageRow, passage_rows),
                (VectorRow, vectors),
                (TranscriptRow, transcripts),
                (TrackRow, tracks),
                (FeedbackRow, judgements),
            ):
                if rows:
                    connection.execute(sa.insert(table), rows)
        return sorted(old_ids - new_ids)

    def delete_recording(self, recording_id: str) -> list[str]:
        """Delete a recording with everything of it, its journal entry too; return the ids of its passages.

        An unknown recording is no error, so that a deletion that was interrupted can be repeated.
        """
        with self._database.writing() as connection:
            of_recording = PassageRow.recording_id == recording_id
            gone = sorted(connection.scalars(sa.select(PassageRow.passage_id).where(of_recording)))
            connection.execute(sa.delete(RecordingRow).where(RecordingRow.recording_id == recording_id))
            connection.execute(sa.delete(JournalRow).where(JournalRow.recording_id == recording_id))
        return gone

    def delete_collection(self, name: str) -> list[str]:
        """Delete a collection with its recordings and their journal entries; return the ids of its passages.

        An unknown collection is no error.
        """
        in_collection = sa.select(RecordingRow.recording_id).where(RecordingRow.collection == name)
        with self._database.writing() as connection:
            of_collection = PassageRow.recording_id.in_(in_collection)
            gone = sorted(connection.scalars(sa.select(PassageRow.passage_id).where(of_collection)))
            mentions = (JournalRow.collection == name) | JournalRow.recording_id.in_(in_collection)
            connection.execute(sa.delete(JournalRow).where(mentions))
            connection.execute(sa.delete(CollectionRow).where(CollectionRow.name == name))
        return gone


def _mark_stored(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    """Mark recordings that are done as "stored", so that their points are written to the index again."""
    connection.execute(sa.update(JournalRow).where(which, JournalRow.state == "done").values(state="stored"))
