"""A service that has taken in seven samples, shared by the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from speechsearch.service.open import Service
from speechsearch.service.settings import Settings
from tests.conftest import copy_data


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory, library_folder: Path) -> Path:
    """The data folder."""
    return copy_data(library_folder, tmp_path_factory.mktemp("data") / "data")


@pytest.fixture(scope="session")
def service(data_dir: Path, loader) -> Iterator[Service]:
    """An open service over the data folder."""
    with Service.open(Settings(data_dir=data_dir), loader=loader) as opened:
        yield opened
