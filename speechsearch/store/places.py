"""Where recordings were taken in from, so that what is done is not even read a second time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import sqlalchemy as sa

from speechsearch.store.database import Database, rows_of, upsert
from speechsearch.store.rows import LARGEST_NAME, checked_text
from speechsearch.store.tables import JournalRow, PlaceRow


class Places:
    """The places of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def done(self, places: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Return place -> version and recording id, of the places (of some) whose recording is done."""
        statement = sa.select(PlaceRow.__table__).join(JournalRow, JournalRow.recording_id == PlaceRow.recording_id)
        with self._database.reading() as connection:
            keys = {_key(place): place for place in places}
            found = rows_of(connection, statement.where(JournalRow.state == "done"), PlaceRow.place, list(keys))
            return {keys[row.place]: (row.version, row.recording_id) for row in found}

    def keep(self, place: str, version: str, recording_id: str) -> None:
        """Write which recording lies at a place.

        Raises:
            InputError: text that cannot be kept.
        """
        row = {
            "place": _key(place),
            "version": checked_text(version, "version"),
            "recording_id": recording_id,
        }
        with self._database.writing() as connection:
            upsert(connection, PlaceRow, row)


def _key(place: str) -> str:
    r"""Return a place as a key: the digest of one that is too long for an index, or that is no text.

    >>> _key("/srv/talk.mp3"), len(_key("/srv/" * 100)), len(_key("/srv/\udcff.mp3"))
    ('/srv/talk.mp3', 71, 71)
    """
    if len(place) <= LARGEST_NAME and place.isprintable():
        return place
    return f"sha256:{hashlib.sha256(place.encode(errors='surrogateescape')).hexdigest()}"
