"""A data folder with seven of the samples, made once; tests that open it get a copy of their own."""

from __future__ import annotations

import csv
import gc
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from _pytest.doctest import DoctestModule
from filelock import FileLock

from speechsearch.domain.assets import SAMPLES
from tests.tiny.postgresql import Databases, copy_tables, postgresql

os.environ.setdefault("SPEECHSEARCH_ENGINES__RECOGNIZER", "mini")
"""Before settings are read, here and in the processes that tests start: Whisper takes ten times as long."""
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // WORKERS)))
"""Before the libraries are loaded that compute: threads of several processes on one core wait for each other."""
CHOSEN = ("s004", "s015", "s027", "s031", "s051", "s060", "s066")
HOSTILE = "<script>alert(1)</script> \"quoted\" 'single' ${document.title} {{value}} \u202eדוגמה"
HOSTILE_FILE = "s066"
DATABASE = "speechsearch.db"
MEMORY, MEMORY_BYTES = Path("/dev/shm"), 4 * 2**30


def use_memory() -> None:
    """Have temporary files lie in memory where there is room for them, here and in the processes that tests start."""
    is_there = MEMORY.is_dir() and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
    if "TMPDIR" not in os.environ and is_there and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


use_memory()


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Look for doctests in the packages only: files of tests have none, and looking imports all that helps tests."""
    return [one for one in (yield) if not isinstance(one, DoctestModule)]


def pytest_collection_finish() -> None:
    """Leave what is imported to itself: each collection of garbage would look at a million objects of libraries."""
    gc.collect()
    gc.freeze()


def copy_data(source: Path, target: Path) -> Path:
    """Copy a closed data folder and return the copy; the index's files are mostly holes, which stay holes."""

    def copy(old: str, new: str) -> str:
        with open(old, "rb") as file, open(new, "wb") as copied:
            end = file.seek(0, os.SEEK_END)
            place = 0
            while place < end:
                try:
                    place = os.lseek(file.fileno(), place, os.SEEK_DATA)
                except OSError:  # nothing but a hole up to the end
                    break
                until = os.lseek(file.fileno(), place, os.SEEK_HOLE)
                file.seek(place)
                copied.seek(place)
                copied.write(file.read(until - place))
                place = until
            copied.truncate(end)
        return new

    return Path(shutil.copytree(source, target, copy_function=copy))


@pytest.fixture(scope="session")
def loader():
    """The models, each loaded once when first used."""
    from speechsearch.service.open import new_loader
    from speechsearch.service.settings import Settings

    return new_loader(Settings())


@pytest.fixture(scope="session")
def chosen_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with seven samples and their metadata; the title and speaker of one are hostile."""
    folder = tmp_path_factory.mktemp("chosen")
    for name in CHOSEN:
        shutil.copyfile(SAMPLES / "audio" / f"{name}.opus", folder / f"{name}.opus")
    with (SAMPLES / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if Path(row["file"]).stem in CHOSEN]
    written = io.StringIO()
    table = csv.DictWriter(written, list(rows[0]))
    table.writeheader()
    for row in rows:
        name = Path(row["file"]).stem
        row["file"] = f"{name}.opus"
        if name == HOSTILE_FILE:
            row["title"] = row["speaker"] = HOSTILE
        table.writerow(row)
    (folder / "metadata.csv").write_text(written.getvalue(), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """PyTorch computes in one thread, and afterwards in as many as before."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@contextmanager
def vectors_left_on_disk() -> Iterator[None]:
    """Have Qdrant Edge make segments whose vectors are not read into memory with each opening: a third of its time.

    Files of vectors have 32 MB however few there are, and hundreds of tests open a copy.
    """
    import qdrant_edge

    with pytest.MonkeyPatch.context() as patched:
        cold = partial(qdrant_edge.EdgeVectorParams, memory=qdrant_edge.Memory.Cold)
        patched.setattr(qdrant_edge, "EdgeVectorParams", cold)
        yield


def shared_folder(name: str, factory: pytest.TempPathFactory, make: Callable[[Path], None]) -> Path:
    """Return a data folder that the processes of one run share: whoever needs it first makes it, the others wait."""
    is_shared = "PYTEST_XDIST_WORKER" in os.environ
    base = factory.getbasetemp()
    folder = (base.parent if is_shared else base) / name / "data"
    folder.parent.mkdir(exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            unfinished = factory.mktemp("workspace") / "data"
            make(unfinished)
            unfinished.rename(folder)  # half of it is never found
    return folder


@pytest.fixture(scope="session")
def library_folder(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A closed data folder with the seven samples and their transcripts in "samples"; not to be changed."""

    def make(folder: Path) -> None:
        loader, chosen_files = map(request.getfixturevalue, ("loader", "chosen_files"))
        make_library(folder, loader, chosen_files, folder.parent)

    return shared_folder("library", tmp_path_factory, make)


def make_library(folder: Path, loader, chosen_files: Path, workspace: Path) -> None:
    """Make the data folder with the seven samples."""
    from ingest import discover, run
    from speechsearch.service.open import Service
    from speechsearch.service.settings import Settings

    with vectors_left_on_disk(), Service.open(Settings(data_dir=folder), loader=loader) as opened:
        found = discover([chosen_files], opened.limits, workspace)
        results = list(run(opened.manage, found, collection="samples"))
        assert [result.state for result in results] == ["indexed"] * len(CHOSEN), results
        assert list(opened.manage.catch_up()) == []


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """The databases of a PostgreSQL server that runs for the session."""
    with postgresql() as found:
        if found is None:
            pytest.skip("PostgreSQL is not installed, and SPEECHSEARCH_TEST_DATABASE_URL names no server")
        yield found


@pytest.fixture(scope="session")
def server_library(databases: Databases, library_folder: Path) -> Iterator[str]:
    """A database of the PostgreSQL server with what the data folder's holds."""
    from speechsearch.store import Store

    with databases.one() as url:
        Store(url).close()
        copy_tables(f"sqlite:///{library_folder / DATABASE}", url)
        yield url


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is marked so on both databases."""
    if "settings" in metafunc.fixturenames and metafunc.definition.get_closest_marker("both_databases"):
        metafunc.parametrize("database", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database of the test's own on the PostgreSQL server; empty for SQLite in the data folder."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield ""
        return
    databases, library = map(request.getfixturevalue, ("databases", "server_library"))
    with databases.one(library) as url:
        yield url


@pytest.fixture
def settings(library_folder: Path, tmp_path: Path, database: str):
    """Settings of a data folder of the test's own, with the seven samples."""
    from speechsearch.service.settings import Settings

    copy_data(library_folder, tmp_path / "data")
    if database:
        (tmp_path / "data" / DATABASE).unlink()
    return Settings(data_dir=tmp_path / "data", store={"url": database})


@pytest.fixture(scope="module")
def kept_service(library_folder: Path, tmp_path_factory: pytest.TempPathFactory, loader) -> Iterator[object]:
    """The real service over the seven samples, for the tests of one file that leave it as it is."""
    from speechsearch.service.open import Service
    from speechsearch.service.settings import Settings

    folder = copy_data(library_folder, tmp_path_factory.mktemp("kept") / "data")
    with Service.open(Settings(data_dir=folder), loader=loader) as opened:
        yield opened


@pytest.fixture
def service(settings, loader) -> Iterator[object]:
    """The real service over the seven samples, in a data folder of the test's own."""
    from speechsearch.service.open import Service

    with Service.open(settings, loader=loader) as opened:
        yield opened
