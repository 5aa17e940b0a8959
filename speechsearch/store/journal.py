"""How far each recording has come, and small values kept between runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from speechsearch.domain.errors import InputError
from speechsearch.store.database import BATCH_IDS, Database, upsert
from speechsearch.store.records import JOURNAL_STATES, JournalEntry, JournalState
from speechsearch.store.rows import checked_name, checked_text
from speechsearch.store.tables import JournalRow, SettingRow


class Journal:
    """The journal of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def entry(self, recording_id: str) -> JournalEntry | None:
        """Return the entry of a recording, None when it has none."""
        with self._database.reading() as connection:
            row = connection.execute(_entries().where(JournalRow.recording_id == recording_id)).first()
        return None if row is None else JournalEntry(*row)

    def entries(self, state: JournalState | None = None) -> list[JournalEntry]:
        """Return the entries (of one state), the one that changed longest ago first."""
        statement = _entries().order_by(JournalRow.updated_at, JournalRow.recording_id)
        if state is not None:
            statement = statement.where(JournalRow.state == state)
        with self._database.reading() as connection:
            return [JournalEntry(*row) for row in connection.execute(statement)]

    def counts(self) -> dict[str, int]:
        """Return state -> how many recordings are in it, of the states that some are in."""
        statement = sa.select(JournalRow.state, sa.func.count()).group_by(JournalRow.state)
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(statement)}

    def mark(
        self, recording_id: str, state: JournalState, message: str = "", file_name: str = "", collection: str = ""
    ) -> None:
        """Write how far a recording has come; an empty file name or collection leaves the known one.

        Raises:
            InputError: an unknown state, or text that cannot be kept.
        """
        row = journal_row(recording_id, state, file_name=file_name, collection=collection, message=message)
        kept = ("fingerprint", *(name for name in ("file_name", "collection") if not row[name]))
        with self._database.writing() as connection:
            upsert(connection, JournalRow, row, kept)

    def mark_all(self, recording_ids: Sequence[str], state: JournalState) -> None:
        """Write how far recordings have come that the journal knows, all at once.

        Raises:
            InputError: an unknown state.
        """
        change = {"state": checked_state(state), "message": "", "updated_at": _now()}
        with self._database.writing() as connection:
            for start in range(0, len(recording_ids), BATCH_IDS):
                chosen = JournalRow.recording_id.in_(recording_ids[start : start + BATCH_IDS])
                connection.execute(sa.update(JournalRow).where(chosen).values(change))

    def mark_done_as_stored(self) -> None:
        """Mark all recordings that are done as "stored": the index is to be written anew."""
        with self._database.writing() as connection:
            mark_stored(connection, sa.true())

    def last_change(self, collection: str) -> str:
        """Return when a recording of a collection changed last, UTC in ISO 8601; empty when it has none."""
        statement = sa.select(sa.func.max(JournalRow.updated_at)).where(JournalRow.collection == collection)
        with self._database.reading() as connection:
            return connection.scalar(statement) or ""


class KeptValues:
    """Small values of a database, kept between runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> str | None:
        """Return a kept value, None when there is none."""
        with self._database.reading() as connection:
            return connection.scalar(sa.select(SettingRow.value).where(SettingRow.key == key))

    def put(self, key: str, value: str) -> None:
        """Keep a value.

        Raises:
            InputError: text that cannot be kept.
        """
        row = {"key": checked_name(key, "value's name"), "value": checked_text(value, "value")}
        with self._database.writing() as connection:
            upsert(connection, SettingRow, row)


def journal_row(
    recording_id: str, state: str, file_name: str, collection: str, message: str = "", fingerprint: str = ""
) -> dict[str, str]:
    """Return a journal row with the present time.

    Raises:
        InputError: an unknown state, or text that cannot be kept.
    """
    return {
        "recording_id": checked_name(recording_id, "recording id"),
        "file_name": checked_text(file_name, "file name"),
        "collection": checked_text(collection, "collection's name"),
        "state": checked_state(state),
        "fingerprint": checked_text(fingerprint, "fingerprint"),
        "message": checked_text(message, "message"),
        "updated_at": _now(),
    }


def mark_stored(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    """Mark recordings that are done as "stored", so that their points are written to the index again."""
    change = {"state": "stored", "updated_at": _now()}
    connection.execute(sa.update(JournalRow).where(which, JournalRow.state == "done").values(change))


def _entries() -> sa.Select[Any]:
    """Return the query of all entries, columns in the order of ``JournalEntry``."""
    return sa.select(*(getattr(JournalRow, name) for name in JournalEntry.__dataclass_fields__))


def checked_state(state: str) -> str:
    """Return a state that there is.

    Raises:
        InputError: there is no such state.
    """
    if state not in JOURNAL_STATES:
        raise InputError(f"{state!r} is no state of a recording.", f"States: {', '.join(JOURNAL_STATES)}.")
    return state


def _now() -> str:
    """Return the present time, UTC in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
