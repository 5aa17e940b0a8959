"""Who may log in, and the signed cookies of those who have."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from speechsearch.api.passwords import hash_password, is_hash, is_password
from speechsearch.domain.errors import ConfigurationError
from speechsearch.service.settings import AuthSettings

KEY_FILE = "session.key"
EPOCHS_FILE = "sessions.json"
KEY_BYTES = 32
LONGEST_PASSWORD = 1024
MOST_REMEMBERED = 1000
_Epochs = TypeAdapter(dict[str, int])
_NAME = re.compile(r"[^\s/:@]{1,64}")


class Accounts:
    """The people of the settings.

    Args:
        users: name -> password hash; none: nobody has to log in.
        key: signs the cookies; whoever has it can forge them.
        session_s: how long a login lasts.
        epochs: a file with how often each person has logged out everywhere; without it that ends with the process.
        clock: the time in seconds since 1970.
    """

    def __init__(
        self,
        users: Mapping[str, str],
        key: bytes,
        session_s: float,
        clock: Callable[[], float] = time.time,
        epochs: Path | None = None,
    ) -> None:
        for name, hashed in users.items():
            if not _NAME.fullmatch(name):
                raise ConfigurationError(
                    f"{name!r:.100} cannot be a name in SPEECHSEARCH_AUTH__USERS.",
                    "A name has 1 to 64 characters and no space, slash, colon or @.",
                )
            if not is_hash(hashed):
                raise ConfigurationError(
                    f"SPEECHSEARCH_AUTH__USERS holds no password hash for {name!r}.",
                    "Make one with: python -m speechsearch password",
                )
        self._users, self._key, self._session_s, self._clock = dict(users), key, session_s, clock
        self._epochs_file = epochs
        self._epochs: dict[str, int] = _kept_epochs(epochs) if epochs is not None else {}
        self._nobody = hash_password(secrets.token_urlsafe()) if users else ""
        self._right: set[bytes] = set()
        self._lock = threading.Lock()

    @classmethod
    def of(cls, settings: AuthSettings, data_dir: Path) -> Accounts:
        """Return the accounts of the settings; the key lies in the data folder, readable by its owner alone."""
        users = {name: hashed.get_secret_value() for name, hashed in settings.users.items()}
        if not users:
            return cls({}, b"", settings.session_hours * 3600.0)
        key = _kept_key(data_dir / KEY_FILE)
        return cls(users, key, settings.session_hours * 3600.0, epochs=data_dir / EPOCHS_FILE)

    def __bool__(self) -> bool:
        """Say whether anybody can log in."""
        return bool(self._users)

    def is_remembered(self, name: str, password: str) -> bool:
        """Say whether a password was found right before, which takes no time."""
        return self._mark(name, password) in self._right

    def is_right(self, name: str, password: str) -> bool:
        """Say whether a password is the person's; takes a fifth of a second, for unknown names too."""
        if self.is_remembered(name, password):
            return True
        if len(password) > LONGEST_PASSWORD:
            return False
        with self._lock:  # one at a time: each takes 16 MiB
            is_right = is_password(password, self._users.get(name, self._nobody)) and name in self._users
        if is_right:
            if len(self._right) >= MOST_REMEMBERED:
                self._right.clear()
            self._right.add(self._mark(name, password))
        return is_right

    def begin(self, name: str) -> str:
        """Return the cookie of a person who has just logged in."""
        until_s = str(int(self._clock() + self._session_s))
        encoded = base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")
        return f"{encoded}.{until_s}.{self._signature(name, until_s)}"

    def name_of(self, cookie: str) -> str:
        """Return whose cookie it is; empty when it is forged, too old, or the person or the password has changed."""
        encoded, _, rest = cookie.partition(".")
        until_s, _, signature = rest.partition(".")
        try:
            name = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
        except (binascii.Error, ValueError):
            return ""
        if name not in self._users or not (until_s.isascii() and until_s.isdigit() and len(until_s) < 16):
            return ""
        is_ours = hmac.compare_digest(signature.encode(), self._signature(name, until_s).encode())
        return name if is_ours and int(until_s) > self._clock() else ""

    def end_sessions(self, name: str) -> None:
        """Make all cookies of a person worthless, in every browser, and what is remembered of passwords."""
        with self._lock:
            self._epochs[name] = self._epochs.get(name, 0) + 1
            self._right.clear()
            if self._epochs_file is not None:
                _write(self._epochs_file, json.dumps(self._epochs).encode())

    @property
    def session_s(self) -> float:
        """How long a login lasts."""
        return self._session_s

    def _signature(self, name: str, until_s: str) -> str:
        # With the password's hash: a new password ends the old sessions.
        signed = "\n".join((name, until_s, self._users[name], str(self._epochs.get(name, 0)))).encode()
        return hmac.new(self._key, signed, hashlib.sha256).hexdigest()

    def _mark(self, name: str, password: str) -> bytes:
        return hmac.new(self._key, f"{name}\n{password}".encode("utf-8", "surrogatepass"), hashlib.sha256).digest()


def _kept_key(path: Path) -> bytes:
    """Return the key of a file; the first time, make it."""
    if path.exists():
        key = path.read_bytes()
        if len(key) != KEY_BYTES:
            raise ConfigurationError(f"{path} is damaged.", "Delete it; everybody then has to log in again.")
        return key
    key = secrets.token_bytes(KEY_BYTES)
    _write(path, key)
    return key


def _kept_epochs(path: Path) -> dict[str, int]:
    """Return how often each person has logged out everywhere."""
    try:
        return _Epochs.validate_json(path.read_bytes()) if path.exists() else {}
    except ValidationError as error:
        hint = f"Delete it and {KEY_FILE}; everybody then has to log in again."
        raise ConfigurationError(f"{path} is damaged.", hint) from error


def _write(path: Path, content: bytes) -> None:
    """Write a file that its owner alone can read, whole or not at all."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600, exist_ok=False)
    unfinished.write_bytes(content)
    unfinished.replace(path)
