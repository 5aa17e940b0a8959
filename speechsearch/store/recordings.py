"""Recordings: what is known about each, and the one transaction that takes one in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import sqlalchemy as sa

from speechsearch.domain.dates import is_within
from speechsearch.domain.errors import NotFoundError
from speechsearch.domain.values import Recording
from speechsearch.store.cuts import write_cut
from speechsearch.store.database import Database, rows_of, upsert
from speechsearch.store.jobs import time_ago
from speechsearch.store.journal import journal_row, mark_stored
from speechsearch.store.records import StoredPassage
from speechsearch.store.rows import DESCRIBED, described_json, recording_of, recording_row
from speechsearch.store.tables import CollectionRow, JobFileRow, JournalRow, LeaseRow, PassageRow, RecordingRow
from speechsearch.store.voices import drop_voiceless


class Recordings:
    """The recordings of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, collection: str | None = None) -> list[Recording]:
        """Return the recordings (of one collection), by title."""
        statement = sa.select(RecordingRow.__table__).order_by(RecordingRow.title, RecordingRow.recording_id)
        if collection is not None:
            statement = statement.where(RecordingRow.collection == collection)
        with self._database.reading() as connection:
            return [recording_of(row) for row in connection.execute(statement)]

    def get(self, recording_id: str) -> Recording:
        """Return a recording.

        Raises:
            NotFoundError: there is none with this id.
        """
        return recording_of(self._row(recording_id))

    def with_media(self, recording_id: str) -> tuple[Recording, str]:
        """Return a recording and the name of its sound file among the media, read together.

        Raises:
            NotFoundError: there is none with this id.
        """
        row = self._row(recording_id)
        return recording_of(row), row.media_name

    def media_name(self, recording_id: str) -> str:
        """Return the name of a recording's sound file among the media.

        Raises:
            NotFoundError: there is no such recording.
        """
        result: str = self._row(recording_id).media_name
        return result

    def media_names(self, collection: str | None = None) -> dict[str, str]:
        """Return recording id -> name of its sound file among the media, of all recordings (of one collection)."""
        statement = sa.select(RecordingRow.recording_id, RecordingRow.media_name)
        if collection is not None:
            statement = statement.where(RecordingRow.collection == collection)
        with self._database.reading() as connection:
            return {row.recording_id: row.media_name for row in connection.execute(statement)}

    def of_passages(self, passage_ids: Sequence[str]) -> dict[str, Recording]:
        """Return passage id -> its recording; unknown ids are left out."""
        statement = sa.select(PassageRow.passage_id, RecordingRow.__table__).join(
            RecordingRow, RecordingRow.recording_id == PassageRow.recording_id
        )
        with self._database.reading() as connection:
            found = rows_of(connection, statement, PassageRow.passage_id, passage_ids)
            return {row.passage_id: recording_of(row) for row in found}

    def ids_between(self, date_from: str, date_to: str) -> list[str]:
        """Return the ids of the recordings of a time, both ends included; an empty end is open.

        Only those whose date lies in it with all that it may mean: 2019 is not in March 2019, and no date is outside.
        """
        dates = sa.select(RecordingRow.date).where(RecordingRow.date != "").distinct()
        ids = sa.select(RecordingRow.recording_id)
        with self._database.reading() as connection:
            inside = [one for one in connection.scalars(dates) if is_within(one, date_from, date_to)]
            return sorted(row.recording_id for row in rows_of(connection, ids, RecordingRow.date, inside))

    def values_of(self, field: Literal["language", "date"], collections: Sequence[str]) -> list[str]:
        """Return the different values, save the empty one, of a field of some collections' recordings, sorted."""
        column = getattr(RecordingRow, field)
        statement = sa.select(column).where(RecordingRow.collection.in_(collections), column != "").distinct()
        with self._database.reading() as connection:
            return list(connection.scalars(statement.order_by(column)))

    def counts_of_speakers(self, collections: Sequence[str]) -> dict[str, int]:
        """Return speaker as metadata name one -> in how many recordings of some collections."""
        column = RecordingRow.speaker
        statement = sa.select(column, sa.func.count()).where(RecordingRow.collection.in_(collections), column != "")
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(statement.group_by(column))}

    def newest(self, collections: Sequence[str], limit: int) -> list[str]:
        """Return the ids of the recordings of some collections that were added last, the last first."""
        order = (RecordingRow.added_at.desc(), RecordingRow.recording_id)
        statement = sa.select(RecordingRow.recording_id).where(RecordingRow.collection.in_(collections))
        with self._database.reading() as connection:
            return list(connection.scalars(statement.order_by(*order).limit(limit)))

    def most_found(self, collections: Sequence[str], limit: int) -> dict[str, int]:
        """Return recording id -> how often it was found, of the recordings of some collections; the most first."""
        of_them = RecordingRow.collection.in_(collections) & (RecordingRow.times_found > 0)
        order = (RecordingRow.times_found.desc(), RecordingRow.recording_id)
        statement = sa.select(RecordingRow.recording_id, RecordingRow.times_found).where(of_them).order_by(*order)
        with self._database.reading() as connection:
            return {row.recording_id: row.times_found for row in connection.execute(statement.limit(limit))}

    def count_found(self, times: Mapping[str, int]) -> None:
        """Add how often recordings were a likely answer; those that are gone are left out."""
        with self._database.writing() as connection:
            for recording_id, more in times.items():
                of_recording = RecordingRow.recording_id == recording_id
                grown = RecordingRow.times_found + more
                connection.execute(sa.update(RecordingRow).where(of_recording).values(times_found=grown))

    def described(self, recording_id: str) -> dict[str, str] | None:
        """Return what was said about a recording when it was last taken in, by field; None where that was not kept.

        Raises:
            NotFoundError: there is none with this id.
        """
        written = self._row(recording_id).described
        return dict(json.loads(written)) if written else None

    def describe(self, recording: Recording, described: Mapping[str, str] | None = None) -> None:
        """Overwrite title, speaker, date, language, licence and source of a recording and mark it "stored".

        Args:
            recording: with the new ones.
            described: what was said about it by who took it in; None keeps what is known of that.

        Raises:
            InputError: text that cannot be kept.
            NotFoundError: there is none with this id.
        """
        row = recording_row(recording, self.media_name(recording.recording_id))
        changed = {name: row[name] for name in DESCRIBED}
        if described is not None:
            changed["described"] = described_json(described)
        with self._database.writing() as connection:
            of_recording = RecordingRow.recording_id == recording.recording_id
            connection.execute(sa.update(RecordingRow).where(of_recording).values(changed))
            mark_stored(connection, JournalRow.recording_id == recording.recording_id)

    def save(
        self,
        recording: Recording,
        media_name: str,
        passages: Sequence[StoredPassage],
        fingerprint: str,
        made_by: Mapping[str, str],
        wants_transcripts: bool = True,
        described: Mapping[str, str] | None = None,
    ) -> list[str]:
        """Write a recording with what was made of its sound and mark it "stored", in one transaction.

        Of an older cut, the passages that are the same keep all they have; the others are replaced, and what people
        said of them follows (see ``cuts``). Its collection is made when there is none.

        Args:
            recording: what is known about it.
            media_name: the name of its sound file among the media.
            passages: all that it now consists of; vectors may be left out where they are kept from before.
            fingerprint: of the cut.
            made_by: the channels of the vectors -> the fingerprint of what made them.
            wants_transcripts: whether the second pass writes it down.
            described: what was said about it by who took it in; None keeps what is known of that.

        Returns:
            The ids of its passages that no longer exist, to be deleted from the index.

        Raises:
            InputError: something that cannot be kept; nothing is written.
        """
        recording_id = recording.recording_id
        row = {
            **recording_row(recording, media_name),
            "wants_transcripts": wants_transcripts,
            "added_at": time_ago(),
        }
        if described is not None:
            row["described"] = described_json(described)
        entry = journal_row(recording_id, "stored", recording.file_name, recording.collection, fingerprint=fingerprint)
        collection = {"name": recording.collection, "description": "", "licence": "", "source": ""}
        with self._database.writing() as connection:
            # First, because it makes others who save the same recording wait on PostgreSQL too.
            upsert(connection, JournalRow, entry)
            upsert(connection, CollectionRow, collection, kept=tuple(collection))
            upsert(connection, RecordingRow, row, kept=("added_at",))
            return write_cut(connection, recording_id, passages, made_by)

    def delete(self, recording_id: str) -> list[str]:
        """Delete a recording with everything of it, in journal and jobs too; return the ids of its passages.

        Speakers who are heard nowhere else go with it.

        An unknown recording is no error, so that a deletion that was interrupted can be repeated.
        """
        with self._database.writing() as connection:
            of_recording = PassageRow.recording_id == recording_id
            gone = sorted(connection.scalars(sa.select(PassageRow.passage_id).where(of_recording)))
            for table in (RecordingRow, JournalRow, JobFileRow, LeaseRow):
                connection.execute(sa.delete(table).where(table.recording_id == recording_id))
            drop_voiceless(connection)
        self._database.forget()
        return gone

    def _row(self, recording_id: str) -> sa.Row[Any]:
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
