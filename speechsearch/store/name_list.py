"""The list of names, and in which passages people heard that they are said or not."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from speechsearch.domain.errors import NotFoundError
from speechsearch.domain.listed_name import ListedName
from speechsearch.store.database import Database, upsert
from speechsearch.store.jobs import time_ago
from speechsearch.store.rows import checked_name, checked_text
from speechsearch.store.tables import NameRow, NameVerdictRow


class NameList:
    """The names of a database, by how they are written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self) -> list[ListedName]:
        """Return all names, sorted; one whose row is damaged says so, and hides none of the others."""
        with self._database.reading() as connection:
            found = [name_of(row) for row in connection.execute(sa.select(NameRow.__table__))]
        return sorted(found, key=lambda one: (one.written.casefold(), one.written))

    def put(self, *names: ListedName) -> None:
        """Write names over those that are written the same, all or none.

        Raises:
            InputError: text that cannot be kept.
        """
        rows = [row_of(name) for name in names]
        with self._database.writing() as connection:
            for row in rows:
                upsert(connection, NameRow, row)

    def delete(self, written: str) -> None:
        """Delete a name, with what people heard of it.

        Raises:
            NotFoundError: it is not in the list.
        """
        with self._database.writing() as connection:
            if not connection.execute(sa.delete(NameRow).where(NameRow.written == written)).rowcount:
                raise NotFoundError(f"The list has no name {written!r:.200}.", "It is written as in the list.")

    def judge(self, written: str, passage_id: str, is_said: bool | None) -> None:
        """Keep that a name is said in a passage, or that it is not; None: forget what was kept.

        Raises:
            StoreError: there is no such name or passage.
        """
        mine = (NameVerdictRow.written == written) & (NameVerdictRow.passage_id == passage_id)
        with self._database.writing() as connection:
            if is_said is None:
                connection.execute(sa.delete(NameVerdictRow).where(mine))
            else:
                row = {"written": written, "passage_id": passage_id, "is_said": is_said, "created_at": time_ago()}
                upsert(connection, NameVerdictRow, row)

    def verdicts(self, written: str) -> dict[str, bool]:
        """Return passage id -> whether a name is said in it, for those that somebody has judged."""
        statement = sa.select(NameVerdictRow.passage_id, NameVerdictRow.is_said)
        with self._database.reading() as connection:
            found = connection.execute(statement.where(NameVerdictRow.written == written))
            return {row.passage_id: bool(row.is_said) for row in found}


def row_of(name: ListedName) -> dict[str, Any]:
    """Return the row of a name. Raises InputError."""
    spellings = [checked_text(one, "spelling") for one in name.sounds_like]
    return {
        "written": checked_name(name.written, "name"),
        "sounds_like": json.dumps(spellings, ensure_ascii=False),
        "phonemes": bytes(name.phonemes),
        "heard_by": name.heard_by,
    }


def name_of(row: Any) -> ListedName:
    """Return the name of a row; without spellings where they are damaged."""
    try:
        spellings = json.loads(row.sounds_like)
    except (ValueError, RecursionError):
        spellings = None
    is_damaged = not isinstance(spellings, list) or not all(isinstance(one, str) for one in spellings)
    return ListedName(
        row.written, () if is_damaged else tuple(spellings), tuple(row.phonemes), row.heard_by, is_damaged
    )
