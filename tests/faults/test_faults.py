"""Disks that are full or closed, databases and indexes that go away, clocks that are set back: told and survived."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from ingest import discover, run
from speechsearch.api import create_app
from speechsearch.domain import room
from speechsearch.domain.errors import ConfigurationError, IndexUnavailableError, StoreError
from speechsearch.jobs.queue import JobQueue
from speechsearch.service.open import Service
from tests.faults.kills import spoken
from tests.faults.malformed import case
from tests.faults.malformed import taken as malformed
from tests.tiny.fakes import FakeLoader, open_fakes, take_in
from tests.tiny.kept import check_search
from tests.tiny.postgresql import Cluster, Databases, binaries

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def talks(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Six short recordings."""
    folder = tmp_path_factory.mktemp("talks")
    for number, content in enumerate(spoken(6)):
        (folder / f"{number}.wav").write_bytes(content)
    return sorted(folder.iterdir())


def opened(data_dir: Path, database: str = "") -> Service:
    return open_fakes(data_dir, FakeLoader(), database=database)


def told(service: Service, *paths: Path) -> list[tuple[str, str]]:
    with service.workspace() as workspace:
        found = discover(paths, service.limits, workspace)
        return [(one.state, one.message) for one in run(service.manage, found, collection="talks")]


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[Path]:
    """Lend a file system of its own."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", folder]
    if sys.platform != "linux" or os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a file system cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_is_told_before_anything_breaks_and_room_mends_it(tmp_path: Path, talks: list[Path]) -> None:
    with small_disk(tmp_path / "disk", 2 * room.LEAST_BYTES) as disk:
        with opened(disk / "data") as service:
            assert take_in(service, *talks[:2]) == ["indexed"] * 2
            assert list(service.manage.catch_up()) == []
            free_bytes = shutil.disk_usage(disk).free
            with (disk / "filler").open("wb") as filler:
                os.posix_fallocate(filler.fileno(), 0, free_bytes - room.LEAST_BYTES // 2)
            (state, message), *others = told(service, *talks[2:])
            assert (state, len(others)) == ("failed", 3)
            assert message.startswith("The disk of the data folder is full: less than 256 MB are left.")
            assert check_search(service) > 0
            kept, gone = service.browse.recordings()
            service.manage.delete_recording(gone.recording_id)  # what makes room is possible
            assert [one.recording_id for one in service.browse.recordings()] == [kept.recording_id]
        with pytest.raises(StoreError, match="The disk of the data folder is full"):
            opened(disk / "data")
        (disk / "filler").unlink()
        with opened(disk / "data") as service:
            assert sorted(take_in(service, *talks)) == ["indexed"] * 5 + ["unchanged"]
            assert list(service.manage.catch_up()) == [] == service.browse.differences()
            assert check_search(service) > 0


def test_a_disk_that_fills_up_within_a_file_leaves_what_was_there(
    tmp_path: Path, talks: list[Path], monkeypatch
) -> None:
    monkeypatch.setattr(room, "LEAST_BYTES", 0)  # the copy of the file itself does not fit
    with small_disk(tmp_path / "disk", 128_000_000) as disk, opened(disk / "data") as service:
        assert take_in(service, *talks[:2]) == ["indexed"] * 2
        with (disk / "filler").open("wb") as filler:
            os.posix_fallocate(filler.fileno(), 0, shutil.disk_usage(disk).free - 100_000)
        found = told(service, talks[2])
        assert found == [("failed", "'2.wav' could not be taken in: the disk is full. Make room and add it again.")]
        assert not list((disk / "data" / "media").glob("*.unfinished"))
        (disk / "filler").unlink()
        assert take_in(service, *talks[:3]) == ["unchanged", "unchanged", "indexed"]
        assert service.browse.differences() == []


CLOSED = """
import json, sys
from pathlib import Path
from speechsearch.domain.errors import SpeechSearchError
from tests.faults.test_faults import opened, told
data, talk = Path(sys.argv[1]), Path(sys.argv[2])
media = data / "media"
with opened(data) as service:
    media.chmod(0o500)
    found = told(service, talk)
    media.chmod(0o700)
    found += told(service, talk)
said = []
for folder in (data, data / "index", data / "media"):
    folder.chmod(0o500 if folder == data else 0)
    try:
        opened(data / "new" if folder == data else data).close()
        said.append("opened")
    except SpeechSearchError as error:
        said.append(f"{error.code}: {error}")
    folder.chmod(0o700)
with opened(data) as service:
    found += told(service, talk)
