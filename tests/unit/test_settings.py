from __future__ import annotations

import json
from pathlib import Path

import pytest

from speechsearch.api.passwords import hash_password, is_password
from speechsearch.domain.errors import ConfigurationError
from speechsearch.service.settings import read_settings


@pytest.fixture(autouse=True)
def no_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_users_come_as_json_and_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = hash_password("a tide of bees")
    monkeypatch.setenv("SPEECHSEARCH_AUTH__USERS", json.dumps({"ann": hashed}))
    monkeypatch.setenv("SPEECHSEARCH_AUTH__VISITORS", "read")
    settings = read_settings()
    assert is_password("a tide of bees", settings.auth.users["ann"].get_secret_value())
    assert hashed not in repr(settings)


def test_an_env_file_is_read(tmp_path: Path) -> None:
    hashed = hash_password("a tide of bees")
    (tmp_path / ".env").write_text(
        f'SPEECHSEARCH_AUTH__USERS={{"ann":"{hashed}"}}\nSPEECHSEARCH_SERVER__HOSTS=["speech.example.org"]\n'
    )
    settings = read_settings()
    assert settings.auth.users["ann"].get_secret_value() == hashed
    assert settings.server.hosts == ("speech.example.org",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SPEECHSEARCH_AUTH__USERS", "ann"),
        ("SPEECHSEARCH_AUTH__VISITORS", "write"),
        ("SPEECHSEARCH_SERVER__ROOT_PATH", "speech"),
        ("SPEECHSEARCH_SERVER__ROOT_PATH", "/a; Domain=evil.org"),
        ("SPEECHSEARCH_SERVER__UPLOADS", "all"),
        ("SPEECHSEARCH_LIMITS__SEARCHES_A_MINUTE", "0"),
        ("SPEECHSEARCH_AUTH__USER", "{}"),
    ],
)
def test_what_does_not_fit_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=f'{name}|field "auth"'):
        read_settings()
