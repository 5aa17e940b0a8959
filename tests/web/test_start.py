from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

import app
from speechsearch.api.server import is_on_space, listen, upload_folder
from speechsearch.domain.errors import ConfigurationError
from speechsearch.service.settings import Settings, read_settings


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
        assert app.main() == 2
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
