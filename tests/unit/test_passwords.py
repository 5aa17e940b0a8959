from __future__ import annotations

import hashlib

import pytest
from typer.testing import CliRunner

from speechsearch.api.passwords import hash_password, is_hash, is_password
from speechsearch.cli import app
from speechsearch.domain.errors import InputError


def test_a_known_value_of_the_rfc() -> None:
    """RFC 7914, section 12: scrypt("password", "NaCl", 1024, 8, 16)."""
    key = hashlib.scrypt(b"password", salt=b"NaCl", n=1024, r=8, p=16, dklen=64, maxmem=2**26)
    assert key.hex().startswith("fdbabe1c9d3472007856e7190d01e9fe")
    first_half = "_bq-HJ00cgB4VucZDQHp_nxq1859qAX0bTgpLZPDiA"
    assert not is_password("password", f"scrypt:1024:8:16:TmFDbA:{first_half}")  # the key has 32 bytes, this one 31


@pytest.mark.parametrize("password", ["", "a", "päßwörd 密码 🔑", "x" * 1000, "a:b", "half \ud800 pair"])
def test_only_the_same_password_fits(password: str) -> None:
    hashed = hash_password(password)
    assert is_hash(hashed)
    assert is_password(password, hashed)
    assert not is_password(password + " ", hashed)
    assert hash_password(password) != hashed
    assert not set(hashed) & set(" $\"'\\#=;&{}\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        "scrypt",
        "scrypt:16384:8:5:AAAA",
        "bcrypt:16384:8:5:AAAA:" + "A" * 43,
        "scrypt:16383:8:5:AAAA:" + "A" * 43,
        "scrypt:0:8:5:AAAA:" + "A" * 43,
        "scrypt:16384:8:99:AAAA:" + "A" * 43,
        "scrypt:99999999:8:1:AAAA:" + "A" * 43,
        "scrypt:67108864:8:1:AAAA:" + "A" * 43,
        "scrypt:16384:8:5:AAAA:A",
        "scrypt:16384:8:5:AAAA:",
    ],
)
def test_what_is_no_hash_fits_nothing(text: str) -> None:
    assert not is_hash(text)
    with pytest.raises(ValueError, match="not a password hash"):
        is_password("secret", text)


def test_the_command_prints_nothing_but_the_hash() -> None:
    done = CliRunner().invoke(app, ["password"], input="a tide of bees\na tide of bees\n")
    assert done.exit_code == 0
    assert is_password("a tide of bees", done.stdout.strip())
    assert "a tide of bees" not in done.output


def test_short_passwords_are_refused() -> None:
    done = CliRunner().invoke(app, ["password"], input="short\nshort\n")
    assert isinstance(done.exception, InputError)
    assert "Choose at least 8" in str(done.exception)
