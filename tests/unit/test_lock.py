"""The data folder's lock."""

import os
import signal
import subprocess
import sys

import pytest

from speechsearch.domain.errors import ConfigurationError, DataFolderInUseError
from speechsearch.domain.folder_lock import LOCK_FILE, DataFolderLock

HOLD = """
import sys, time
from pathlib import Path
from speechsearch.domain.folder_lock import DataFolderLock
with DataFolderLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def hold_in_another_process(path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    return process


def test_a_second_process_is_told_who_holds_the_folder_and_a_killed_ones_lock_is_free(tmp_path):
    process = hold_in_another_process(tmp_path)
    try:
        with pytest.raises(DataFolderInUseError, match=rf"in use by process {process.pid} \(-c .*\) on .* since 20"):
            DataFolderLock(tmp_path)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    with DataFolderLock(tmp_path):
        assert str(os.getpid()) in (tmp_path / LOCK_FILE).read_text()
    assert (tmp_path / LOCK_FILE).read_text() == ""


def test_the_same_process_cannot_hold_it_twice_but_again(tmp_path):
    folder = tmp_path / "new folder" / "data"
    with DataFolderLock(folder), pytest.raises(DataFolderInUseError, match=f"in use by process {os.getpid()} "):
        DataFolderLock(folder)
    lock = DataFolderLock(folder)
    lock.release()
    lock.release()


def test_a_holder_whose_text_is_not_readable_is_still_a_holder(tmp_path):
    with DataFolderLock(tmp_path):
        for text in ("", "{", "[]", '{"pid": 1}', "\0" * 10_000):
            (tmp_path / LOCK_FILE).write_text(text)
            with pytest.raises(DataFolderInUseError, match="in use by another process"):
                DataFolderLock(tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        DataFolderLock(tmp_path / "file" / "data")
