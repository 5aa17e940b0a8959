"""The only door to the database: one open connection pool and the repositories over it."""

from __future__ import annotations

import sqlalchemy as sa

from speechsearch.store.collections import Collections
from speechsearch.store.database import Database
from speechsearch.store.given import GivenTexts
from speechsearch.store.jobs import Jobs
from speechsearch.store.journal import Journal, KeptValues
from speechsearch.store.judgements import Judgements
from speechsearch.store.leases import Leases
from speechsearch.store.name_list import NameList
from speechsearch.store.passages import Passages
from speechsearch.store.places import Places
from speechsearch.store.recordings import Recordings
from speechsearch.store.sounds import Sounds
from speechsearch.store.transcripts import Transcripts
from speechsearch.store.voices import Voices


class Store:
    """A database with its repositories; usable from several threads.

    ``url``: ``sqlite:///path`` or ``postgresql://user:password@host/name``. Every method of a repository raises
    StoreError when the database fails.

    Raises:
        ConfigurationError: the URL is of another kind or none at all.
        MissingDependencyError: PostgreSQL's driver is not installed.
        StoreError: the database cannot be opened or was written by a newer version.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self.collections = Collections(self._database)
        self.recordings = Recordings(self._database)
        self.passages = Passages(self._database)
        self.transcripts = Transcripts(self._database)
        self.given = GivenTexts(self._database)
        self.journal = Journal(self._database)
        self.leases = Leases(self._database)
        self.places = Places(self._database)
        self.jobs = Jobs(self._database)
        self.judgements = Judgements(self._database)
        self.names = NameList(self._database)
        self.voices = Voices(self._database)
        self.sounds = Sounds(self._database)
        self.kept_values = KeptValues(self._database)

    def ping(self) -> None:
        """Return when the database has answered. Raises StoreError."""
        with self._database.reading() as connection:
            connection.execute(sa.select(1))

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()
