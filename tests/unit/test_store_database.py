"""Opening databases: migrations, wrong ones, newer ones, broken ones."""

import logging
import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa

from speechsearch.domain.errors import ConfigurationError, StoreError
from speechsearch.store import Store
from speechsearch.store.database import MIGRATIONS, Database, newest_migration
from speechsearch.store.tables import Base


def test_migrations_and_tables_agree(tmp_path):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    database = Database(f"sqlite:///{tmp_path / 'db'}")
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        assert len(connection.execute(sa.text("PRAGMA foreign_key_list(passages)")).all()) == 1
    database.close()


def test_a_database_that_is_up_to_date_is_opened_without_alembic(tmp_path):
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [newest_migration()]
    url = f"sqlite:///{tmp_path / 'db'}"
    Database(url).close()
    code = f"import sys; from speechsearch.store import Store; Store({url!r}).close(); print('alembic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False\n"


def test_sqlite_is_set_up_to_survive(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'db'}")
    with database.reading() as connection:
        answers = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in
                   ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")}  # fmt: skip
    database.close()
    assert answers == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}


def test_opening_says_nothing_and_a_second_time_changes_nothing(tmp_path, capfd, caplog):
    path = tmp_path / "with space % and ' quote"
    path.mkdir()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            repository = Store(f"sqlite:///{path / 'db'}")
            repository.collections.add("talks")
            repository.close()
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_opened_by_several_threads_at_once(tmp_path):
    failures = []

    def open_it():
        try:
            Store(f"sqlite:///{tmp_path / 'db'}").close()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_database_of_a_newer_version_is_refused(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'db'}")
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    with pytest.raises(StoreError, match=r"unknown to this version.*newer version"):
        Store(f"sqlite:///{tmp_path / 'db'}")


def test_what_is_no_database_is_refused(tmp_path):
    (tmp_path / "text").write_text("not a database" * 1000)
    with pytest.raises(StoreError, match="not a database"):
        Store(f"sqlite:///{tmp_path / 'text'}")
    with pytest.raises(StoreError, match="unable to open"):
        Store(f"sqlite:///{tmp_path / 'absent' / 'db'}")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Store("hunter2")
    with pytest.raises(ConfigurationError, match="kind 'mysql' are not supported"):
        Store("mysql://user:hunter2@host/name")


def test_a_transaction_that_raises_leaves_nothing(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'db'}")
    with pytest.raises(ZeroDivisionError, match="division"), database.writing() as connection:
        connection.exec_driver_sql("INSERT INTO settings VALUES ('key', 'value')")
        1 / 0  # noqa: B018
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM settings").scalar() == 0
    database.close()
