"""Data folders with seven samples: one made by the shipped models, one by fakes that cost nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from speechsearch.domain.limits import Segmentation
from speechsearch.service.open import Service
from speechsearch.service.settings import Settings
from tests.conftest import copy_data, vectors_left_on_disk
from tests.tiny import fakes
from tests.tiny.fakes import FakeLoader, open_fakes, take_in


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory, library_folder: Path) -> Path:
    """The data folder of the shipped models."""
    return copy_data(library_folder, tmp_path_factory.mktemp("data") / "data")


@pytest.fixture(scope="session")
def service(data_dir: Path, loader) -> Iterator[Service]:
    """An open service over it, shared."""
    with Service.open(Settings(data_dir=data_dir), loader=loader) as opened:
        yield opened


@pytest.fixture(scope="session")
def fake_folder(tmp_path_factory: pytest.TempPathFactory, chosen_files: Path) -> Path:
    """A closed data folder with the seven samples and what fakes made of them in "samples"; not to be changed."""
    folder = tmp_path_factory.mktemp("fakes") / "data"
    with vectors_left_on_disk(), open_fakes(folder, FakeLoader(), Segmentation()) as opened:
        assert take_in(opened, chosen_files, collection="samples") == ["indexed"] * 7
        assert list(opened.manage.catch_up()) == []
    return folder


@pytest.fixture
def models() -> FakeLoader:
    """Fake models that have counted nothing yet."""
    return FakeLoader()


@pytest.fixture
def fake_settings(fake_folder: Path, tmp_path: Path, models: FakeLoader) -> Settings:
    """Settings of a data folder of the test's own, with the seven samples and fake models."""
    return fakes.fake_settings(copy_data(fake_folder, tmp_path / "data"), models, Segmentation())