print(json.dumps([found, said]))
"""


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed")
def test_lost_permissions_are_told_and_given_back_they_are_enough(tmp_path: Path, talks: list[Path]) -> None:
    with opened(tmp_path / "data") as service:
        assert take_in(service, talks[0]) == ["indexed"]
    # As root may do everything, it is run without that right.
    as_others = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    command = [*as_others, sys.executable, "-c", CLOSED, tmp_path / "data", talks[1]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found, said = json.loads(done.stdout)
    assert [state for state, _ in found] == ["failed", "indexed", "unchanged"]
    assert found[0][1].startswith("'1.wav' could not be taken in: PermissionError: Permission denied")
    assert [one.partition(":")[0] for one in said] == ["configuration", "configuration", "configuration"], said


def test_an_index_that_is_lost_is_made_anew_at_the_next_opening(tmp_path: Path, talks: list[Path]) -> None:
    service = opened(tmp_path / "data")
    assert take_in(service, *talks[:3]) == ["indexed"] * 3
    assert list(service.manage.catch_up()) == []
    shutil.rmtree(tmp_path / "data" / "index")
    assert check_search(service) > 0  # what is open is searched on
    assert told(service, talks[3])[0][1].startswith("The index in")
    with pytest.raises(IndexUnavailableError, match="cannot be used"):
        service.close()
    with opened(tmp_path / "data") as service:
        assert service.browse.differences() == []
        assert check_search(service) > 0
        assert take_in(service, *talks[:4]) == ["unchanged"] * 4


def test_a_lost_database_costs_no_recording(tmp_path: Path, talks: list[Path]) -> None:
    data_dir = tmp_path / "data"
    with opened(data_dir) as service:
        assert take_in(service, *talks[:3]) == ["indexed"] * 3
    media = sorted(path.name for path in (data_dir / "media").iterdir())
    (data_dir / "speechsearch.db").rename(tmp_path / "elsewhere.db")
    with pytest.raises(ConfigurationError, match="The database has no recordings, but there are 3 sound files"):
        opened(data_dir)
    assert sorted(path.name for path in (data_dir / "media").iterdir()) == media
    (tmp_path / "elsewhere.db").rename(data_dir / "speechsearch.db")
    with opened(data_dir) as service:
        assert (len(service.browse.recordings()), service.browse.differences()) == (3, [])


def test_recordings_that_an_older_database_does_not_know_are_left(tmp_path: Path, talks: list[Path], caplog) -> None:
    data_dir = tmp_path / "data"
    with opened(data_dir) as service:
        assert take_in(service, talks[0]) == ["indexed"]
    shutil.copyfile(data_dir / "speechsearch.db", tmp_path / "older.db")
    with opened(data_dir) as service:
        assert take_in(service, *talks[:3]) == ["unchanged", "indexed", "indexed"]
    shutil.copyfile(tmp_path / "older.db", data_dir / "speechsearch.db")
    with opened(data_dir) as service:
        assert "2 files in" in caplog.text
        assert len(list((data_dir / "media").iterdir())) == 3
        assert take_in(service, *talks[:3]) == ["unchanged", "indexed", "indexed"]
        assert service.browse.differences() == []


@pytest.mark.skipif(binaries() is None, reason="PostgreSQL is not installed")
def test_a_restart_of_postgresql_is_told_and_needs_none_of_the_page(tmp_path: Path, talks: list[Path]) -> None:
    cluster = Cluster(binaries())
    try:
        cluster.start()
        with (
            Databases(cluster.url).one() as url,
            opened(tmp_path / "data", url) as service,
            TestClient(create_app(service)) as client,
        ):
            assert take_in(service, *talks[:2]) == ["indexed"] * 2
            asked = {"q": "anything", "engine": "adapter"}
            assert client.get("/api/v1/search", params=asked).status_code == 200
            cluster.kill()
            answer = client.get("/api/v1/search", params=asked)
            assert (answer.status_code, answer.json()["code"]) == (503, "store")
            assert "The database cannot be used" in answer.json()["message"]
            with pytest.raises(StoreError, match="The database cannot be used"):
                told(service, talks[2])
            cluster.start()
            assert client.get("/api/v1/search", params=asked).status_code == 200
            assert take_in(service, *talks[:3]) == ["unchanged", "unchanged", "indexed"]
            assert service.browse.differences() == []
    finally:
        cluster.close()


class Yesterday(datetime):
    """A clock that was set back by a day."""

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) - timedelta(days=1)


def wait_for(is_so: Callable[[], bool]) -> None:
    """Wait until something is so; raises AssertionError when it is not within a minute."""
    until_s = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until_s
        time.sleep(0.02)


def test_visitors_collections_are_swept_whatever_the_clock_says(tmp_path: Path, monkeypatch) -> None:
    with opened(tmp_path / "data") as service:
        swept: list[str] = []
        monkeypatch.setattr(service.manage, "sweep", swept.append)
        queue = JobQueue(service, {})
        monkeypatch.setattr("speechsearch.jobs.worker.SWEEP_EVERY_S", 0.05)
        queue.start()
        try:
            wait_for(lambda: len(swept) > 1)
            monkeypatch.setattr("speechsearch.store.jobs.datetime", Yesterday)
            seen = len(swept)
            wait_for(lambda: len(swept) > seen + 1)
        finally:
            queue.stop()
        assert swept[-1] < swept[0]


def test_a_few_malformed_files_of_every_format_do_no_harm(tmp_path: Path) -> None:
    outcome = malformed(tmp_path, 44, seed=7, hangs_after_s=100.0)
    assert outcome.bad == []
    assert outcome.states.total() >= outcome.formats == 44


def test_what_is_damaged_is_the_same_for_the_same_seed() -> None:
    assert case(12, 3)[2] == case(12, 3)[2] != case(12 + 44, 3)[2]
    assert case(12, 3)[0] == case(12 + 44, 3)[0]
