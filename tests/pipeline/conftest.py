"""A data folder with some of the samples in it, made once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest import discover, run
from speechsearch.service import Service
from speechsearch.settings import Settings

SAMPLES = Path(__file__).parents[2] / "samples"
CHOSEN = ("s004", "s015", "s027", "s031", "s051", "s060", "s066")


@pytest.fixture(scope="session")
def chosen_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with seven samples and their metadata."""
    folder = tmp_path_factory.mktemp("chosen")
    for name in CHOSEN:
        (folder / f"{name}.opus").write_bytes((SAMPLES / "audio" / f"{name}.opus").read_bytes())
    lines = (SAMPLES / "metadata.csv").read_text(encoding="utf-8").splitlines()
    kept = [lines[0]] + [line.removeprefix("audio/") for line in lines[1:] if line[6:10] in CHOSEN]
    (folder / "metadata.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def service(data_dir: Path, chosen_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An open service that has taken in the seven samples."""
    with Service.open(Settings(data_dir=data_dir)) as opened:
        found = discover([chosen_files], opened.limits, tmp_path_factory.mktemp("workspace"))
        results = list(run(opened, found, collection="samples"))
        assert [result.state for result in results] == ["indexed"] * len(CHOSEN), results
        yield opened
