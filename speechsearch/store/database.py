"""Opens a database, brings its tables up to date and turns its errors into ours."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import portalocker
import sqlalchemy as sa

from speechsearch.domain.errors import (
    ConfigurationError,
    InputError,
    MissingDependencyError,
    SpeechSearchError,
    StoreError,
)

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
    from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK, ALONE_LOCK = 7_112_026, 7_112_027
BUSY_TIMEOUT_S = 30
BATCH_IDS = 500
"""How many ids go into one statement; SQLite may allow as few as 999."""


class Database:
    """A SQLite or PostgreSQL database with up-to-date tables; usable from several threads.

    Raises:
        ConfigurationError: the URL is of another kind or none at all.
        MissingDependencyError: PostgreSQL's driver is not installed.
        StoreError: the database cannot be opened or was written by a newer version.
    """

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        try:
            with self.writing() as connection:
                _migrate(connection)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give one consistent view of the database to a block."""
        with _store_errors(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give a transaction to a block: all of it is written, or nothing when the block raises."""
        with _store_errors(), self._engine.connect() as connection:
            # SQLite then takes its write lock at once: upgrading a read lock later fails when another has written.
            connection = connection.execution_options(is_writing=True)
            with connection.begin():
                yield connection

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Have a block run in one process at a time: a server keeps a lock for that, a file beside a SQLite file."""
        if self._engine.dialect.name == "postgresql":
            with self.reading() as connection:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(ALONE_LOCK)))
                yield
        else:
            with open(f"{self._engine.url.database}.lock", "a") as file:
                portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE)
                yield

    def forget(self) -> None:
        """Have nothing of what was deleted left in the log beside a SQLite file; a server sees to that itself.

        While others read, the log stays; the next deletion, or closing the database, empties it.
        """
        if self._engine.dialect.name != "sqlite":
            return
        with _store_errors(), self._engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None, "a connection that was just opened"
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close all connections."""
        with _store_errors():
            self._engine.dispose()


def upsert(connection: sa.Connection, table: Any, row: dict[str, Any], kept: tuple[str, ...] = ()) -> None:
    """Insert a row, or overwrite the one with the same key except for the columns ``kept``."""
    from sqlalchemy.dialects import postgresql, sqlite

    target = table.__table__
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement: SqliteInsert | PostgresInsert = make(target).values(row)
    keys = [column.name for column in target.primary_key]
    changes = {name: statement.excluded[name] for name in row if name not in keys and name not in kept}
    if changes:
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes))
    else:
        connection.execute(statement.on_conflict_do_nothing(index_elements=keys))


def rows_of(
    connection: sa.Connection, statement: sa.Select[*tuple[Any, ...]], column: Any, ids: Sequence[str] | None
) -> list[sa.Row[*tuple[Any, ...]]]:
    """Return the rows with one of the ids in a column, asked for in batches; all rows if there are no ids (None)."""
    if ids is None:
        return list(connection.execute(statement))
    found: list[sa.Row[*tuple[Any, ...]]] = []
    for start in range(0, len(ids), BATCH_IDS):
        found += connection.execute(statement.where(column.in_(ids[start : start + BATCH_IDS])))
    return found


def delete_rows(connection: sa.Connection, column: Any, ids: Sequence[str], *which: sa.ColumnElement[bool]) -> None:
    """Delete the rows with one of the ids in a column (and what else is asked for), in batches."""
    for start in range(0, len(ids), BATCH_IDS):
        connection.execute(sa.delete(column.class_).where(column.in_(ids[start : start + BATCH_IDS]), *which))


def _engine(url: str) -> sa.Engine:
    """Return an engine for a URL; nothing is opened yet."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        # The URL may hold a password, so it is not repeated.
        raise ConfigurationError("The database URL cannot be read.", "Use sqlite:///path or postgresql://...") from None
    if parsed.get_backend_name() == "sqlite":
        return _sqlite_engine(parsed)
    if parsed.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return _postgresql_engine(parsed.set(drivername="postgresql+psycopg"))
    raise ConfigurationError(
        f"Databases of kind {parsed.drivername!r} are not supported.", "Use sqlite:///path or postgresql://..."
    )


def _postgresql_engine(url: sa.URL) -> sa.Engine:
    """Return an engine for a PostgreSQL server."""
    try:
        return sa.create_engine(url, pool_pre_ping=True)
    except ImportError:
        raise MissingDependencyError(
            "PostgreSQL needs a driver.", "Install it with: pip install 'psycopg[binary]'"
        ) from None


def _sqlite_engine(url: sa.URL) -> sa.Engine:
    """Return an engine for a SQLite file."""
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False})

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        # The driver's own transactions end before statements that change tables; ours begin with "begin" below.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        # What is committed survives a power cut, not only a killed process. Commits are one a recording: cheap.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # What is deleted is overwritten, however SQLite was built.
        connection.execute("PRAGMA secure_delete = ON")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        is_writing = connection.get_execution_options().get("is_writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")

    return engine


_alembic_lock = threading.Lock()
"""Alembic keeps the migration that runs in a module, so threads take turns."""


def newest_migration() -> str:
    """Return the revision of the present tables; the files of the migrations begin with theirs."""
    return max(path.name for path in (MIGRATIONS / "versions").glob("[0-9]*.py")).partition("_")[0]


def _version(connection: sa.Connection) -> str | None:
    """Return the revision of a database's tables, None where it has none."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)


def _migrate(connection: sa.Connection) -> None:
    """Bring the tables up to date inside the connection's transaction; processes take turns.

    Raises:
        StoreError: the database was written by a newer version.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
    if _version(connection) == newest_migration():
        return  # Alembic would look through all migrations first, and takes longer to import than the rest of opening

    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _alembic_lock:
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise StoreError(
                f"The database's tables are unknown to this version: {error}", "Use the newer version that wrote it."
            ) from error


@contextmanager
def _store_errors() -> Iterator[None]:
    """Turn SQLAlchemy's errors into ours, without the statement and its parameters."""
    try:
        yield
    except SpeechSearchError:
        raise
    except (UnicodeEncodeError, sa.exc.DataError) as error:
        raise InputError("The database cannot keep such text; it has NUL or half of a surrogate pair.") from error
    except sa.exc.SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise StoreError(f"The database cannot be used: {str(cause).strip():.300}") from error
