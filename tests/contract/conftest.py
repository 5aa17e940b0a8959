"""All models: built-in, of plug-ins, tiny, and sounds to put to them; all databases."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio
from speechsearch.models.load import ModelLoader
from speechsearch.store import Store
from tests.tiny.cards import tiny_loader
from tests.tiny.postgresql import Databases


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tiny models lie."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def loader(tiny_folder: Path) -> ModelLoader:
    """A loader of all models, kept for the session."""
    return tiny_loader(tiny_folder)


@pytest.fixture(scope="session")
def speech() -> list[Audio]:
    """Four stretches of a sample, of different lengths; the first and the third say "octopus"."""
    samples, rate_hz = soundfile.read(SAMPLES / "audio" / "s015.opus", dtype="float32")
    assert rate_hz == SAMPLE_RATE_HZ
    stretches_s = ((0.0, 2.5), (2.5, 4.0), (0.0, 4.5), (4.0, 5.0))
    return [Audio(samples[int(start_s * rate_hz) : int(end_s * rate_hz)]) for start_s, end_s in stretches_s]


@pytest.fixture(scope="session")
def nothing() -> list[Audio]:
    """No sample, one sample, a second of silence."""
    return [Audio(np.zeros(length, np.float32)) for length in (0, 1, SAMPLE_RATE_HZ)]


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the present tables, made once: all migrations in a row take longer than most tests."""
    path = tmp_path_factory.mktemp("empty") / "db"
    Store(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def empty_server_database(databases: Databases) -> Iterator[str]:
    """A database of the PostgreSQL server with the present tables."""
    with databases.one() as url:
        Store(url).close()
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of SQLite, and of PostgreSQL."""
    if request.param == "sqlite":
        empty = request.getfixturevalue("empty_database")
        yield f"sqlite:///{shutil.copyfile(empty, tmp_path / 'db')}"
        return
    databases, empty = map(request.getfixturevalue, ("databases", "empty_server_database"))
    with databases.one(empty) as name:
        yield name


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An open database."""
    with closing(Store(url)) as opened:
        yield opened
