"""Leases: several processes share one work, and no two of them work on one recording at once.

A lease ends by itself when its holder no longer renews it, so what a killed process had is free again soon. All times
are the database's own, because the clocks of machines differ. A recording that failed too often is set aside.

On PostgreSQL a claim locks the recording's row and passes over one that another has locked (``FOR UPDATE SKIP
LOCKED``); on SQLite the transaction itself is the lock (``BEGIN IMMEDIATE``).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy as sa

from speechsearch.store.database import Database, rows_of, upsert
from speechsearch.store.records import Claim, LeaseEntry
from speechsearch.store.rows import checked_name, checked_text
from speechsearch.store.tables import LeaseRow

MOST_TRIES = 3


class Leases:
    """The leases of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, recording_id: str, holder: str, for_s: float) -> Claim:
        """Take a recording for so many seconds, unless another has it or it failed too often.

        Raises:
            InputError: text that cannot be kept.
        """
        row = {
            "recording_id": checked_name(recording_id, "recording id"),
            "holder": checked_name(holder, "holder's name"),
            "expires_s": 0.0,
            "tries": 0,
            "message": "",
        }
        with self._database.writing() as connection:
            upsert(connection, LeaseRow, row, kept=tuple(row))
            locked = sa.select(LeaseRow.__table__).where(LeaseRow.recording_id == recording_id)
            found = connection.execute(locked.with_for_update(skip_locked=True)).first()
            now_s = _now_s(connection)
            if found is None or (found.expires_s > now_s and found.holder != holder):
                return Claim("busy")
            if found.tries >= MOST_TRIES:
                return Claim("set aside", found.tries, found.message)
            values = {"holder": holder, "expires_s": now_s + for_s}
            connection.execute(_of(recording_id).values(values))
            return Claim("held", found.tries, found.message)

    def renew(self, recording_id: str, holder: str, for_s: float) -> bool:
        """Hold a recording for so many seconds from now; say whether it was still the holder's."""
        with self._database.writing() as connection:
            mine = _of(recording_id).where(LeaseRow.holder == holder)
            return connection.execute(mine.values(expires_s=_now_s(connection) + for_s)).rowcount > 0

    def release(self, recording_id: str, holder: str) -> None:
        """End a lease, the work done, and forget what failed before."""
        with self._database.writing() as connection:
            mine = (LeaseRow.recording_id == recording_id) & (LeaseRow.holder == holder)
            connection.execute(sa.delete(LeaseRow).where(mine))

    def give_back(self, holder: str) -> None:
        """End all leases of a holder, the work not done through no fault of the recordings."""
        with self._database.writing() as connection:
            connection.execute(sa.update(LeaseRow).where(LeaseRow.holder == holder).values(expires_s=0.0))

    def fail(self, holder: str, message: str) -> None:
        """End all leases of a holder and count a failure of each recording.

        Raises:
            InputError: text that cannot be kept.
        """
        values = {"expires_s": 0.0, "tries": LeaseRow.tries + 1, "message": checked_text(message, "message")}
        with self._database.writing() as connection:
            connection.execute(sa.update(LeaseRow).where(LeaseRow.holder == holder).values(values))

    def forgive(self, recording_id: str) -> None:
        """Forget how often a recording failed, so that it is tried again."""
        with self._database.writing() as connection:
            connection.execute(_of(recording_id).values(tries=0))

    def held(self, recording_ids: list[str]) -> set[str]:
        """Return which of some recordings somebody works on now."""
        statement = sa.select(LeaseRow.__table__)
        with self._database.reading() as connection:
            now_s = _now_s(connection)
            found = rows_of(connection, statement, LeaseRow.recording_id, recording_ids)
            return {row.recording_id for row in found if row.expires_s > now_s}

    def entries(self) -> list[LeaseEntry]:
        """Return all leases and failures, by recording."""
        statement = sa.select(*(getattr(LeaseRow, name) for name in LeaseEntry.__dataclass_fields__))
        with self._database.reading() as connection:
            return [LeaseEntry(*row) for row in connection.execute(statement.order_by(LeaseRow.recording_id))]

    def alone(self) -> AbstractContextManager[None]:
        """Have a block run in one process at a time, of all that use the database.

        For what reads all recordings and writes by that, such as giving voices to speakers.
        """
        return self._database.alone()


def _of(recording_id: str) -> sa.Update:
    return sa.update(LeaseRow).where(LeaseRow.recording_id == recording_id)


def _now_s(connection: sa.Connection) -> float:
    """Return the database's time, seconds since 1970."""
    now: Any
    if connection.dialect.name == "postgresql":
        now = sa.func.extract("epoch", sa.func.clock_timestamp())
    else:
        now = (sa.func.julianday("now") - 2_440_587.5) * 86_400.0
    return float(connection.scalar(sa.select(now)) or 0.0)
