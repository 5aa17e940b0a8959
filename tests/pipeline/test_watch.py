"""A watched folder: files are taken in when they have stopped growing, once, also after a restart."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path, PurePosixPath

import pytest

from ingest import runners
from ingest.watch import Watch, watching
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import InputError
from speechsearch.jobs.queue import JobQueue
from speechsearch.service.open import Service
from speechsearch.service.settings import WatchSettings
from tests.tiny.fakes import FakeLoader, fake_settings

SAMPLE = SAMPLES / "audio" / "s004.opus"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inbox" / "day 1").mkdir(parents=True)
    return tmp_path / "inbox"


def watch(folder: Path, tmp_path: Path) -> Watch:
    return Watch(folder, tmp_path / "data", settle_s=10.0)


def names(ready) -> list[str]:
    return [str(path) for path in ready.sounds]


def test_a_file_is_ready_when_it_has_stopped_growing(folder: Path, tmp_path: Path) -> None:
    watched = watch(folder, tmp_path)
    file = folder / "day 1" / "a.wav"
    file.write_bytes(b"1")
    assert names(watched.look(0.0)) == [] and names(watched.look(9.0)) == []
    file.write_bytes(b"12")
    assert names(watched.look(11.0)) == [] and names(watched.look(20.0)) == []
    ready = watched.look(21.0)
    assert names(ready) == ["day 1/a.wav"]
    watched.remember(ready)
    assert names(watched.look(50.0)) == []


def test_what_was_taken_in_is_remembered_over_a_restart_until_it_changes(folder: Path, tmp_path: Path) -> None:
    (folder / "a.wav").write_bytes(b"1")
    watched = watch(folder, tmp_path)
    watched.look(0.0)
    watched.remember(watched.look(10.0))
    again = watch(folder, tmp_path)
    again.look(0.0)
    assert names(again.look(10.0)) == []
    (folder / "a.wav").write_bytes(b"other")
    again.look(20.0)
    assert names(again.look(30.0)) == ["a.wav"]
    (state,) = (tmp_path / "data" / "watched").iterdir()
    state.write_text("{")
    anew = watch(folder, tmp_path)
    anew.look(0.0)
    assert names(anew.look(10.0)) == ["a.wav"]


def test_a_recording_waits_for_its_transcript_and_follows_its_changes(folder: Path, tmp_path: Path) -> None:
    watched = watch(folder, tmp_path)
    (folder / "a.wav").write_bytes(b"1")
    (folder / "b.wav").write_bytes(b"2")
    watched.look(0.0)
    (folder / "a.srt").write_text("x")
    watched.look(5.0)
    first = watched.look(10.0)
    assert names(first) == ["b.wav"]
    watched.remember(first)
    second = watched.look(15.0)
    assert names(second) == ["a.wav"] and second.sounds[PurePosixPath("a.wav")] == (PurePosixPath("a.srt"),)
    watched.remember(second)
    (folder / "metadata.csv").write_text("file,title\na.wav,A\n")
    watched.look(20.0)
    assert names(watched.look(30.0)) == ["a.wav", "b.wav"]


def test_a_large_folder_becomes_several_tasks(folder: Path, tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav", "b.srt", "c.wav", "metadata.csv"):
        (folder / name).write_bytes(b"1")
    watched = watch(folder, tmp_path)
    watched.look(0.0)
    ready = watched.look(10.0)
    assert [(count, [str(path) for path in files]) for count, files in ready.parts(2)] == [
        (2, ["a.wav", "b.wav", "metadata.csv", "b.srt"]),
        (1, ["c.wav", "metadata.csv"]),
    ]
    watched.remember(ready)
    assert names(watched.look(20.0)) == []


def test_hidden_unfinished_and_foreign_files_are_passed_over(folder: Path, tmp_path: Path) -> None:
    for name in (".a.wav", "b.wav.part", "c.txt", ".hidden/d.wav"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"1")
    (tmp_path / "outside.wav").write_bytes(b"1")
    (folder / "link.wav").symlink_to(tmp_path / "outside.wav")
    watched = watch(folder, tmp_path)
    watched.look(0.0)
    assert names(watched.look(99.0)) == []


def test_folders_that_cannot_be_watched(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no folder"):
        Watch(tmp_path / "none", tmp_path / "data", 1.0)
    with pytest.raises(InputError, match="The data folder lies in"):
        Watch(tmp_path, tmp_path / "data", 1.0)


def test_the_command_takes_in_what_is_there_and_not_again(folder: Path, tmp_path: Path) -> None:
    shutil.copyfile(SAMPLE, folder / "talk.opus")
    (folder / "broken.wav").write_bytes(b"no sound")
    (folder / "metadata.csv").write_text("file,title\ntalk.opus,Ferry\ngone.opus,Gone\n")
    environment = os.environ | {
        "SPEECHSEARCH_DATA_DIR": str(tmp_path / "data"),
        "SPEECHSEARCH_ENGINES__RECOGNIZER": "none",
    }
    command = [sys.executable, "-m", "speechsearch", "watch", str(folder), "--once", "--settle-s", "0.2", "-c", "talks"]
    said = []
    for _ in range(2):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=110)
        assert done.returncode == 0, done.stderr
        said.append([line.split()[:2] for line in done.stdout.splitlines()[1:]])
    assert sorted(said[0]) == [["failed", "inbox/broken.wav"], ["indexed", "inbox/talk.opus"]] and said[1] == []


def test_the_page_watches_the_folder_of_the_settings(folder: Path, tmp_path: Path) -> None:
    models = FakeLoader()
    wanted = WatchSettings(folder=str(folder), collection="inbox", every_s=0.1, settle_s=0.2)
    settings = fake_settings(tmp_path / "data", models).model_copy(update={"watch": wanted})
    with Service.open(settings, loader=models) as service:
        jobs = JobQueue(service, runners(service, SAMPLES))
        jobs.start()
        try:
            with watching(service, jobs):
                shutil.copyfile(SAMPLE, folder / "day 1" / "talk.opus")
                until_s = time.monotonic() + 60
                while not service.browse.recordings() and time.monotonic() < until_s:
                    time.sleep(0.1)
        finally:
            jobs.stop()
        (recording,) = service.browse.recordings("inbox")
        assert recording.title == "talk"
        assert next(job.kind for job in jobs.jobs()) == "watched"
