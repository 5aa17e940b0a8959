"""A PostgreSQL server for tests: a throw-away cluster of the installed binaries, and databases in it that come and go.

``SPEECHSEARCH_TEST_DATABASE_URL`` names another server, whose user may create databases; what it has is not touched.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

SERVER_URL = os.environ.get("SPEECHSEARCH_TEST_DATABASE_URL", "")
DEBIAN = Path("/usr/lib/postgresql")
USER = "speechsearch"
STARTS_WITHIN_S = 30.0
DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of Linux."""
QUICK = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "100",
}
"""Nothing but a Unix socket; what a power cut would lose is no concern here, what a killed server would lose is not."""


def binaries() -> Path | None:
    """Return the folder with PostgreSQL's newest programs; None where there are none."""
    found = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: int(re.sub(r"\D", "", path.parts[-3]) or 0))
    on_path = shutil.which("initdb")
    programs = [Path(on_path).resolve()] if on_path else found
    return programs[-1].parent if programs else None


class Cluster:
    """A cluster in a folder of its own, stopped until ``start``."""

    def __init__(self, programs: Path, settings: Mapping[str, str] = QUICK) -> None:
        self._programs, self._settings = programs, settings
        self._folder = Path(
            tempfile.mkdtemp(prefix="postgresql-")
        )  # short: the path of a socket has 107 letters at most
        self._owner = _unprivileged()
        if self._owner is not None:
            os.chown(self._folder, self._owner.pw_uid, self._owner.pw_gid)
        made = ("-D", str(self._folder / "data"), "-U", USER, "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
        subprocess.run([programs / "initdb", *made], check=True, capture_output=True, **self._as_owner())
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address of its first database."""
        return f"postgresql://{USER}@/postgres?host={self._folder}"

    def start(self) -> None:
        """Start the server and wait until it answers. Raises RuntimeError: it does not."""
        options = [part for name, value in {**self._settings, "unix_socket_directories": str(self._folder)}.items()
                   for part in ("-c", f"{name}={value}")]  # fmt: skip
        command = [self._programs / "postgres", "-D", str(self._folder / "data"), *options]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
                **self._as_owner(),
            )
        given_up_s = time.monotonic() + STARTS_WITHIN_S
        asked = [self._programs / "pg_isready", "-q", "-h", str(self._folder), "-U", USER, "-d", "postgres"]
        while subprocess.run(asked, check=False).returncode:
            if self._process.poll() is not None or time.monotonic() > given_up_s:
                self.close()
                raise RuntimeError(f"PostgreSQL does not start: {(self._folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop it at once: who is connected loses the connection, what was committed is kept."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Have it die as in a crash: its processes end without writing anything."""
        self._end(signal.SIGQUIT)

    def _end(self, with_signal: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(with_signal)
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Stop it and delete its folder."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _as_owner(self) -> dict[str, Any]:
        """PostgreSQL refuses to run as root."""
        if self._owner is None:
            return {"cwd": self._folder}
        return {"cwd": self._folder, "user": self._owner.pw_uid, "group": self._owner.pw_gid, "extra_groups": []}


def with_driver(url: str) -> sa.URL:
    """Return a server's URL with the driver that SQLAlchemy is to use."""
    return sa.make_url(url).set(drivername="postgresql+psycopg")


def _unprivileged() -> pwd.struct_passwd | None:
    """Return whom the server runs as where this process is root's; None: as this process."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def die_with_parent() -> None:
    """Have the kernel end this process when its parent is killed, where it can."""
    library = ctypes.CDLL(None)
    if hasattr(library, "prctl"):
        library.prctl(DIE_WITH_PARENT, signal.SIGQUIT)


class Databases:
    """Databases of a server, each with a name of its own."""

    def __init__(self, url: str) -> None:
        self._url = sa.make_url(url)
        self._engine = sa.create_engine(with_driver(url), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)

    @contextmanager
    def one(self, template: str = "template1") -> Iterator[str]:
        """Lend a new database, by its URL: an empty one, or a copy of one to which nobody is connected."""
        name = f"test_{uuid.uuid4().hex}"
        source = sa.make_url(template).database if "://" in template else template
        self._do(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
        try:
            yield self._url.set(database=name).render_as_string(hide_password=False)
        finally:
            self._do(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _do(self, statement: str) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql(statement)


@contextmanager
def postgresql() -> Iterator[Databases | None]:
    """Lend the databases of the named server, or of one that runs until the end of the block; None: there is none."""
    programs = binaries()
    if SERVER_URL or programs is None:
        yield Databases(SERVER_URL) if SERVER_URL else None
        return
    cluster = Cluster(programs)
    try:
        cluster.start()
        yield Databases(cluster.url)
    finally:
        cluster.close()


def copy_tables(source_url: str, target_url: str) -> None:
    """Copy all rows of a database to another with the same, empty tables."""
    from speechsearch.store.tables import Base

    target = sa.create_engine(with_driver(target_url), poolclass=sa.NullPool)
    source = sa.create_engine(source_url, poolclass=sa.NullPool)
    with source.connect() as read, target.begin() as written:
        for table in Base.metadata.sorted_tables:
            if rows := [dict(row._mapping) for row in read.execute(sa.select(table))]:
                written.execute(sa.insert(table), rows)
