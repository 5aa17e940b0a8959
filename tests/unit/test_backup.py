from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from speechsearch.domain.errors import ConfigurationError, StoreError
from speechsearch.domain.values import Query
from speechsearch.library.backup import CURRENT, DATABASE, BackupKeeper, kept_safe, restore, save
from speechsearch.service.open import Service
from speechsearch.service.settings import BackupSettings, Settings, StoreSettings, backup_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "bucket"


def media(folder: Path) -> set[str]:
    return {file.name for file in (folder / "media").iterdir()}


def test_what_was_saved_is_found_again(service, settings, loader, folder: Path, tmp_path: Path) -> None:
    question = Query("Why is octopus blood blue?")
    before = [hit.passage for hit in service.search.find(question).hits]
    saved = save(settings.data_dir, folder)  # while the service works
    assert (saved.recordings, saved.copied_media) == (7, 7)
    assert save(settings.data_dir, folder).copied_media == 0
    elsewhere = settings.model_copy(update={"data_dir": tmp_path / "elsewhere"})
    assert restore(folder, elsewhere.data_dir) == 7
    with Service.open(elsewhere, loader=loader) as restored:
        assert restored.browse.differences() == []
        assert [hit.passage for hit in restored.search.find(question).hits] == before
    assert restore(folder, elsewhere.data_dir) is None


def test_deleted_recordings_leave_the_backup(service, settings, folder: Path) -> None:
    save(settings.data_dir, folder)
    gone = service.browse.recordings()[0].recording_id
    service.manage.delete_recording(gone)
    assert save(settings.data_dir, folder).recordings == 6
    assert not any(name.startswith(gone) for name in media(folder))
    (database,) = folder.glob("*.db")
    assert json.loads((folder / CURRENT).read_text())["database"] == database.name
    assert gone.encode() not in database.read_bytes()


def test_the_keeper_saves_changes_after_they_rest_and_at_the_end(
    service, settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speechsearch.library.backup.LOOK_EVERY_S", 0.05)
    said: list[str] = []
    with BackupKeeper(settings.data_dir, folder, said.append):
        until_s = time.monotonic() + 30
        while not (folder / CURRENT).exists():
            assert time.monotonic() < until_s, said
            time.sleep(0.02)
        service.manage.delete_recording(service.browse.recordings()[0].recording_id)
    assert json.loads((folder / CURRENT).read_text())["recordings"] == 6
    assert said == []


def test_a_backup_that_cannot_be_written_is_said(settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said: list[str] = []
    with BackupKeeper(settings.data_dir, tmp_path / "file", said.append):
        pass
    assert len(said) == 1
    assert "could not be written" in said[0]


def test_damage_is_found_before_anything_is_replaced(settings, folder: Path, tmp_path: Path) -> None:
    save(settings.data_dir, folder)
    (database,) = folder.glob("*.db")
    whole = database.read_bytes()
    database.write_bytes(whole[:5000] + b"x" + whole[5001:])
    with pytest.raises(StoreError, match="is damaged"):
        restore(folder, tmp_path / "elsewhere")
    database.unlink()
    with pytest.raises(StoreError, match="is gone"):
        restore(folder, tmp_path / "elsewhere")
    (folder / CURRENT).write_text("{}")
    with pytest.raises(StoreError, match=r"current\.json is damaged"):
        restore(folder, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere" / DATABASE).exists()


def test_the_settings_are_checked(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert backup_folder(Settings(data_dir=data)) is None
    for folder in (data, data / "backup", tmp_path):
        with pytest.raises(ConfigurationError, match="overlap"):
            backup_folder(Settings(data_dir=data, backup=BackupSettings(folder=str(folder))))
    server = StoreSettings(url="postgresql://a:b@c/d")
    with pytest.raises(ConfigurationError, match="SPEECHSEARCH_STORE__URL is set"):
        backup_folder(Settings(data_dir=data, store=server, backup=BackupSettings(folder=str(tmp_path / "b"))))


def test_a_start_restores(settings, folder: Path, tmp_path: Path) -> None:
    save(settings.data_dir, folder)
    said: list[str] = []
    new = Settings(data_dir=tmp_path / "new", backup=BackupSettings(folder=str(folder)))
    with kept_safe(backup_folder(new), new.data_dir, said.append):
        assert (new.data_dir / DATABASE).exists()
    assert said == [f"Restored 7 recordings from {folder}."]


KILL = """
import os, sys
from pathlib import Path
from speechsearch.library import backup

data, folder, copies = map(Path, sys.argv[1:])
steps = 0
def dying(name, at):
    real = getattr(Path, name)
    def step(self, *arguments, **options):
        global steps
        steps += 1
        if steps == at:
            os._exit(9)
        return real(self, *arguments, **options)
    setattr(Path, name, step)

at = 1
while True:
    child = os.fork()
    if not child:
        import shutil
        target = copies / str(at)
        shutil.copytree(folder, target)
        for name in ("replace", "unlink"):
            dying(name, at)
        backup.save(data, target)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
    at += 1
print(at)
"""


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="needs fork")
def test_a_killed_backup_leaves_the_old_one_or_the_new_one(service, settings, folder: Path, tmp_path: Path) -> None:
    for recording in service.browse.recordings()[:2]:
        service.manage.delete_recording(recording.recording_id)
    save(settings.data_dir, folder)
    service.manage.delete_recording(service.browse.recordings()[0].recording_id)
    service.close()
    copies = tmp_path / "copies"
    copies.mkdir()
    arguments = [str(settings.data_dir), str(folder), str(copies)]
    done = subprocess.run([sys.executable, "-c", KILL, *arguments], capture_output=True, text=True, check=True)
    points = int(done.stdout)
    assert points > 5
    found = []
    for at in range(1, points + 1):
        new = tmp_path / f"restored-{at}"
        held = restore(copies / str(at), new)
        assert held is not None
        names = media(new)
        assert len(names) == held
        found.append(held)
        shutil.rmtree(new)
        save(settings.data_dir, copies / str(at))  # the next backup clears up
        assert {file.name for file in (copies / str(at)).iterdir()} >= {CURRENT, "media"}
        assert not list((copies / str(at)).rglob("*.unfinished"))
        assert len(media(copies / str(at))) == 4
    assert sorted(found, reverse=True) == found
    assert set(found) == {5, 4}
