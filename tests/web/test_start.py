from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import app
from speechsearch.api.server import UPLOADS, is_on_space, listen, upload_folder
from speechsearch.domain.errors import ConfigurationError, InputError
from speechsearch.domain.folder_lock import LOCK_FILE
from speechsearch.service.manage import checked_collection_name
from speechsearch.service.settings import Settings, read_settings
from speechsearch.service.surroundings import warnings


def test_bad_setting_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECHSEARCH_SERVER__PORT", "many")
    with pytest.raises(ConfigurationError, match="SPEECHSEARCH_SERVER__PORT: Input should be a valid integer"):
        read_settings()


def test_taken_port_is_named_with_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"Cannot listen on 127.0.0.1:{port}") as failure:
            listen(Settings(server={"port": port}))
    assert "SPEECHSEARCH_SERVER__PORT=" in failure.value.hint


def test_an_answers_body_does_not_wait_for_its_head_to_be_confirmed() -> None:
    with listen(Settings(server={"port": 0})) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_foreign_host_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"Cannot listen on 203\.0\.113\.7:0"):
        listen(Settings(server={"host": "203.0.113.7", "port": 0}))


def test_space_listens_to_the_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACE_ID", raising=False)
    assert not is_on_space()
    with listen(Settings(server={"port": 0})) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
    monkeypatch.setenv("SPACE_ID", "someone/speechsearch")
    with listen(Settings(server={"port": 0})) as listener:
        assert listener.getsockname()[0] == "0.0.0.0"
    with listen(Settings(server={"host": "127.0.0.1", "port": 0})) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_start_that_fails_ends_with_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "")
    monkeypatch.setenv("SPEECHSEARCH_DATA_DIR", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("SPEECHSEARCH_SERVER__PORT", str(taken.getsockname()[1]))
        before = os.umask(0o022)
        try:
            assert app.main() == 2
        finally:
            assert os.umask(before) == 0o077
    said = capsys.readouterr().err
    assert said.startswith("speechsearch cannot start: Cannot listen on 127.0.0.1:")
    assert "Traceback" not in said
    assert len(said.splitlines()) == 2


def test_uploads_are_removed_when_the_process_is_told_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "")
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), upload_folder() as folder:
        assert os.environ["GRADIO_TEMP_DIR"] == str(folder)
        (folder / "left.wav").write_bytes(b"x")
        signal.raise_signal(signal.SIGTERM)
    assert not folder.exists()
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_a_killed_process_left_is_removed_and_a_living_ones_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left, others = tmp_path / f"{UPLOADS}left", tmp_path / f"{UPLOADS}just starting"
    for folder in (left, others):
        (folder / "uploads").mkdir(parents=True)
    (left / "uploads" / "question.wav").write_bytes(b"x")
    (left / LOCK_FILE).touch()
    with upload_folder() as living:
        with upload_folder() as mine:
            assert living.exists() and mine.exists() and living != mine
            assert not left.exists()
        assert others.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [others.name]


def test_what_is_written_is_its_users_alone(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from speechsearch.service.surroundings import keep_private, warnings;"
        "from speechsearch.domain.folder_lock import DataFolderLock; keep_private();"
        f"folder = Path({str(tmp_path / 'data')!r}); DataFolderLock(folder); (folder / 'new').touch();"
        "print(oct(folder.stat().st_mode), oct((folder / 'new').stat().st_mode), warnings(folder, (3, 13, 6)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "0o40700 0o100600 []"


def test_doctor_warns_of_an_open_folder_and_an_old_python(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "speechsearch.db").touch()
    for path, mode in ((folder, 0o755), (folder / "speechsearch.db", 0o644)):
        path.chmod(mode)
    (said,) = warnings(folder, (3, 13, 6))
    assert said == f"Others on this machine can read {folder} and speechsearch.db in it: chmod -R go= {folder}"
    folder.chmod(0o700)
    assert warnings(folder, (3, 13, 6)) == []
    assert [warnings(folder, (3, minor, patch)) != [] for minor, patch in ((11, 13), (12, 11), (13, 5))] == [True] * 3
    assert warnings(folder, (3, 11, 14)) == warnings(folder, (3, 14, 0)) == []


@pytest.mark.parametrize(
    "name", ["a\x00b", "a\x1bb", "a\u202eb", "a\u2066b", "a\ufeffb", "a\x7fb", "\ud800", "a\ue000"]
)
def test_names_of_collections_have_no_signs_that_are_not_seen(name: str) -> None:
    with pytest.raises(InputError, match="A collection cannot be named"):
        checked_collection_name(name)


def test_names_of_collections_may_be_in_any_language() -> None:
    for name in ("می\u200cخواهم", "भाषण क्\u200dष", "Übungen é", "講演", "🎙 talks"):
        assert checked_collection_name(name) == name
    assert checked_collection_name("two\nlines\tof\x85it") == "two lines of it"
