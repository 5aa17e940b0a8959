"""Collections: their names, what is said about them, and how much is in each."""

from __future__ import annotations

import sqlalchemy as sa

from speechsearch.domain.errors import DuplicateError, NotFoundError
from speechsearch.store.database import Database, upsert
from speechsearch.store.journal import mark_stored
from speechsearch.store.records import ENDED, CollectionSummary
from speechsearch.store.rows import checked_name, collection_row
from speechsearch.store.tables import CollectionRow, JobFileRow, JobRow, JournalRow, LeaseRow, PassageRow, RecordingRow
from speechsearch.store.voices import drop_voiceless


class Collections:
    """The collections of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def names(self) -> list[str]:
        """Return the names of all collections, sorted."""
        with self._database.reading() as connection:
            return list(connection.scalars(sa.select(CollectionRow.name).order_by(CollectionRow.name)))

    def summaries(self) -> list[CollectionSummary]:
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

    def add(self, name: str, description: str = "", licence: str = "", source: str = "") -> None:
        """Make a collection; of one that exists, overwrite what is given here and leave the rest.

        Raises:
            InputError: text that cannot be kept.
        """
        row = collection_row(name, description, licence, source)
        with self._database.writing() as connection:
            upsert(connection, CollectionRow, row, kept=tuple(key for key, value in row.items() if not value))

    def describe(self, name: str, description: str, licence: str, source: str) -> None:
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

    def rename(self, name: str, new_name: str) -> None:
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
            mark_stored(connection, of_journal)
            connection.execute(sa.update(JournalRow).where(of_journal).values(collection=new_name))
            connection.execute(sa.delete(CollectionRow).where(CollectionRow.name == name))

    def delete(self, name: str) -> list[str]:
        """Delete a collection with its recordings, in journal and jobs too; return the ids of its passages.

        Speakers who are heard nowhere else go with it. An unknown collection is no error.
        """
        in_collection = sa.select(RecordingRow.recording_id).where(RecordingRow.collection == name)
        with self._database.writing() as connection:
            of_collection = PassageRow.recording_id.in_(in_collection)
            gone = sorted(connection.scalars(sa.select(PassageRow.passage_id).where(of_collection)))
            mentions = (JournalRow.collection == name) | JournalRow.recording_id.in_(in_collection)
            connection.execute(sa.delete(JournalRow).where(mentions))
            for table in (JobFileRow, LeaseRow):
                connection.execute(sa.delete(table).where(table.recording_id.in_(in_collection)))
            ended = (JobRow.collection == name) & JobRow.state.in_(ENDED)
            connection.execute(sa.delete(JobRow).where(ended))
            connection.execute(sa.delete(CollectionRow).where(CollectionRow.name == name))
            drop_voiceless(connection)
        self._database.forget()
        return gone
